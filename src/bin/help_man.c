/* SPDX-License-Identifier: MIT */
#include "bin/help_man.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bin/commands.h"

/* What roff would take for its own, escaped; a line never begins with a control character. */
static void put_escaped(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bool begins_line = i == 0 || text[i - 1] == '\n';

        if (begins_line && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
    }
}

void man_begin(const char *name, const char *section, const char *brief) {
    fputs(".TH ", stdout);
    for (const char *p = name; *p != '\0'; p++)
        putchar(toupper((unsigned char)*p));
    printf(" %s \"\" \"brood %s\"\n.nh\n.ad l\n.SH NAME\n", section, BROOD_VERSION);
    put_escaped(name, strlen(name));
    fputs(" \\- ", stdout);
    put_escaped(brief, strlen(brief));
    putchar('\n');
}

void man_section(const char *heading) {
    fputs(".SH ", stdout);
    for (const char *p = heading; *p != '\0'; p++)
        putchar(toupper((unsigned char)*p));
    putchar('\n');
}

void man_subsection(const char *heading) {
    printf(".SS %s\n", heading);
}

void man_text(const char *text) {
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);

        put_escaped(text, length);
        putchar('\n');
        text += length;
        if (end)
            fputs(".PP\n", stdout);
        while (*text == '\n')
            text++;
    }
}

void man_term(const char *term) {
    fputs(".TP\n.B ", stdout);
    put_escaped(term, strlen(term));
    putchar('\n');
}

void man_literal(const char *text) {
    fputs(".nf\n", stdout);
    put_escaped(text, strlen(text));
    fputs(".fi\n", stdout);
}

static void print_option(const struct option_row *row) {
    fputs(".TP\n", stdout);
    if (row->letter)
        printf("\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", stdout);
    put_escaped(row->name, strlen(row->name));
    fputs("\\fR", stdout);
    if (row->argument) {
        fputs(row->optional ? "[=\\fI" : " \\fI", stdout);
        put_escaped(row->argument, strlen(row->argument));
        fputs(row->optional ? "\\fR]" : "\\fR", stdout);
    }
    putchar('\n');
    man_text(row->help);
}

static void print_section(const struct help_section *section) {
    man_section(section->heading);
    if (section->text)
        man_text(section->text);
    for (const struct help_item *item = section->items; item && item->term; item++) {
        man_term(item->term);
        man_text(item->text);
    }
    if (section->literal)
        man_literal(section->literal);
}

static void print_synopsis(const char *const *lines) {
    man_section("Synopsis");
    for (const char *const *line = lines; *line; line++) {
        fputs(line == lines ? "\\fBbrood\\fR " : ".br\n\\fBbrood\\fR ", stdout);
        put_escaped(*line, strlen(*line));
        putchar('\n');
    }
}

void help_print_man(const struct help *help, const struct option_table *tables, size_t n_tables) {
    char name[64];

    snprintf(name, sizeof(name), "brood%s%s", *help->name != '\0' ? "-" : "", help->name);
    man_begin(name, "1", command_brief(help->name));
    print_synopsis(help->synopsis);
    man_section("Description");
    man_text(help->text);
    if (n_tables > 0)
        man_section("Options");
    for (size_t t = 0; t < n_tables; t++) {
        if (n_tables > 1)
            man_subsection(tables[t].heading);
        for (size_t i = 0; i < tables[t].n_rows; i++)
            print_option(&tables[t].rows[i]);
    }
    for (const struct help_section *section = help->sections; section && section->heading;
         section++)
        print_section(section);
    man_section("See also");
    man_text(help->see_also ? help->see_also : "brood(1)");
}
