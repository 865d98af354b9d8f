/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base64.h"

static const struct {
    const char *bytes, *text;
} pairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfd\n", "//79Cg=="},
};

Test(base64, is_that_of_the_rfc)
{
    for (size_t i = 0; i < ELEMENTS(pairs); i++) {
        char memory[32], bytes[32];
        struct buffer text = BUFFER(memory);
        size_t length = strlen(pairs[i].text), n;

        memory[0] = '\0';
        buffer_add_base64(&text, pairs[i].bytes, strlen(pairs[i].bytes));
        cr_assert_str_eq(memory, pairs[i].text);
        cr_assert_eq(base64_decode(pairs[i].text, length, bytes, &n), 0);
        cr_assert_leq(n, BASE64_DECODED(length));
        cr_assert_eq(n, strlen(pairs[i].bytes));
        cr_assert_eq(memcmp(bytes, pairs[i].bytes, n), 0);
    }
}

Test(base64, takes_nothing_else)
{
    static const char *const texts[] = {"Zg=", "Zg", "Z", "====", "Z===", "Zg==Zg==", "Zm9v\n",
        "Zm 9", "Zm-_", "Zh==", "Zm9=", "=g==", "Z=g="};
    char bytes[32];
    size_t n;

    for (size_t i = 0; i < ELEMENTS(texts); i++)
        cr_assert_eq(base64_decode(texts[i], strlen(texts[i]), bytes, &n), -EINVAL, "%s", texts[i]);
}

Test(base64, is_cut_where_there_is_no_room)
{
    char memory[6];
    struct buffer text = BUFFER(memory);

    buffer_add_base64(&text, "foobar", 6);
    cr_assert(text.cut);
}
