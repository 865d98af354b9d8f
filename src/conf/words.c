/* SPDX-License-Identifier: MIT */
#include "conf/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define BLANKS "\t\n\r "

struct pen {
    const char *from;
    char *to;
};

static void write_utf8(struct pen *pen, uint32_t rune) {
    if (rune < 0x80) {
        *pen->to++ = (char)rune;
    } else if (rune < 0x800) {
        *pen->to++ = (char)(0xc0 | rune >> 6);
        *pen->to++ = (char)(0x80 | (rune & 0x3f));
    } else if (rune < 0x10000) {
        *pen->to++ = (char)(0xe0 | rune >> 12);
        *pen->to++ = (char)(0x80 | (rune >> 6 & 0x3f));
        *pen->to++ = (char)(0x80 | (rune & 0x3f));
    } else {
        *pen->to++ = (char)(0xf0 | rune >> 18);
        *pen->to++ = (char)(0x80 | (rune >> 12 & 0x3f));
        *pen->to++ = (char)(0x80 | (rune >> 6 & 0x3f));
        *pen->to++ = (char)(0x80 | (rune & 0x3f));
    }
}

/* Exactly `count` digits of a base; false where they are not there. */
static bool read_digits(const char *text, int count, unsigned base, uint32_t *ret_value) {
    static const char digits[] = "0123456789abcdef";
    uint32_t value = 0;

    for (int i = 0; i < count; i++) {
        const char *digit =
            text[i] == '\0' ? NULL : strchr(digits, tolower((unsigned char)text[i]));

        if (!digit || (unsigned)(digit - digits) >= base)
            return false;
        value = value * base + (uint32_t)(digit - digits);
    }
    *ret_value = value;
    return true;
}

/* Escapes with a number; false where it is none, or is NUL, or not a character. */
static bool write_number(struct pen *pen) {
    const struct {
        char letter;
        int count;
        unsigned base;
    } forms[] = {{'x', 2, 16}, {'u', 4, 16}, {'U', 8, 16}};
    uint32_t value;

    if (read_digits(pen->from, 3, 8, &value)) {
        if (value == 0 || value > 0xff)
            return false;
        *pen->to++ = (char)value;
        pen->from += 3;
        return true;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (*pen->from != forms[i].letter ||
            !read_digits(pen->from + 1, forms[i].count, forms[i].base, &value))
            continue;
        if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
        if (forms[i].letter == 'x')
            *pen->to++ = (char)value;
        else
            write_utf8(pen, value);
        pen->from += 1 + forms[i].count;
        return true;
    }
    return false;
}

/* Stands behind a backslash. */
static bool write_escape(struct pen *pen) {
    static const char letters[] = "abfnrtv\\\"'s", meanings[] = "\a\b\f\n\r\t\v\\\"' ";
    const char *found = strchr(letters, *pen->from);

    if (!found)
        return write_number(pen);
    *pen->to++ = meanings[found - letters];
    pen->from++;
    return true;
}

static int write_backslash(struct pen *pen, bool *odd) {
    pen->from++;
    if (*pen->from == '\0')
        return -EINVAL;
    if (write_escape(pen))
        return 0;
    *odd = true;
    *pen->to++ = '\\';
    *pen->to++ = *pen->from++;
    return 0;
}

int words_next(const char **cursor, char *word, bool *ret_odd) {
    struct pen pen = {*cursor + strspn(*cursor, BLANKS), word};
    char quote = '\0';

    if (*pen.from == '\0') {
        *cursor = pen.from;
        return 0;
    }
    while (*pen.from != '\0' && (quote || !strchr(BLANKS, *pen.from))) {
        if (*pen.from == '\\') {
            if (write_backslash(&pen, ret_odd) < 0)
                return -EINVAL;
        } else if (quote ? *pen.from == quote : *pen.from == '"' || *pen.from == '\'') {
            quote = quote ? '\0' : *pen.from;
            pen.from++;
        } else {
            *pen.to++ = *pen.from++;
        }
    }
    *pen.to = '\0';
    *cursor = pen.from;
    return quote ? -EINVAL : 1;
}

size_t words_name_length(const char *text) {
    size_t length = 0;

    if (isdigit((unsigned char)*text))
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

bool words_is_assignment(const char *text) {
    size_t length = words_name_length(text);

    return length > 0 && text[length] == '=';
}
