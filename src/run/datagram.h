/* SPDX-License-Identifier: MIT */
#pragma once

/* A unix datagram socket to a daemon that may be away, slow, or started anew. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include <sys/un.h>

struct datagram {
    struct sockaddr_un address;
    int fd; /* -1: not connected */
};

/* -ENAMETOOLONG. */
int datagram_init(struct datagram *datagram, const char *path);
void datagram_finish(struct datagram *datagram);

/*
 * Sends one message, with a descriptor unless `fd` is negative; connects first where that has to be
 * done. Waits a little for a slow reader, then -EAGAIN. Others than what is too large: the daemon
 * is away.
 */
int datagram_send(struct datagram *datagram, const struct iovec *parts, size_t n_parts, int fd);

/* For the daemon's socket, or for the memory that there is. */
static inline bool datagram_is_too_large(int error) {
    return error == -EMSGSIZE || error == -ENOBUFS;
}
