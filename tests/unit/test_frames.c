/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "wire/frames.h"

static void add(struct frames *frames, const char *bytes, size_t length) {
    cr_assert_eq(frames_add(frames, bytes, length), 0);
}

static void expect(struct frames *frames, const char *text) {
    const char *found;
    size_t length;

    cr_assert_eq(frames_next(frames, &found, &length), 1);
    cr_assert_str_eq(found, text);
    cr_assert_eq(length, strlen(text));
}

static void expect_error(struct frames *frames, int error) {
    const char *found;
    size_t length;

    cr_assert_eq(frames_next(frames, &found, &length), error);
}

Test(queue, keeps_the_order_and_gives_its_memory_back)
{
    struct queue queue = {};

    for (int i = 0; i < 2000; i++) {
        queue_add_text(&queue, "0123456789");
        cr_assert_eq(memcmp(queue_bytes(&queue), &"0123456789"[i % 10], 10 - (size_t)(i % 10)), 0);
        queue_drop(&queue, 1);
    }
    cr_assert_eq(queue.length, 18000);
    queue_drop(&queue, queue.length);
    cr_assert_null(queue.data);
    cr_assert_eq(queue.capacity, 0);
    cr_assert_not(queue.failed);
}

static void write_many(struct buffer *buffer, const void *data) {
    for (int i = 0; i < *(const int *)data; i++)
        buffer_add_text(buffer, "word ");
}

Test(queue, makes_as_much_room_as_a_writer_needs)
{
    struct queue queue = {};
    int words = 10000;

    queue_add_text(&queue, "first ");
    queue_write(&queue, write_many, &words);
    cr_assert_eq(queue.length, 50006);
    cr_assert_eq(memcmp(queue_bytes(&queue), "first word word ", 16), 0);
    queue_finish(&queue);
}

Test(queue, says_that_memory_has_run_out)
{
    struct queue queue = {};

    cr_assert_null(queue_room(&queue, SIZE_MAX / 2));
    cr_assert(queue.failed);
    queue_finish(&queue);
}

Test(frames, cuts_a_stream_however_it_comes)
{
    static const char stream[] = "one\0two\0\0three";
    static const char *const texts[] = {"one", "two", "", "three"};

    for (size_t step = 1; step <= sizeof(stream); step++) {
        struct frames frames = FRAMES_INIT(16);
        size_t n_texts = 0;

        for (size_t at = 0; at < sizeof(stream); at += step) {
            const char *text;
            size_t length;

            add(&frames, stream + at, MIN(step, sizeof(stream) - at));
            while (frames_next(&frames, &text, &length) == 1)
                cr_assert_str_eq(text, texts[n_texts++]);
        }
        cr_assert_eq(n_texts, 4);
        cr_assert_eq(frames_waiting(&frames), 0);
        cr_assert_null(frames.queue.data);
        frames_finish(&frames);
    }
}

Test(frames, refuses_what_is_longer_than_the_bound)
{
    struct frames frames = FRAMES_INIT(4);

    add(&frames, "1234\0", 5);
    expect(&frames, "1234");
    add(&frames, "12345\0", 6);
    expect_error(&frames, -EMSGSIZE);
    frames_finish(&frames);

    add(&frames, "1234", 4);
    expect_error(&frames, 0);
    add(&frames, "5", 1);
    expect_error(&frames, -EMSGSIZE);
    frames_finish(&frames);
}

Test(frames, counts_what_waits)
{
    struct frames frames = FRAMES_INIT(16);

    add(&frames, "ab\0cd", 5);
    cr_assert_eq(frames_waiting(&frames), 5);
    expect(&frames, "ab");
    cr_assert_eq(frames_waiting(&frames), 2);
    add(&frames, "\0", 1);
    expect(&frames, "cd");
    cr_assert_eq(frames_waiting(&frames), 0);
    expect_error(&frames, 0);
}

Test(frames, reads_a_socket_to_its_end)
{
    struct frames frames = FRAMES_INIT(16);
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(frames_read(&frames, pair[0]), -EAGAIN);
    cr_assert_null(frames.queue.data, "nothing came, and memory is held");
    cr_assert_eq(write(pair[1], "one\0tw", 6), 6);
    cr_assert_eq(frames_read(&frames, pair[0]), 6);
    expect(&frames, "one");
    expect_error(&frames, 0);
    cr_assert_eq(write(pair[1], "o", 2), 2);
    close(pair[1]);
    cr_assert_eq(frames_read(&frames, pair[0]), 2);
    expect(&frames, "two");
    cr_assert_eq(frames_read(&frames, pair[0]), 0);
    close(pair[0]);
    cr_assert_eq(frames_read(&frames, pair[0]), -EBADF);
    frames_finish(&frames);
}
