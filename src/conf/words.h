/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Words and variables, as systemd.syntax(7) and systemd.service(5) have them. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * Cuts the next word. Words are separated by blanks; quotes ("…", '…') hold blanks and are removed;
 * a backslash begins an escape of C, or \s for a blank; one that is none of these stays as it is
 * and sets `*ret_odd`. `word` has room for as many bytes as there are in the text, and one. 1: a
 * word; 0: the end; -EINVAL: a quote is not closed, or the text ends in the middle of an escape.
 */
int words_next(const char **cursor, char *word, bool *ret_odd);

/* How many bytes of `text` make up a variable's name: [A-Za-z_][A-Za-z0-9_]*. */
size_t words_name_length(const char *text);

/* "NAME=…" with a good name. */
bool words_is_assignment(const char *text);
