/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A descriptor that is somebody else's, written to without blocking. Its O_NONBLOCK flag is not
 * ours to set (standard error is shared with every worker): pipes and terminals are opened anew
 * through /proc/self/fd, sockets are written with MSG_DONTWAIT, and regular files as they are.
 * Where a pipe cannot be opened anew, only as much is written as poll(2) says will not block.
 */

#include <stddef.h>
#include <sys/types.h>

enum outlet_kind {
    OUTLET_PLAIN,  /* a description of our own that does not block */
    OUTLET_FILE,   /* a regular file or a disk: blocks for as long as it likes */
    OUTLET_SOCKET, /* MSG_DONTWAIT */
    OUTLET_POLLED, /* a pipe or terminal that blocks: ask first, write little */
};

struct outlet {
    int fd;
    int own_fd; /* opened anew; -1 */
    enum outlet_kind kind;
};

/* `fd` stays the caller's. */
void outlet_init(struct outlet *outlet, int fd);
void outlet_finish(struct outlet *outlet);

/* Like write(2); -EAGAIN where it would block. */
ssize_t outlet_write(const struct outlet *outlet, const char *bytes, size_t length);
