/* SPDX-License-Identifier: MIT */
#include "run/log_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

/* As much as a pipe. */
#define FULL ((size_t)64 << 10)

struct log_writer {
    struct writer *writer;
    struct tap tap;
    struct log_writer_events events;
};

static void on_told(void *data, struct tap *tap, bool has_ended) {
    const struct log_writer *writer = data;

    (void)tap, (void)has_ended;
    writer->events.room(writer->events.data);
}

static void on_trouble(void *data, const char *sink, int error) {
    const struct log_writer *writer = data;

    writer->events.trouble(writer->events.data, sink, error);
}

int log_writer_new_take(struct loop *loop, struct sink *sink,
    const struct log_writer_events *events, struct log_writer **ret_writer) {
    struct log_writer *writer = calloc(1, sizeof(*writer));
    struct writer_events told = {.told = on_told, .trouble = on_trouble, .data = writer};
    int r = writer ? writer_new(loop, &told, &writer->writer) : -ENOMEM;

    if (r < 0) {
        sink->ops->close(sink);
        free(writer);
        return r;
    }
    writer->events = *events;
    writer->tap =
        (struct tap){.sink = sink, .tag.pool = "", .frame.limit = FRAME_LIMIT, .room_at = SIZE_MAX};
    writer_add_sink_take(writer->writer, sink);
    *ret_writer = writer;
    return 0;
}

int log_writer_free(struct log_writer *writer, nsec_t patience) {
    nsec_t deadline = nsec_add(loop_clock(), patience);

    writer_stop(writer->writer, deadline);
    int r = writer_free(writer->writer, deadline);
    if (r == -ETIMEDOUT)
        return r; /* the thread may still use all of it */
    tap_finish(&writer->tap);
    free(writer);
    return r;
}

ssize_t log_writer_write(struct log_writer *writer, const char *lines, size_t length, bool anyway) {
    if (!anyway && writer_queued(writer->writer, &writer->tap) >= FULL)
        return -EAGAIN;
    length = MIN(length, FULL);
    struct chunk *chunk = chunk_new(CHUNK_BYTES, &writer->tap, length);
    if (!chunk)
        return -ENOMEM;
    memcpy(chunk->bytes, lines, length);
    writer_put_take(writer->writer, chunk);
    writer_wake(writer->writer);
    return (ssize_t)length;
}

bool log_writer_wait(struct log_writer *writer) {
    return writer_ask_for_room(writer->writer, &writer->tap, FULL / 2);
}

void log_writer_reopen(struct log_writer *writer) {
    writer_reopen(writer->writer);
}
