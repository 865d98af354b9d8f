/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a command says of itself, as data: the option tables that parse it, and the words round
 * them. Printed for a terminal by `--help`, as a man page by `--help=man`; so neither can drift
 * from the other, nor from what the program does.
 */

#include "bin/options.h"

enum help_format {
    HELP_NONE,
    HELP_TEXT,
    HELP_MAN,
    HELP_WORDS, /* synopsis and options, a line each, for the completion of shells */
};

/* The row of --help; `member` is an enum help_format of the table's target. */
#define HELP_ROW(offset)                                                                           \
    {                                                                                              \
        "help", 'h', true, "man", help_read, offset, "nothing, or man",                            \
            "this text (=man: as a man page)"                                                      \
    }

int help_read(const char *text, void *field);

/* A line of a list: what it is about, and what there is to say. */
struct help_item {
    const char *term;
    const char *text;
};

/* Either prose (paragraphs parted by an empty line) or a list, or examples printed as they are. */
struct help_section {
    const char *heading;
    const char *text;
    const struct help_item *items; /* ends with a NULL term */
    const char *literal;
};

struct help {
    const char *name;                    /* "run"; "" is brood itself */
    const char *const *synopsis;         /* the words after "brood"; ends with NULL */
    const char *text;                    /* what it does */
    const struct help_section *sections; /* after the options; ends with a NULL heading */
    const char *see_also; /* names of further pages, "brood-up(1), brood.conf(5)"; or NULL */
};

/*
 * Prints text from column `at` on, words wrapped to lines that begin at `indent`; a newline in the
 * text stays one.
 */
void help_wrap(const char *text, int at, int indent);

/* Prints to standard output. `format` is not HELP_NONE. */
void help_print(const struct help *help, const struct option_table *tables, size_t n_tables,
    enum help_format format);
