/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Rows of cells, printed in columns that are as wide as they have to be: coloured and cut to the
 * width on a terminal, plain and whole elsewhere. What is in a cell may come from anywhere.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/macro.h"

/* Where it is printed to. */
struct screen {
    bool terminal;
    bool colours;
    unsigned columns; /* 0: as many as there are */
    unsigned rows;
};

/* Of a descriptor; NO_COLOR and TERM=dumb are respected. */
struct screen screen_of(int fd);

enum style { STYLE_PLAIN, STYLE_STRONG, STYLE_FAINT, STYLE_GOOD, STYLE_BUSY, STYLE_BAD, STYLE_MAX };

/* What switches a style on and everything off; nothing where there are no colours. */
const char *style_begin(const struct screen *screen, enum style style);
const char *style_end(const struct screen *screen);

struct table_column {
    const char *heading;
    bool right; /* numbers */
    bool spare; /* left out when all its cells are empty */
};

struct cell {
    char *text;
    unsigned columns;
    enum style style;
};

struct table {
    const struct table_column *columns;
    size_t n_columns;
    struct cell *cells; /* row by row */
    size_t n_cells;
    size_t capacity;
};

#define TABLE_INIT(array) ((struct table){.columns = (array), .n_columns = ELEMENTS(array)})

void table_finish(struct table *table);

/* The next cell. */
void table_add(struct table *table, enum style style, const char *format, ...) printf_like(3, 4);

size_t table_rows(const struct table *table);

/* One line for the headings, where there are any, and one for each row, after `indent` blanks. */
void table_print(
    const struct table *table, const struct screen *screen, unsigned indent, FILE *file);

/* As above for a window: so many rows at most, from `first` on. */
void table_print_rows(const struct table *table, const struct screen *screen, unsigned indent,
    size_t first, size_t count, FILE *file);

/* One line of text from anywhere, visible and cut to the screen. */
void line_print(const struct screen *screen, enum style style, FILE *file, const char *format, ...)
    printf_like(4, 5);
