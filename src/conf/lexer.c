/* SPDX-License-Identifier: MIT */
#include "conf/lexer.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS "\t\r "

void lexer_init(struct lexer *lexer, char *text) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";

    if (strncmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
        text += strlen(byte_order_mark);
    *lexer = (struct lexer){text, 1};
}

/* Ends the next physical line and moves past it. NULL at the end of the text. */
static char *take_line(struct lexer *lexer) {
    char *line = lexer->cursor;
    size_t length = strcspn(line, "\n");

    if (*line == '\0')
        return NULL;
    lexer->cursor = line + length + (line[length] == '\n');
    lexer->line++;
    line[length] = '\0';
    return line;
}

static char *trim(char *text) {
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]))
        text[--length] = '\0';
    return text;
}

static bool is_comment(const char *line) {
    line += strspn(line, BLANKS);
    return *line == '#' || *line == ';';
}

/* An odd number of backslashes at the end: the last one is not itself escaped. */
static bool continues(const char *line, size_t *ret_length) {
    size_t length = strlen(line), backslashes = 0;

    while (length > 0 && line[length - 1] == '\r')
        length--;
    while (backslashes < length && line[length - 1 - backslashes] == '\\')
        backslashes++;
    *ret_length = length - (backslashes % 2);
    return backslashes % 2 == 1;
}

/* Joins the lines that follow to `line`; what is joined is never longer than what was there. */
static void join(struct lexer *lexer, char *line) {
    size_t length, more;

    for (bool open = continues(line, &length); open;) {
        char *next = take_line(lexer);

        line[length] = '\0';
        if (!next)
            return;
        if (is_comment(next))
            continue;
        open = continues(next, &more);
        line[length++] = ' ';
        memmove(line + length, next, strlen(next) + 1);
        length += more;
    }
}

static struct lexer_item read_line(char *line, unsigned number) {
    struct lexer_item item = {LEXER_NONSENSE, trim(line), NULL, number};
    size_t length = strlen(item.key);
    char *equals = strchr(item.key, '=');

    if (*item.key == '[') {
        if (item.key[length - 1] != ']')
            return item;
        item.key[length - 1] = '\0';
        item.key = trim(item.key + 1);
        item.kind = LEXER_SECTION;
    } else if (equals && equals > item.key) {
        *equals = '\0';
        item.value = trim(equals + 1);
        item.key = trim(item.key);
        item.kind = LEXER_ASSIGNMENT;
    }
    return item;
}

struct lexer_item lexer_next(struct lexer *lexer) {
    char *line;

    for (;;) {
        unsigned number = lexer->line;

        line = take_line(lexer);
        if (!line)
            return (struct lexer_item){.line = number};
        if (is_comment(line) || line[strspn(line, BLANKS)] == '\0')
            continue;
        join(lexer, line);
        return read_line(line, number);
    }
}
