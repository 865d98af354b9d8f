/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Command-line options as tables. A row is an option: its names, how its argument is called, how it
 * is read, where it goes, and what it is for. The same table parses, suggests, and is the help
 * (help.h).
 */

#include <linux/limits.h>
#include <stdbool.h>
#include <stddef.h>

struct option_row;

/* Reads `text` into `field`; negative when it is not what the row expects. */
typedef int (*option_reader)(const char *text, void *field);

struct option_row {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    bool optional;        /* --name or --name=ARGUMENT */
    const char *argument; /* NULL: a switch; the field is a bool */
    option_reader read;   /* NULL for a switch */
    size_t offset;        /* of the field in the table's target */
    const char *expects;  /* "a whole number from 1 to 65536" */
    const char *help;
};

struct option_table {
    const char *heading;
    const struct option_row *rows;
    size_t n_rows;
    void *target;
};

/*
 * Reads the options of `command` ("brood run") up to the first other word or "--". Returns the
 * index of the first word after the options, or -EINVAL after one line on standard error.
 */
int options_parse(
    const char *command, const struct option_table *tables, size_t n_tables, int argc, char **argv);

/*
 * The same wherever options stand: the other words are moved to the front of argv, in their order.
 * All after "--" are words, and so is "-2". Returns how many words there are, or -EINVAL.
 */
int options_parse_among(
    const char *command, const struct option_table *tables, size_t n_tables, int argc, char **argv);

/*
 * A path as it is meant now: a daemon has another working directory. -ENAMETOOLONG, and what
 * getcwd(3) says.
 */
int options_make_absolute(const char *path, char absolute[PATH_MAX]);

/*
 * Says on standard error that `word` is no such thing ("command", "action"), with the nearest of
 * `words` if one is near, or else where to read on.
 */
void options_tell_unknown(const char *command, const char *thing, const char *word,
    const char *const *words, size_t n_words, const char *help);
