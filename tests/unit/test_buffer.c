/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "base/utf8.h"

/* A buffer over heap memory without a byte to spare, so that a sanitizer sees every step too far.
 */
static struct buffer exact(size_t size) {
    struct buffer buffer = {.data = malloc(size), .size = size};

    buffer.data[0] = '\0';
    return buffer;
}

Test(buffer, adds_one_after_another)
{
    char array[32];
    struct buffer buffer = BUFFER(array);

    buffer_add(&buffer, "abc", 2);
    buffer_add_text(&buffer, "-");
    buffer_add_format(&buffer, "%d/%s", 7, "x");
    cr_assert_str_eq(array, "ab-7/x");
    cr_assert_eq(buffer.length, 6);
    cr_assert_not(buffer.cut);
}

Test(buffer, cuts_what_does_not_fit_and_says_so)
{
    for (size_t size = 1; size < 8; size++) {
        struct buffer added = exact(size), formatted = exact(size);

        buffer_add_text(&added, "1234567");
        buffer_add_format(&formatted, "%s", "1234567");
        cr_assert_eq(added.cut, size < 8);
        cr_assert_eq(formatted.cut, size < 8);
        cr_assert_eq(strlen(added.data), size - 1);
        cr_assert_str_eq(added.data, formatted.data);
        buffer_add_text(&added, "more");
        buffer_add_format(&formatted, "more");
        cr_assert_eq(added.length, size - 1);
        cr_assert_eq(formatted.length, size - 1);
        free(added.data);
        free(formatted.data);
    }
}

Test(buffer, fills_to_the_last_byte_without_a_cut)
{
    struct buffer buffer = exact(8);

    buffer_add_text(&buffer, "123");
    buffer_add_format(&buffer, "%s", "4567");
    cr_assert_not(buffer.cut);
    cr_assert_str_eq(buffer.data, "1234567");
    buffer_add(&buffer, "", 0);
    cr_assert_not(buffer.cut);
    free(buffer.data);
}

Test(buffer, makes_control_characters_visible)
{
    char array[64];
    struct buffer buffer = BUFFER(array);

    buffer_add_visible(&buffer, "a\nb\x1b[0m\t\x7f\xc3\xa9%s");
    cr_assert_str_eq(array, "a\\nb\\x1b[0m\\x09\\x7f\xc3\xa9%s");
}

/* CSI, as a character and as a byte; what is next to these; what is no character. */
Test(buffer, makes_control_characters_of_eight_bits_visible)
{
    char array[128];
    struct buffer buffer = BUFFER(array);

    buffer_add_visible(&buffer, "\xc2\x9b"
                                "1m\x9b"
                                "1m\xc2\x80\xc2\x9f\xc2\xa0\xe2\x82");
    cr_assert_str_eq(array, "\\xc2\\x9b1m\\x9b1m\\xc2\\x80\\xc2\\x9f\xc2\xa0\\xe2\\x82");
    buffer = BUFFER(array);
    buffer_add_visible_bytes(&buffer, "\t\0\xe2\x82\xac", 4, true);
    cr_assert_str_eq(array, "\t\\x00\\xe2\\x82");
}

Test(buffer, makes_nothing_visible_wider_than_it_says)
{
    char bytes[64], array[VISIBLE_WIDEST * sizeof(bytes) + 1];
    struct random random = {.state = 1};

    for (unsigned round = 0; round < 20000; round++) {
        struct buffer buffer = BUFFER(array);

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)(random_next(&random) >> 32);
        buffer_add_visible_bytes(&buffer, bytes, sizeof(bytes), round % 2 == 0);
        cr_assert_not(buffer.cut);
        for (size_t i = 0, n; i < buffer.length; i += n) {
            n = utf8_length(array + i);
            cr_assert(n > 0 && (array[i] == '\t' || !utf8_is_control(array + i, n)));
        }
    }
}

Test(buffer, writes_json_members)
{
    char array[256];
    struct buffer buffer = BUFFER(array);

    buffer_add(&buffer, "{", 1);
    buffer_add_json_text(&buffer, "a", "x\"y\\z\n\t\x01\x7f");
    buffer_add_json_integer(&buffer, "b", INT64_MIN);
    buffer_add_json_seconds(&buffer, "c", UINT64_C(1500000999));
    buffer_add_json_text(&buffer, "d", "");
    buffer_add(&buffer, "}", 1);
    cr_assert_str_eq(array, "{\"a\":\"x\\\"y\\\\z\\u000a\\u0009\\u0001\\u007f\","
                            "\"b\":-9223372036854775808,\"c\":1.500000,\"d\":\"\"}");
}

static const char *json(const char *text) {
    static char array[256];
    struct buffer buffer = BUFFER(array);

    buffer_add_json_text(&buffer, "", text);
    return array + strlen("\"\":");
}

/* RFC 3629: what is UTF-8 stays, each byte that is not becomes U+FFFD. */
Test(buffer, keeps_utf8_and_replaces_the_rest)
{
    cr_assert_str_eq(json("\xc3\xa9"), "\"\xc3\xa9\"");
    cr_assert_str_eq(json("\xe2\x82\xac"), "\"\xe2\x82\xac\"");
    cr_assert_str_eq(json("\xf0\x9f\x90\xa3"), "\"\xf0\x9f\x90\xa3\"");
    cr_assert_str_eq(json("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
    cr_assert_str_eq(json("\xc3"), "\"\\ufffd\"");
    cr_assert_str_eq(json("\xc0\xaf"), "\"\\ufffd\\ufffd\"");            /* overlong */
    cr_assert_str_eq(json("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
    cr_assert_str_eq(json("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    cr_assert_str_eq(json("\xc2\x9b\xc2\xa0"), "\"\\u009b\xc2\xa0\"");
    cr_assert_str_eq(json("\xe2\x82"), "\"\\ufffd\\ufffd\"");
    cr_assert_str_eq(json("a\x80z\xffz"), "\"a\\ufffdz\\ufffdz\"");
}

/* Bytes have no end of their own: nothing behind them is read, a NUL is one of them. */
Test(buffer, writes_bytes_of_a_known_length_as_json)
{
    char array[64], *bytes = malloc(5);
    struct buffer buffer = BUFFER(array);

    memcpy(bytes, "a\0\xe2\x82\xac", 5);
    buffer_add_json_bytes(&buffer, "k", bytes, 5);
    cr_assert_str_eq(array, "\"k\":\"a\\u0000\xe2\x82\xac\"");
    buffer = BUFFER(array);
    buffer_add_json_bytes(&buffer, "k", bytes, 4);
    cr_assert_str_eq(array, "\"k\":\"a\\u0000\\ufffd\\ufffd\"");
    free(bytes);
}

/* Whatever goes in: terminated, within bounds, and no byte that ends the string or the line. */
Test(buffer, takes_any_bytes)
{
    struct random random = {3};

    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t n = random_below(&random, sizeof(text));
        struct buffer buffer = exact(1 + random_below(&random, 200));

        for (size_t k = 0; k < n; k++)
            text[k] = (char)(1 + random_below(&random, 255));
        text[n] = '\0';
        buffer_add_json_text(&buffer, "k", text);
        cr_assert_lt(buffer.length, buffer.size);
        cr_assert_eq(strlen(buffer.data), buffer.length);
        for (size_t k = 0; k < buffer.length; k++)
            cr_assert_geq((unsigned char)buffer.data[k], 0x20);
        free(buffer.data);
    }
}
