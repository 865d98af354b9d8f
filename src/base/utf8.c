/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdint.h>

#include "base/macro.h"

size_t utf8_length(const char *text) {
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *s = (const unsigned char *)text;

    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < ELEMENTS(forms); i++) {
        if (s[0] < forms[i].low || s[0] > forms[i].high)
            continue;
        if (s[1] < forms[i].second_low || s[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static uint32_t code_point(const char *text, size_t length) {
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (unsigned char)text[0] & masks[length];

    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3f);
    return point;
}

bool utf8_is_control(const char *text, size_t length) {
    uint32_t point = code_point(text, length);

    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

unsigned utf8_columns(const char *text, size_t length) {
    static const struct {
        uint32_t low, high;
        unsigned columns;
    } ranges[] = {
        {0x0300, 0x036f, 0},
        {0x1100, 0x115f, 2},
        {0x200b, 0x200f, 0},
        {0x20d0, 0x20ff, 0},
        {0x2e80, 0xa4cf, 2},
        {0xac00, 0xd7a3, 2},
        {0xf900, 0xfaff, 2},
        {0xfe00, 0xfe0f, 0},
        {0xfe30, 0xfe6f, 2},
        {0xff00, 0xff60, 2},
        {0xffe0, 0xffe6, 2},
        {0x1f300, 0x1faff, 2},
        {0x20000, 0x3fffd, 2},
    };
    uint32_t point = code_point(text, length);

    for (size_t i = 0; i < ELEMENTS(ranges); i++)
        if (point >= ranges[i].low && point <= ranges[i].high)
            return ranges[i].columns;
    return 1;
}
