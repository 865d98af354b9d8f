/* SPDX-License-Identifier: MIT */
#include "run/datagram.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a slow reader is waited for before the thread looks up. */
#define PATIENCE_MS 500

/* A whole line with its tags shall fit. */
#define SEND_BUFFER (512 << 10)

int datagram_init(struct datagram *datagram, const char *path) {
    *datagram = (struct datagram){.address = {.sun_family = AF_UNIX}, .fd = -1};
    if (strlen(path) >= sizeof(datagram->address.sun_path))
        return -ENAMETOOLONG;
    strcpy(datagram->address.sun_path, path);
    return 0;
}

void datagram_finish(struct datagram *datagram) {
    if (datagram->fd >= 0)
        close(datagram->fd);
    datagram->fd = -1;
}

static int connect_to(struct datagram *datagram) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = SEND_BUFFER;
    const struct sockaddr *address = (const struct sockaddr *)&datagram->address;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (connect(fd, address, sizeof(datagram->address)) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    datagram->fd = fd;
    return 0;
}

static void attach(struct msghdr *message, int fd) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

static int send_once(
    struct datagram *datagram, const struct iovec *parts, size_t n_parts, int attached) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts};
    struct pollfd room = {.events = POLLOUT};

    if (datagram->fd < 0) {
        int r = connect_to(datagram);

        if (r < 0)
            return r;
    }
    if (attached >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        attach(&message, attached);
    }
    room.fd = datagram->fd;
    while (sendmsg(datagram->fd, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR && (errno != EAGAIN || poll(&room, 1, PATIENCE_MS) <= 0))
            return -errno;
    return 0;
}

static bool is_away(int r) {
    return r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;
}

/* A daemon that was started anew has another socket under the same name. */
int datagram_send(struct datagram *datagram, const struct iovec *parts, size_t n_parts, int fd) {
    bool was_connected = datagram->fd >= 0;
    int r = send_once(datagram, parts, n_parts, fd);

    if (!is_away(r))
        return r;
    datagram_finish(datagram);
    return was_connected ? send_once(datagram, parts, n_parts, fd) : r;
}
