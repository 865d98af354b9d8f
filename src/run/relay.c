/* SPDX-License-Identifier: MIT */
#include "run/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void relay_finish(struct relay *relay) {
    if (relay->in >= 0)
        close(relay->in);
    if (relay->out >= 0)
        close(relay->out);
    *relay = RELAY_NULL;
}

static int open_relay(struct relay *relay) {
    int fds[2];

    if (relay->in >= 0)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *relay = (struct relay){.in = fds[1], .out = fds[0]};
    return 0;
}

ssize_t relay_take(struct relay *relay, int pipe, size_t most) {
    int r = open_relay(relay);

    if (r < 0)
        return r;
    ssize_t n = splice(pipe, NULL, relay->in, NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return n;
}

int relay_give(struct relay *relay, int file, off_t *offset, size_t *left) {
    while (*left > 0) {
        ssize_t n = splice(relay->out, NULL, file, offset, *left, SPLICE_F_MOVE);

        if (n > 0)
            *left -= (size_t)n;
        else if (n == 0 || errno != EINTR)
            return n == 0 ? -EIO : -errno;
    }
    return 0;
}
