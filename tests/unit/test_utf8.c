/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"

static const struct {
    const char *text;
    size_t length;
    unsigned columns;
} characters[] = {
    {"a", 1, 1}, {"\xc3\xa9", 2, 1}, /* é */
    {"\xe2\x82\xac", 3, 1},          /* € */
    {"\xe6\x97\xa5", 3, 2},          /* 日 */
    {"\xed\x95\x9c", 3, 2},          /* 한 */
    {"\xef\xbc\xa1", 3, 2},          /* full-width A */
    {"\xcc\x81", 2, 0},              /* combining acute */
    {"\xe2\x80\x8b", 3, 0},          /* zero-width space */
    {"\xf0\x9f\x90\xa3", 4, 2},      /* a hatching chick */
    {"\xf4\x8f\xbf\xbf", 4, 1},      /* the last one */
};

Test(utf8, characters)
{
    for (size_t i = 0; i < ELEMENTS(characters); i++) {
        cr_expect_eq(utf8_length(characters[i].text), characters[i].length, "%zu", i);
        cr_expect_eq(utf8_columns(characters[i].text, characters[i].length), characters[i].columns,
            "%zu", i);
    }
}

Test(utf8, what_is_none)
{
    static const char *const none[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x80\x80",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
    };

    for (size_t i = 0; i < ELEMENTS(none); i++)
        cr_expect_eq(utf8_length(none[i]), 0, "%zu", i);
}
