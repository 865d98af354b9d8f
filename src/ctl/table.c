/* SPDX-License-Identifier: MIT */
#include "ctl/table.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ctl/ctl.h"
#include "ctl/visible.h"

/* Between two columns. */
#define GAP 2

struct screen screen_of(int fd) {
    const char *plain = getenv("NO_COLOR"), *kind = getenv("TERM");
    struct screen screen = {.terminal = isatty(fd)};
    struct winsize size = {0};

    if (!screen.terminal)
        return screen;
    screen.colours = !(plain && *plain) && kind && strcmp(kind, "dumb") != 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
        screen.columns = size.ws_col;
        screen.rows = size.ws_row;
    }
    return screen;
}

const char *style_begin(const struct screen *screen, enum style style) {
    static const char *const sequences[STYLE_MAX] = {
        [STYLE_PLAIN] = "",
        [STYLE_STRONG] = "\033[1m",
        [STYLE_FAINT] = "\033[2m",
        [STYLE_GOOD] = "\033[32m",
        [STYLE_BUSY] = "\033[33m",
        [STYLE_BAD] = "\033[1;31m",
    };

    return screen->colours ? sequences[style] : "";
}

const char *style_end(const struct screen *screen) {
    return screen->colours ? "\033[0m" : "";
}

static unsigned columns_of(const char *text) {
    unsigned columns = 0;

    for (size_t length; *text != '\0'; text += length) {
        length = utf8_length(text);
        columns += utf8_columns(text, length);
    }
    return columns;
}

/* How many bytes of the text fit into the columns. */
static size_t fitting(const char *text, unsigned room, unsigned *ret_columns) {
    const char *p = text;

    *ret_columns = 0;
    while (*p != '\0') {
        size_t length = utf8_length(p);
        unsigned columns = utf8_columns(p, length);

        if (*ret_columns + columns > room)
            break;
        *ret_columns += columns;
        p += length;
    }
    return (size_t)(p - text);
}

/* A line under way: how many columns are left of it. */
struct line {
    const struct screen *screen;
    FILE *file;
    unsigned room;
    unsigned blanks; /* to come before the next text, if there is one */
};

static struct line line_begin(const struct screen *screen, FILE *file) {
    return (struct line){screen, file, screen->columns > 0 ? screen->columns : UINT_MAX, 0};
}

static void line_flush_blanks(struct line *line) {
    unsigned columns = MIN(line->blanks, line->room);

    fprintf(line->file, "%*s", (int)columns, "");
    line->room -= columns;
    line->blanks = 0;
}

/* What does not fit ends with "…", and nothing comes after it. */
static void line_text(struct line *line, enum style style, const char *text) {
    unsigned columns = columns_of(text);
    size_t length = strlen(text);

    if (length > 0)
        line_flush_blanks(line);
    bool cut = columns > line->room;
    if (line->room == 0 || length == 0)
        return;
    if (cut)
        length = fitting(text, line->room - 1, &columns);
    fprintf(line->file, "%s%.*s%s%s", style_begin(line->screen, style), (int)length, text,
        cut ? "…" : "", style == STYLE_PLAIN ? "" : style_end(line->screen));
    line->room = cut ? 0 : line->room - columns;
}

void table_finish(struct table *table) {
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct table){.columns = table->columns, .n_columns = table->n_columns};
}

static char *printf_like(1, 0) format_visible(const char *format, va_list arguments) {
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        ctl_must(NULL);
    return visible_take(text);
}

void table_add(struct table *table, enum style style, const char *format, ...) {
    va_list arguments;

    if (table->n_cells == table->capacity) {
        table->capacity = MAX(2 * table->capacity, 16 * table->n_columns);
        table->cells = ctl_must(reallocarray(table->cells, table->capacity, sizeof(*table->cells)));
    }
    va_start(arguments, format);
    char *text = format_visible(format, arguments);
    va_end(arguments);
    table->cells[table->n_cells++] = (struct cell){text, columns_of(text), style};
}

size_t table_rows(const struct table *table) {
    return table->n_cells / table->n_columns;
}

/* 0 for a column that is left out. */
static unsigned width_of(const struct table *table, size_t column) {
    unsigned width = 0;

    for (size_t i = column; i < table->n_cells; i += table->n_columns)
        width = MAX(width, table->cells[i].columns);
    if (width == 0 && table->columns[column].spare)
        return 0;
    return MAX(width, columns_of(table->columns[column].heading ?: ""));
}

/* `cells` NULL: the headings. */
static void print_line(const struct table *table, const struct screen *screen, unsigned indent,
    const unsigned *widths, const struct cell *cells, FILE *file) {
    struct line line = line_begin(screen, file);
    unsigned gap = indent;

    for (size_t i = 0; i < table->n_columns; i++) {
        const char *text = cells ? cells[i].text : table->columns[i].heading;
        unsigned padding = widths[i] - (widths[i] ? columns_of(text) : 0);

        if (widths[i] == 0)
            continue;
        line.blanks += gap + (table->columns[i].right ? padding : 0);
        line_text(&line, cells ? cells[i].style : STYLE_FAINT, text);
        line.blanks += table->columns[i].right ? 0 : padding;
        gap = GAP;
    }
    fputc('\n', file);
}

void table_print_rows(const struct table *table, const struct screen *screen, unsigned indent,
    size_t first, size_t count, FILE *file) {
    unsigned *widths = ctl_must(calloc(table->n_columns, sizeof(*widths)));

    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = width_of(table, i);
    if (table->columns[0].heading)
        print_line(table, screen, indent, widths, NULL, file);
    for (size_t row = first; row < table_rows(table) && row - first < count; row++)
        print_line(table, screen, indent, widths, &table->cells[row * table->n_columns], file);
    free(widths);
}

void table_print(
    const struct table *table, const struct screen *screen, unsigned indent, FILE *file) {
    table_print_rows(table, screen, indent, 0, SIZE_MAX, file);
}

void line_print(
    const struct screen *screen, enum style style, FILE *file, const char *format, ...) {
    struct line line = line_begin(screen, file);
    va_list arguments;

    va_start(arguments, format);
    char *text = format_visible(format, arguments);
    va_end(arguments);
    line_text(&line, style, text);
    fputc('\n', file);
    free(text);
}
