/* SPDX-License-Identifier: MIT */
#include "run/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"

void outlet_init(struct outlet *outlet, int fd) {
    struct stat status;
    char path[32];

    *outlet = (struct outlet){.fd = fd, .own_fd = -1};
    if (fstat(fd, &status) < 0)
        return;
    if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) {
        outlet->kind = OUTLET_FILE;
        return;
    }
    if (S_ISSOCK(status.st_mode)) {
        outlet->kind = OUTLET_SOCKET;
        return;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    outlet->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (outlet->own_fd >= 0)
        outlet->fd = outlet->own_fd;
    else
        outlet->kind = OUTLET_POLLED;
}

void outlet_finish(struct outlet *outlet) {
    if (outlet->own_fd >= 0)
        close(outlet->own_fd);
    outlet->own_fd = -1;
}

static ssize_t write_some(const struct outlet *outlet, const char *bytes, size_t length) {
    struct pollfd room = {.fd = outlet->fd, .events = POLLOUT};

    switch (outlet->kind) {
    case OUTLET_SOCKET:
        return send(outlet->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUTLET_POLLED:
        if (poll(&room, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        return write(outlet->fd, bytes, MIN(length, (size_t)PIPE_BUF));
    case OUTLET_PLAIN:
    case OUTLET_FILE:
        break;
    }
    return write(outlet->fd, bytes, length);
}

ssize_t outlet_write(const struct outlet *outlet, const char *bytes, size_t length) {
    ssize_t n;

    do
        n = write_some(outlet, bytes, length);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}
