/* SPDX-License-Identifier: MIT */
#include "run/ready_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "sys/descriptors.h"

/* More than a pipe holds, unless somebody goes on writing. */
#define READS_MAX 256

static void close_write(struct ready_pipe *pipe) {
    if (pipe->write_fd >= 0)
        close(pipe->write_fd);
    pipe->write_fd = -1;
}

static void close_read(struct ready_pipe *pipe) {
    if (pipe->read_fd >= 0) {
        loop_remove(pipe->loop, pipe->source);
        close(pipe->read_fd);
    }
    pipe->read_fd = -1;
    pipe->source = 0;
}

/* One read. False when there is nothing more to hear now. */
static bool hear(struct ready_pipe *pipe) {
    char text[512];
    ssize_t size = read(pipe->read_fd, text, sizeof(text));
    bool is_ready = size > 0 && memchr(text, '\n', (size_t)size);

    if (is_ready || size == 0)
        close_read(pipe);
    if (is_ready)
        pipe->fn(pipe->data);
    return size > 0 && !is_ready;
}

static void on_readable(void *data, uint64_t value, int fd, unsigned events) {
    (void)value, (void)fd, (void)events;
    hear(data);
}

/* Both ends above the standard streams; on failure both are closed. */
static int make_pipe(struct ready_pipe *pipe) {
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pipe->read_fd = descriptors_move_up_consume(ends[0]);
    pipe->write_fd = descriptors_move_up_consume(ends[1]);
    r = pipe->read_fd < 0 ? pipe->read_fd : pipe->write_fd;
    if (r < 0)
        return r;
    /* Ours alone: the process writes as it likes. */
    return fcntl(pipe->read_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int ready_pipe_open(struct ready_pipe *ret_pipe, struct loop *loop, ready_fn fn, void *data) {
    struct loop_watch watch = {
        .events = LOOP_IN, .priority = LOOP_PRIORITY_CONTROL, .fn = on_readable, .data = ret_pipe};
    int r;

    *ret_pipe = READY_PIPE_NULL;
    ret_pipe->loop = loop;
    ret_pipe->fn = fn;
    ret_pipe->data = data;
    r = make_pipe(ret_pipe);
    if (r == 0) {
        watch.fd = ret_pipe->read_fd;
        r = loop_add(loop, &watch, &ret_pipe->source);
    }
    if (r < 0) {
        ret_pipe->source = 0;
        ready_pipe_close(ret_pipe);
    }
    return r;
}

void ready_pipe_passed(struct ready_pipe *pipe) {
    close_write(pipe);
}

void ready_pipe_drain(struct ready_pipe *pipe) {
    for (int i = 0; pipe->read_fd >= 0 && i < READS_MAX && hear(pipe); i++)
        ;
}

void ready_pipe_close(struct ready_pipe *pipe) {
    close_write(pipe);
    close_read(pipe);
}
