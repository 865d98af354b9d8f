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

Test(notify, reads_the_words_of_the_watchdog)
{
    struct notify_message message = parsed("WATCHDOG=1\nWATCHDOG_USEC=1500000");

    cr_assert(message.alive);
    cr_assert_not(message.watchdog_trigger);
    cr_assert(message.watchdog_set);
    cr_assert_eq(message.watchdog, 1500 * NSEC_PER_MSEC);

    message = parsed("WATCHDOG=trigger");
    cr_assert(message.watchdog_trigger);
    cr_assert_not(message.alive);
    cr_assert_not(message.watchdog_set);

    message = parsed("WATCHDOG_USEC=x\nWATCHDOG_USEC=0\nWATCHDOG_USEC=7");
    cr_assert(message.watchdog_set, "0 turns it off");
    cr_assert_eq(message.watchdog, 0);
    cr_assert_not(parsed("WATCHDOG=2\nWATCHDOG=triggered\nWATCHDOG_USEC=-1").watchdog_set);
}

Test(notify, reads_times)
{
    struct notify_message message =
        parsed("RELOADING=1\nMONOTONIC_USEC=42\nEXTEND_TIMEOUT_USEC=0\nEXTEND_TIMEOUT_USEC=3");

    cr_assert(message.reloading);
    cr_assert_eq(message.said_at, 42 * NSEC_PER_USEC);
    cr_assert_eq(message.extend, 3 * NSEC_PER_USEC);
    cr_assert_eq(parsed("EXTEND_TIMEOUT_USEC=18446744073709551615").extend, NSEC_NEVER);
    cr_assert_eq(parsed("EXTEND_TIMEOUT_USEC=18446744073709552").extend, NSEC_NEVER);
    cr_assert_eq(parsed("EXTEND_TIMEOUT_USEC=18446744073709551").extend,
        UINT64_C(18446744073709551) * NSEC_PER_USEC);
    cr_assert_eq(parsed("EXTEND_TIMEOUT_USEC=18446744073709551616").extend, 0);
}

Test(notify, reads_what_is_said_about_descriptors)
{
    struct notify_message message = parsed("FDSTORE=1\nFDNAME=a:b\nFDNAME=journal\nFDPOLL=0");

    cr_assert(message.fd_store && message.fd_unwatched && !message.fd_remove);
    cr_assert_eq(message.fd_name_size, 7);
    cr_assert_eq(memcmp(message.fd_name, "journal", 7), 0);

    message = parsed("FDSTOREREMOVE=1\nFDPOLL=1\nBARRIER=1");
    cr_assert(message.fd_remove && message.barrier && !message.fd_store && !message.fd_unwatched);
    cr_assert_null(message.fd_name);
}

Test(notify, names_of_descriptors)
{
    char name[NOTIFY_NAME_MAX + 1];

    memset(name, 'n', sizeof(name));
    cr_assert(notify_name_is_valid("", 0));
    cr_assert(notify_name_is_valid("web 1~", 6));
    cr_assert(notify_name_is_valid(name, sizeof(name) - 1));
    cr_assert_not(notify_name_is_valid(name, sizeof(name)));
    cr_assert_not(notify_name_is_valid("a:b", 3));
    cr_assert_not(notify_name_is_valid("a\tb", 3));
    cr_assert_not(notify_name_is_valid("a\x7f", 2));
    cr_assert_not(notify_name_is_valid("\xc3\xa4", 2));
}

static const char *formatted(const struct notify_message *message) {
    static char text[NOTIFY_SIZE_MAX];
    struct buffer buffer = BUFFER(text);

    text[0] = '\0';
    notify_format(message, &buffer);
    cr_assert_not(buffer.cut);
    return text;
}

Test(notify, says_what_is_set_and_nothing_else)
{
    struct notify_message message = {
        .ready = true,
        .status = "two\nlines\x7f and a bell\a",
        .status_size = 22,
        .main_pid = 7,
        .fd_store = true,
        .barrier = true,
    };

    cr_assert_str_eq(formatted(&message), "READY=1\nMAINPID=7\nSTATUS=two?lines? and a bell?\n");
    message = (struct notify_message){.reloading = true, .said_at = 5 * NSEC_PER_USEC};
    cr_assert_str_eq(formatted(&message), "RELOADING=1\nMONOTONIC_USEC=5\n");
    message = (struct notify_message){0};
    cr_assert_str_eq(formatted(&message), "");
}

/* What is said is what is heard. */
Test(notify, property_format_and_parse)
{
    struct random random = {.state = 7};
    static char status[5000];

    memset(status, 's', sizeof(status));
    for (int round = 0; round < 20000; round++) {
        struct notify_message said =
                                  {
                                      .ready = random_below(&random, 2),
                                      .stopping = random_below(&random, 2),
                                      .reloading = random_below(&random, 2),
                                      .alive = random_below(&random, 2),
                                      .watchdog_trigger = random_below(&random, 2),
                                      .watchdog_set = random_below(&random, 2),
                                      .extend = random_below(&random, 3) * NSEC_PER_SEC,
                                      .said_at = random_below(&random, 3) * NSEC_PER_USEC,
                                      .main_pid = (pid_t)random_below(&random, 4194305),
                                      .error = (int)random_below(&random, 4096),
                                      .status = random_below(&random, 2) ? status : NULL,
                                      .status_size =
                                          (size_t)random_below(&random, sizeof(status) + 1),
                                  },
                              heard;
        const char *text;

        if (said.watchdog_set)
            said.watchdog = random_below(&random, 3) * NSEC_PER_SEC;
        if (!said.status)
            said.status_size = 0;
        text = formatted(&said);
        cr_assert_eq(parse(text, strlen(text), &heard), 0);
        cr_assert_eq(heard.status != NULL, said.status != NULL);
        cr_assert_leq(heard.status_size, said.status_size);
        heard.status = said.status;
        heard.status_size = said.status_size;
        cr_assert_eq(memcmp(&heard, &said, offsetof(struct notify_message, status)), 0, "%s", text);
        cr_assert_eq(heard.main_pid, said.main_pid);
        cr_assert_eq(heard.error, said.error);
    }
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
    static const char alphabet[] = "=\n10READYSTATUSERRNOFDNAME_SWCH\0 x";
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
