/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Text of a configuration file, line by line, in the grammar of systemd.syntax(7): [SECTION],
 * KEY=VALUE, comments that begin with # or ;, and a backslash at the end of a line that joins it
 * with the next one by a blank (comments between are passed over). Works in place: what it hands
 * out lies in the text.
 */

#include <stddef.h>

enum lexer_kind {
    LEXER_END,
    LEXER_SECTION,    /* `key`: its name */
    LEXER_ASSIGNMENT, /* `key`, `value`; both without blanks around */
    LEXER_NONSENSE,   /* `key`: the line */
};

struct lexer {
    char *cursor; /* text, ended */
    unsigned line;
};

struct lexer_item {
    enum lexer_kind kind;
    char *key;
    char *value;
    unsigned line; /* on which it begins */
};

/* `text` is written to; it has to live as long as the items. */
void lexer_init(struct lexer *lexer, char *text);

struct lexer_item lexer_next(struct lexer *lexer);
