/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/random.h"
#include "core/frame.h"

/* All pieces so far, each with its mark: "ab:cd+ef$". */
struct heard {
    struct frame frame;
    char carry[FRAME_LIMIT_MIN];
    size_t length;
    char text[8192];
};

static struct heard *listen_to(uint32_t limit) {
    struct heard *heard = calloc(1, sizeof(*heard));

    heard->frame = (struct frame){.limit = limit, .carry = heard->carry};
    return heard;
}

static void hear(struct heard *heard, const struct frame_piece *piece) {
    cr_assert_leq(piece->length, heard->frame.limit);
    memcpy(heard->text + heard->length, piece->text, piece->length);
    heard->length += piece->length;
    heard->text[heard->length++] = frame_end_mark(piece->end);
    heard->text[heard->length] = '\0';
}

static void feed(struct heard *heard, const char *bytes, size_t length) {
    struct frame_input input = {bytes, length};
    struct frame_piece piece;

    while (frame_next(&heard->frame, &input, &piece))
        hear(heard, &piece);
    frame_keep(&heard->frame, &input);
    cr_assert_eq(input.length, 0);
}

static void finish(struct heard *heard, enum frame_end end) {
    struct frame_piece piece;

    if (frame_finish(&heard->frame, end, &piece))
        hear(heard, &piece);
    cr_assert_not(frame_finish(&heard->frame, end, &piece));
}

static void feed_text(struct heard *heard, const char *text) {
    feed(heard, text, strlen(text));
}

Test(frame, cuts_lines)
{
    struct heard *heard = listen_to(8);

    feed_text(heard, "one\ntwo\n\nthr");
    cr_assert_str_eq(heard->text, "one:two::");
    feed_text(heard, "ee\nfour");
    cr_assert_str_eq(heard->text, "one:two::three:");
    finish(heard, FRAME_BARE);
    cr_assert_str_eq(heard->text, "one:two::three:four$");
    free(heard);
}

Test(frame, continues_what_is_too_long)
{
    struct heard *heard = listen_to(4);

    feed_text(heard, "1234\n12345\n12341234\n123412341\n");
    cr_assert_str_eq(heard->text, "1234:1234+5:1234+1234:1234+1234+1:");
    free(heard);
}

/* A line that fills the limit to the last byte waits for what decides about it. */
Test(frame, waits_for_the_end_of_a_full_line)
{
    struct heard *heard = listen_to(4);

    feed_text(heard, "1234");
    cr_assert_str_eq(heard->text, "");
    feed_text(heard, "\n1234");
    cr_assert_str_eq(heard->text, "1234:");
    feed_text(heard, "5");
    cr_assert_str_eq(heard->text, "1234:1234+");
    finish(heard, FRAME_BARE);
    cr_assert_str_eq(heard->text, "1234:1234+5$");
    free(heard);
}

Test(frame, says_which_piece_begins_a_line)
{
    struct frame frame = {.limit = 2};
    struct frame_input input = {"abcde\nf\n", 8};
    static const bool begins[] = {true, false, false, true};
    struct frame_piece piece;

    for (size_t i = 0; i < ELEMENTS(begins); i++) {
        cr_assert(frame_next(&frame, &input, &piece));
        cr_assert_eq(piece.begins, begins[i], "%zu", i);
    }
}

Test(frame, cuts_no_character_apart)
{
    struct heard *heard = listen_to(4);

    feed_text(heard, "abc\xe2\x82\xac"
                     "d\n");
    cr_assert_str_eq(heard->text, "abc+\xe2\x82\xac"
                                  "d:");
    heard->length = 0;
    feed_text(heard, "ab\xe2\x82");
    feed_text(heard, "\xac"
                     "d\n");
    cr_assert_str_eq(heard->text, "ab+\xe2\x82\xac"
                                  "d:");
    heard->length = 0;
    feed_text(heard, "\x80\x80\x80\x80\x80\n");
    cr_assert_str_eq(heard->text, "\x80\x80\x80\x80+\x80:");
    free(heard);
}

Test(frame, marks_holes_and_passes_over_the_rest_of_a_line)
{
    struct heard *heard = listen_to(8);

    feed_text(heard, "begun");
    finish(heard, FRAME_CUT);
    frame_skip_line(&heard->frame);
    feed_text(heard, "rest");
    feed_text(heard, " of it\nnext\n");
    cr_assert_str_eq(heard->text, "begun~next:");

    /* A hole that ends with a line needs no skipping. */
    heard->length = 0;
    feed_text(heard, "123456789");
    finish(heard, FRAME_CUT);
    feed_text(heard, "a\n");
    cr_assert_str_eq(heard->text, "12345678+9~a:");
    free(heard);
}

/* However the bytes are cut on their way here, what comes out of them is the same. */
Test(frame, does_not_depend_on_how_bytes_arrive)
{
    struct random random = {17};

    for (int i = 0; i < 3000; i++) {
        uint32_t limit = 4 + (uint32_t)random_below(&random, 30);
        struct heard *whole = listen_to(limit), *parts = listen_to(limit);
        char bytes[400], joined[400];
        size_t n = random_below(&random, sizeof(bytes)), at = 0, n_joined = 0;

        for (size_t k = 0; k < n; k++)
            bytes[k] = "\nabc\xe2\x82\xac+"[random_below(&random, 8)];
        feed(whole, bytes, n);
        finish(whole, FRAME_BARE);
        while (at < n) {
            size_t step = 1 + random_below(&random, MIN(n - at, (size_t)40));

            feed(parts, bytes + at, step);
            at += step;
        }
        finish(parts, FRAME_BARE);
        cr_assert_eq(whole->length, parts->length);
        cr_assert_eq(memcmp(whole->text, parts->text, whole->length), 0);

        struct frame frame = {.limit = limit};
        struct frame_input input = {bytes, n};
        struct frame_piece piece;
        while (frame_next(&frame, &input, &piece)) {
            memcpy(joined + n_joined, piece.text, piece.length);
            n_joined += piece.length;
            if (piece.end == FRAME_WHOLE)
                joined[n_joined++] = '\n';
        }
        cr_assert_eq(n_joined + input.length, n);
        cr_assert_eq(memcmp(joined, bytes, n_joined), 0);
        free(whole);
        free(parts);
    }
}

static const struct frame_tag tag = {
    .pool = "web", .worker = 3, .generation = 2, .pid = 10419, .stream = FRAME_ERR};

static const char *rendered(
    enum frame_format format, const struct frame_tag *of, struct frame_piece piece) {
    static char out[512];
    char prefix_text[FRAME_PREFIX_MAX];
    struct buffer prefix = BUFFER(prefix_text), buffer = BUFFER(out);

    frame_add_prefix(&prefix, format, UINT64_C(951782400123456789), of);
    frame_add_piece(&buffer, format, &prefix, &piece);
    cr_assert_leq(buffer.length, frame_piece_room(format, prefix.length, &piece));
    return out;
}

Test(frame, renders_text)
{
    struct frame_tag orphan = tag;

    orphan.orphan = true;
    orphan.stream = FRAME_OUT;
    cr_assert_str_eq(rendered(FRAME_TEXT, &tag, (struct frame_piece){"a b", 3, FRAME_WHOLE, true}),
        "2000-02-29T00:00:00.123456Z web/3 [10419 #2] err: a b\n");
    cr_assert_str_eq(rendered(FRAME_TEXT, &orphan, (struct frame_piece){"", 0, FRAME_BARE, true}),
        "2000-02-29T00:00:00.123456Z web/3 [10419 #2 orphan] out$ \n");
}

Test(frame, renders_json)
{
    cr_assert_str_eq(
        rendered(FRAME_JSON, &tag, (struct frame_piece){"a\"\x01\xff", 4, FRAME_WHOLE, true}),
        "{\"time\":\"2000-02-29T00:00:00.123456Z\",\"pool\":\"web\",\"worker\":3,\"pid\":10419,"
        "\"generation\":2,\"stream\":\"err\",\"text\":\"a\\\"\\u0001\\ufffd\"}\n");
    cr_assert(strstr(rendered(FRAME_JSON, &tag, (struct frame_piece){"x", 1, FRAME_CUT, true}),
        "\"stream\":\"err\",\"end\":\"cut\",\"text\":\"x\"}\n"));
}

Test(frame, renders_raw_as_it_was_but_for_notes)
{
    static const char *const expected[] = {"x\n", "x", "x", "x\n", "! x\n", "x"};

    for (int end = 0; end < FRAME_END_MAX; end++)
        cr_assert_str_eq(
            rendered(FRAME_RAW, &tag, (struct frame_piece){"x", 1, end, true}), expected[end]);
}

Test(frame, fits_the_widest_text_into_the_room_asked_for)
{
    static const char bytes[8] = "\x01\x02\xff\x7f\x80";

    for (int end = 0; end < FRAME_END_MAX; end++)
        for (int format = 0; format < FRAME_FORMAT_MAX; format++)
            rendered(format, &tag, (struct frame_piece){bytes, 8, end, true});
}

Test(frame, knows_its_formats)
{
    enum frame_format format = FRAME_RAW;

    cr_assert_eq(frame_format_parse("json", &format), 0);
    cr_assert_eq(format, FRAME_JSON);
    cr_assert_eq(frame_format_parse("xml", &format), -EINVAL);
    cr_assert_str_eq(frame_format_name(FRAME_RAW), "raw");
}
