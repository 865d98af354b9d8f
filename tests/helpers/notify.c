/* SPDX-License-Identifier: MIT */

/* What a service says to the one who started it: sd_notify's datagrams, with descriptors and
 * without. */

#include "names.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t notify_address(struct sockaddr_un *address) {
    const char *path = getenv("NOTIFY_SOCKET");

    if (!path)
        fail("NOTIFY_SOCKET is not set");
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(address->sun_path);
    if (address->sun_path[0] == '@')
        address->sun_path[0] = '\0';
    return length;
}

/* One datagram, with `count` copies of the descriptor `passed`. */
static void send_with(const char *message, int passed, size_t count) {
    struct sockaddr_un address;
    char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec text = {.iov_base = (void *)message, .iov_len = strlen(message)};
    struct msghdr header = {.msg_name = &address,
        .msg_namelen = notify_address(&address),
        .msg_iov = &text,
        .msg_iovlen = 1};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket: %s", strerror(errno));
    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(part) + i * sizeof(int), &passed, sizeof(int));
    }
    if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
        fail("notify: %s", strerror(errno));
    close(fd);
}

void notify_send(char *message) {
    send_with(message, -1, 0);
}

void notify_send_descriptors(char *text) {
    char *message = split(text);

    send_with(message, STDIN_FILENO, (size_t)number(text));
}

void notify_store(char *name) {
    char *content = split(name);
    char message[256];
    int fd = memfd_create("stored", MFD_CLOEXEC);

    if (fd < 0 || write(fd, content, strlen(content)) < 0)
        fail("memfd: %s", strerror(errno));
    snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
    send_with(message, fd, 1);
    close(fd);
}

void notify_barrier(char *unused) {
    int ends[2];

    (void)unused;
    if (pipe(ends) < 0)
        fail("pipe: %s", strerror(errno));
    send_with("BARRIER=1", ends[1], 1);
    close(ends[1]);
    struct pollfd wait = {.fd = ends[0]};
    while (poll(&wait, 1, -1) < 0)
        if (errno != EINTR)
            fail("poll: %s", strerror(errno));
    close(ends[0]);
}
