/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/random.h"
#include "core/notify.h"

/* Parses a copy that has no byte to spare, so that a sanitizer sees every step too far. */
static int parse(const char *bytes, size_t size, struct notify_message *ret_message) {
    static char *copy;

    free(copy);
    copy = malloc(size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return notify_parse(copy, size, ret_message);
}

static struct notify_message parsed(const char *text) {
    struct notify_message message;

    cr_assert_eq(parse(text, strlen(text), &message), 0, "'%s'", text);
    return message;
}

static bool status_is(const struct notify_message *message, const char *text) {
    return message->status && message->status_size == strlen(text) &&
           memcmp(message->status, text, message->status_size) == 0;
}

Test(notify, reads_all_that_it_knows)
{
    struct notify_message message =
        parsed("READY=1\nSTATUS=Serving 3 clients\nMAINPID=4711\nERRNO=2\nSTOPPING=1\n");

    cr_assert(message.ready);
    cr_assert(message.stopping);
    cr_assert(status_is(&message, "Serving 3 clients"));
    cr_assert_eq(message.main_pid, 4711);
    cr_assert_eq(message.error, 2);
}

Test(notify, needs_no_last_newline_and_no_terminator)
{
    struct notify_message message;

    cr_assert(parsed("READY=1").ready);
    cr_assert_eq(parse("READY=1", 8, &message), 0);
    cr_assert(message.ready);
}

Test(notify, says_nothing_for_nothing)
{
    static const char *const texts[] = {"", "\n", "\n\n\n", "READY", "=1", "=", "===\n=READY=1",
        "READY=", "READY=0", "READY=11", "READY =1", " READY=1", "ready=1", "READYX=1", "READ=1",
        "READY=1\r", "X=READY=1"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        struct notify_message message = parsed(texts[i]);

        cr_assert_not(message.ready, "'%s'", texts[i]);
        cr_assert_not(message.stopping, "'%s'", texts[i]);
        cr_assert_null(message.status, "'%s'", texts[i]);
        cr_assert_eq(message.main_pid, 0, "'%s'", texts[i]);
        cr_assert_eq(message.error, 0, "'%s'", texts[i]);
    }
}

Test(notify, passes_over_what_it_does_not_know)
{
    struct notify_message message = parsed("X_FOO=1\nnonsense\nFDSTORE=1\nREADY=1\n=\nSTATUS=a=b");

    cr_assert(message.ready);
    cr_assert(status_is(&message, "a=b"));
}

Test(notify, an_empty_status_is_a_status)
{
    struct notify_message message = parsed("STATUS=\n");

    cr_assert(status_is(&message, ""));
}

Test(notify, the_first_valid_value_counts)
{
    struct notify_message message =
        parsed("STATUS=one\nSTATUS=two\nERRNO=x\nERRNO=5\nERRNO=6\nMAINPID=0\nMAINPID=9\nREADY=1\n"
               "READY=0");

    cr_assert(status_is(&message, "one"));
    cr_assert_eq(message.error, 5);
    cr_assert_eq(message.main_pid, 9);
    cr_assert(message.ready);
}

Test(notify, numbers_have_bounds)
{
    cr_assert_eq(parsed("ERRNO=4095").error, 4095);
    cr_assert_eq(parsed("ERRNO=4096").error, 0);
    cr_assert_eq(parsed("ERRNO=-2").error, 0);
    cr_assert_eq(parsed("ERRNO=2 ").error, 0);
    cr_assert_eq(parsed("MAINPID=4194304").main_pid, 4194304);
    cr_assert_eq(parsed("MAINPID=4194305").main_pid, 0);
    cr_assert_eq(parsed("MAINPID=18446744073709551617").main_pid, 0);
    cr_assert_eq(parsed("MAINPID=00000000000000000000000000000001").main_pid, 0);
    cr_assert_eq(parsed("MAINPID=").main_pid, 0);
}

Test(notify, refuses_nul_and_what_is_too_long)
{
    struct notify_message message;
    char big[NOTIFY_SIZE_MAX + 1];

    cr_assert_eq(parse("READY=1\0STATUS=x", 16, &message), -EBADMSG);
    cr_assert_eq(parse("READY=1\0\0", 9, &message), -EBADMSG);
    cr_assert_eq(parse("\0", 1, &message), 0);
    memset(big, 'a', sizeof(big));
    cr_assert_eq(parse(big, sizeof(big), &message), -EMSGSIZE);
    cr_assert_eq(parse(big, sizeof(big) - 1, &message), 0);
}

Test(notify, the_iterator_gives_each_assignment)
{
    static const char text[] = "A=1\n\nrubbish\nBB=\nC==x";
    struct notify_cursor cursor = {.data = text, .size = strlen(text)};
    struct notify_field field;
    static const struct {
        const char *key, *value;
    } expected[] = {{"A", "1"}, {"BB", ""}, {"C", "=x"}};

    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        cr_assert(notify_next(&cursor, &field));
        cr_assert_eq(field.key_size, strlen(expected[i].key));
        cr_assert_eq(memcmp(field.key, expected[i].key, field.key_size), 0);
        cr_assert_eq(field.value_size, strlen(expected[i].value));
        cr_assert_eq(memcmp(field.value, expected[i].value, field.value_size), 0);
    }
    cr_assert_not(notify_next(&cursor, &field));
    cr_assert_not(notify_next(&cursor, &field));
    cr_assert_eq(cursor.size, 0);
}

/* Any bytes: what comes out lies within what went in and keeps its promises. */
Test(notify, property_any_bytes)
{
    static const char alphabet[] = "=\n1READYSTATUSERRNO\0 x";
    struct random random = {.state = 1};
    char bytes[64];

    for (int round = 0; round < 200000; round++) {
        size_t size = (size_t)random_below(&random, sizeof(bytes) + 1);
        struct notify_cursor cursor = {.data = bytes, .size = size};
        struct notify_message message;
        struct notify_field field;

        for (size_t i = 0; i < size; i++)
            bytes[i] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
        while (notify_next(&cursor, &field)) {
            cr_assert(field.key >= bytes && field.value + field.value_size <= bytes + size);
            cr_assert_gt(field.key_size, 0);
            cr_assert_eq(field.key + field.key_size + 1, field.value);
            cr_assert_null(memchr(field.key, '=', field.key_size));
            cr_assert_null(memchr(field.value, '\n', field.value_size));
        }
        cr_assert_eq(cursor.size, 0);
        if (parse(bytes, size, &message) == 0) {
            cr_assert(message.error >= 0 && message.error <= 4095);
            cr_assert_geq(message.main_pid, 0);
        }
    }
}
