/* SPDX-License-Identifier: MIT */

/* The thread that writes, with a sink that takes its time. */

#include <criterion/criterion.h>

#include <poll.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/writer.h"

TestSuite(writer, .timeout = 60);

struct slow {
    struct sink sink;
    int entered, leave; /* pipes: it is being closed, and may go on */
};

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    (void)sink, (void)wall, (void)tag;
}

static int piece(struct sink *sink, const struct frame_piece *unused) {
    (void)sink, (void)unused;
    return 0;
}

static int flush(struct sink *sink) {
    (void)sink;
    return 0;
}

static void close_slowly(struct sink *sink) {
    const struct slow *slow = container_of(sink, struct slow, sink);
    char byte = 0;

    cr_assert_eq(write(slow->entered, &byte, 1), 1);
    cr_assert_eq(read(slow->leave, &byte, 1), 1);
}

static const struct sink_ops ops = {
    .begin = begin, .piece = piece, .flush = flush, .close = close_slowly};

static void on_told(void *data, struct tap *tap, bool has_ended) {
    (void)data, (void)tap, (void)has_ended;
}

static void on_trouble(void *data, const char *sink, int error) {
    (void)data, (void)sink, (void)error;
}

/* A disk may take for ever to close a file: neither other streams nor the end wait for it. */
Test(writer, holds_nobody_up_while_it_closes_a_sink)
{
    struct writer_events events = {.told = on_told, .trouble = on_trouble};
    int entered[2], leave[2];
    struct writer *writer;
    struct tap tap = {0};
    struct loop *loop;
    char byte = 0;

    cr_assert_eq(pipe(entered) + pipe(leave), 0);
    struct slow slow = {.sink = {.ops = &ops, .name = "slow"}, entered[1], leave[0]};
    cr_assert_eq(loop_new(LOOP_AUTO, &loop), 0);
    cr_assert_eq(writer_new(loop, &events, &writer), 0);
    writer_add_sink_take(writer, &slow.sink);
    writer_remove_sink(writer, &slow.sink);
    cr_assert_eq(read(entered[0], &byte, 1), 1);
    cr_assert_eq(writer_queued(writer, &tap), 0);
    cr_assert_eq(write(leave[1], &byte, 1), 1);
    writer_stop(writer, NSEC_NEVER);
    cr_assert_eq(writer_free(writer, NSEC_NEVER), 0);
    loop_free(loop);
}
