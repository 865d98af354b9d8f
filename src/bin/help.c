/* SPDX-License-Identifier: MIT */
#include "bin/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "bin/help_man.h"

/* Where the help of an option begins, and where lines end. */
#define HELP_COLUMN 34
#define HELP_WIDTH  88

int help_read(const char *text, void *field) {
    static const char *const formats[] = {
        [HELP_TEXT] = "text",
        [HELP_MAN] = "man",
        [HELP_WORDS] = "words",
    };

    for (enum help_format format = HELP_TEXT; format < ELEMENTS(formats); format++)
        if (strcmp(text ?: formats[HELP_TEXT], formats[format]) == 0) {
            *(enum help_format *)field = format;
            return 0;
        }
    return -EINVAL;
}

/* Columns that a word takes: its UTF-8 characters. */
static int width_of(const char *text, size_t length) {
    int width = 0;

    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

void help_wrap(const char *text, int at, int indent) {
    bool fresh = true;

    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        int width = width_of(text, length);

        if (!fresh && at + 1 + width > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (!fresh) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)length, text);
        at += width;
        text += length;
        fresh = *text == '\n';
        if (fresh) {
            printf("\n%*s", text[1] == '\n' ? 0 : indent, "");
            at = indent;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

/* Moves to the column of the explanations, on a new line where the term has passed it. */
static void print_explanation(int width, const char *text, int column) {
    if (width >= column) {
        putchar('\n');
        width = 0;
    }
    printf("%*s", column - width, "");
    help_wrap(text, column, column);
}

static void print_option(const struct option_row *row) {
    int width = printf("  %s%c%s --%s", row->letter ? "-" : "", row->letter ? row->letter : ' ',
        row->letter ? "," : "  ", row->name);

    if (row->argument)
        width += printf(row->optional ? "[=%s]" : " %s", row->argument);
    print_explanation(width, row->help, HELP_COLUMN);
}

static void print_items(const struct help_item *items) {
    int column = 0;

    for (const struct help_item *item = items; item->term; item++)
        column = MAX(column, width_of(item->term, strlen(item->term)));
    column = MIN(column + 4, HELP_COLUMN);
    for (const struct help_item *item = items; item->term; item++) {
        printf("  %s", item->term);
        print_explanation(2 + width_of(item->term, strlen(item->term)), item->text, column);
    }
}

static void print_section(const struct help_section *section) {
    printf("\n%s:\n", section->heading);
    if (section->text) {
        printf("  ");
        help_wrap(section->text, 2, 2);
    }
    if (section->items)
        print_items(section->items);
    if (section->literal)
        fputs(section->literal, stdout);
}

static void print_text(
    const struct help *help, const struct option_table *tables, size_t n_tables) {
    for (const char *const *line = help->synopsis; *line; line++)
        printf("%s brood %s\n", line == help->synopsis ? "usage:" : "      ", *line);
    putchar('\n');
    help_wrap(help->text, 0, 0);
    for (size_t t = 0; t < n_tables; t++) {
        printf("\n%s:\n", tables[t].heading);
        for (size_t i = 0; i < tables[t].n_rows; i++)
            print_option(&tables[t].rows[i]);
    }
    for (const struct help_section *section = help->sections; section && section->heading;
         section++)
        print_section(section);
    if (help->see_also)
        printf("\nSee also: %s\n", help->see_also);
}

/* Neither has a tab in it; complete.c reads them. */
static void print_words(
    const struct help *help, const struct option_table *tables, size_t n_tables) {
    for (const char *const *line = help->synopsis; *line; line++)
        printf("%s\n", *line);
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_rows; i++) {
            const struct option_row *row = &tables[t].rows[i];

            printf("--%s\t%c\t%s\t%s\t%s\t%.*s\n", row->name, row->letter ? row->letter : '-',
                row->argument ?: "", row->optional ? "optional" : "", row->expects ?: "",
                (int)strcspn(row->help, "\n"), row->help);
        }
}

void help_print(const struct help *help, const struct option_table *tables, size_t n_tables,
    enum help_format format) {
    if (format == HELP_MAN)
        help_print_man(help, tables, n_tables);
    else if (format == HELP_WORDS)
        print_words(help, tables, n_tables);
    else
        print_text(help, tables, n_tables);
}
