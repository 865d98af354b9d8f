/* SPDX-License-Identifier: MIT */
#pragma once

/* For tests: sends to a socket under the name that $NOTIFY_SOCKET would have. */

#include <criterion/criterion.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/address.h"

/* A socket that sends there. */
static inline int words_connect(const char *address) {
    struct address to;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || address_parse(address, &to, NULL) < 0 || connect(fd, &to.any, to.size) < 0)
        abort();
    return fd;
}

/* One datagram with descriptors. */
static inline void words_send_fds(
    const char *address, const char *words, size_t size, const int *fds, size_t n_fds) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))];
    struct iovec body = {.iov_base = (char *)(uintptr_t)words, .iov_len = size};
    struct msghdr header = {.msg_iov = &body, .msg_iovlen = 1};
    int fd = words_connect(address);

    if (n_fds > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        memset(control, 0, sizeof(control));
        *CMSG_FIRSTHDR(&header) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS,
            .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, n_fds * sizeof(int));
    }
    if (sendmsg(fd, &header, MSG_NOSIGNAL) != (ssize_t)size)
        abort();
    close(fd);
}

static inline void words_send(const char *address, const char *words) {
    words_send_fds(address, words, strlen(words), NULL, 0);
}
