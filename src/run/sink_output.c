/* SPDX-License-Identifier: MIT */
#include "run/sink_output.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/outlet.h"
#include "run/writer.h"

/* Pieces and their prefix; a larger piece is written on its own. */
#define OUT_SIZE (64 << 10)

/* How long a slow reader is waited for before the thread looks up. */
#define PATIENCE_MS 500

struct output {
    struct sink sink;
    struct outlet outlet;
    enum frame_format format;
    bool is_terminal, is_coloured, is_gone;
    uint32_t worker;
    struct buffer prefix, out;
    char prefix_memory[FRAME_PREFIX_MAX];
};

static struct output *output_of(struct sink *sink) {
    return container_of(sink, struct output, sink);
}

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    struct output *output = output_of(sink);

    output->prefix = BUFFER(output->prefix_memory);
    output->worker = tag->worker;
    frame_add_prefix(&output->prefix, output->format, wall, tag);
}

/* Who has gone may never come back, and workers shall not wait for that: what they write is lost.
 */
static void tell_gone(struct output *output, bool gone) {
    if (output->is_gone == gone)
        return;
    output->is_gone = gone;
    writer_tell(&output->sink, gone ? EPIPE : 0);
}

static int flush(struct sink *sink) {
    struct output *output = output_of(sink);
    struct buffer *out = &output->out;
    struct pollfd room = {.fd = output->outlet.fd, .events = POLLOUT};

    while (out->length > 0) {
        ssize_t n = outlet_write(&output->outlet, out->data, out->length);

        if (n == -EAGAIN && poll(&room, 1, PATIENCE_MS) > 0)
            continue;
        tell_gone(output, n == -EPIPE);
        if (n == -EPIPE)
            n = (ssize_t)out->length;
        if (n < 0)
            return (int)n;
        out->length -= (size_t)n;
        memmove(out->data, out->data + n, out->length + 1);
    }
    return 0;
}

static int grow(struct buffer *out, size_t size) {
    char *grown = realloc(out->data, size);

    if (!grown)
        return -ENOMEM;
    out->data = grown;
    out->size = size;
    return 0;
}

static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct output *output = output_of(sink);
    size_t needed = frame_terminal_room(output->prefix.length, piece);

    if (output->out.size - output->out.length <= needed) {
        int r = flush(sink);

        if (r >= 0)
            r = grow(&output->out, MAX((size_t)OUT_SIZE, needed + 1));
        if (r < 0)
            return r;
    }
    if (output->is_terminal)
        frame_add_terminal_piece(
            &output->out, &output->prefix, output->worker, output->is_coloured, piece);
    else
        frame_add_piece(&output->out, output->format, &output->prefix, piece);
    return 0;
}

static void close_output(struct sink *sink) {
    struct output *output = output_of(sink);

    flush(sink);
    outlet_finish(&output->outlet);
    free(output->out.data);
    free(output);
}

static const struct sink_ops output_ops = {
    .begin = begin,
    .piece = take_piece,
    .flush = flush,
    .close = close_output,
};

int sink_output_new(int fd, const char *name, enum frame_format format, struct sink **ret_sink) {
    struct output *output = calloc(1, sizeof(*output));

    if (!output)
        return -ENOMEM;
    output->sink.ops = &output_ops;
    output->sink.name = name;
    output->format = format;
    outlet_init(&output->outlet, fd);
    output->is_terminal = isatty(fd);
    output->is_coloured = output->is_terminal && !getenv("NO_COLOR");
    *ret_sink = &output->sink;
    return 0;
}
