/* SPDX-License-Identifier: MIT */

/*
 * The pipes of streams. Some are made ahead, when nobody waits for anything: what a restart needs
 * is then there, in the set of what is read from, too.
 *
 * A stream that has its pipe and nothing else is a spare. It belongs to no pool.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/capture_internal.h"
#include "sys/descriptors.h"

/* Where there are none to be had, it goes without. */
static void reserve_low(struct capture *capture) {
    for (; capture->n_low < CAPTURE_LOW_MAX; capture->n_low++) {
        int fd = fcntl(capture->null_fd, F_DUPFD_CLOEXEC, DESCRIPTORS_FIRST_FREE);

        if (fd < 0)
            return;
        capture->low[capture->n_low].fd = fd;
    }
}

/* Puts a descriptor under a low number, if one is free, and says which place it is. */
static int take_low(struct capture *capture, int *fd) {
    for (size_t i = 0; i < capture->n_low; i++) {
        if (capture->low[i].is_used || dup3(*fd, capture->low[i].fd, O_CLOEXEC) < 0)
            continue;
        close(*fd);
        *fd = capture->low[i].fd;
        capture->low[i].is_used = true;
        return (int)i;
    }
    return -1;
}

static void close_child_end(struct capture *capture, struct stream *stream) {
    if (stream->write_fd >= 0 && stream->low >= 0) {
        dup3(capture->null_fd, capture->low[stream->low].fd, O_CLOEXEC);
        capture->low[stream->low].is_used = false;
    } else if (stream->write_fd >= 0)
        close(stream->write_fd);
    stream->write_fd = stream->low = -1;
}

void stream_close_child_end(struct stream *stream) {
    close_child_end(stream->pool->capture, stream);
}

/* Only our end does not block: the worker's is a plain pipe. */
static int open_pipe(struct capture *capture, struct stream *stream) {
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    stream->fd = fds[0];
    stream->write_fd = fds[1];
    stream->low = take_low(capture, &stream->write_fd);
    if (fcntl(stream->fd, F_SETFL, O_RDONLY | O_NONBLOCK) < 0)
        return -errno;
    return gather_add(&capture->gather, stream);
}

static void discard(struct capture *capture, struct stream *stream) {
    if (stream->fd >= 0)
        close(stream->fd);
    close_child_end(capture, stream);
    free(stream);
}

static int make(struct capture *capture, struct stream **ret_stream) {
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return -ENOMEM;
    stream->fd = stream->write_fd = stream->low = -1;
    int r = open_pipe(capture, stream);
    if (r < 0) {
        discard(capture, stream);
        return r;
    }
    *ret_stream = stream;
    return 0;
}

int capture_spare_take(struct capture *capture, struct stream **ret_stream) {
    if (capture->n_spares == 0)
        return make(capture, ret_stream);
    *ret_stream = capture->spares[--capture->n_spares];
    return 0;
}

void capture_spares_refill(struct capture *capture) {
    while (capture->n_spares < CAPTURE_SPARES_MAX &&
           make(capture, &capture->spares[capture->n_spares]) == 0)
        capture->n_spares++;
}

void capture_pipes_init(struct capture *capture) {
    reserve_low(capture);
}

void capture_pipes_finish(struct capture *capture) {
    while (capture->n_spares > 0)
        discard(capture, capture->spares[--capture->n_spares]);
    for (size_t i = 0; i < capture->n_low; i++)
        close(capture->low[i].fd);
}
