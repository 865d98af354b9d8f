/* SPDX-License-Identifier: MIT */
#include "run/sink_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "run/datagram.h"

struct recorder {
    struct sink sink;
    struct datagram socket;
    const char *end;
};

static struct recorder *recorder_of(struct sink *sink) {
    return container_of(sink, struct recorder, sink);
}

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    (void)sink, (void)wall, (void)tag; /* all is in the line */
}

/* What no daemon takes at that length is cut. */
static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct recorder *recorder = recorder_of(sink);
    size_t length = MIN(piece->length, (size_t)FRAME_LIMIT);
    char text[FRAME_LIMIT];
    int r;

    memcpy(text, piece->text, length);
    for (size_t i = 0; i < length; i++)
        text[i] = text[i] == RECORD_SEPARATOR ? '\n' : text[i];
    do {
        struct iovec parts[] = {
            {.iov_base = text, .iov_len = length},
            {.iov_base = (char *)recorder->end, .iov_len = strlen(recorder->end)},
        };

        r = datagram_send(&recorder->socket, parts, ELEMENTS(parts), -1);
        length /= 2;
    } while (datagram_is_too_large(r) && length > 0);
    return r;
}

static int flush(struct sink *sink) {
    (void)sink; /* each line has been sent */
    return 0;
}

static void close_recorder(struct sink *sink) {
    struct recorder *recorder = recorder_of(sink);

    datagram_finish(&recorder->socket);
    free(recorder);
}

static const struct sink_ops recorder_ops = {
    .begin = begin,
    .piece = take_piece,
    .flush = flush,
    .close = close_recorder,
};

int sink_record_new(const char *name, const char *path, const char *end, struct sink **ret_sink) {
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    int r;

    if (!recorder)
        return -ENOMEM;
    r = datagram_init(&recorder->socket, path);
    if (r < 0) {
        free(recorder);
        return r;
    }
    recorder->sink.ops = &recorder_ops;
    recorder->sink.name = name;
    recorder->end = end;
    *ret_sink = &recorder->sink;
    return 0;
}
