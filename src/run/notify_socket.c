/* SPDX-License-Identifier: MIT */
#include "run/notify_socket.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/descriptors.h"
#include "sys/socket.h"

/* Datagrams a turn: others wait, too. */
#define TURN_MAX 32

/* More than any queue of a socket is long (net.unix.max_dgram_qlen) where somebody is at work. */
#define DRAIN_MAX 1024

static const char *const access_names[] = {
#define X(name, text) [NOTIFY_##name] = text,
    NOTIFY_ACCESSES(X)
#undef X
};

int notify_access_parse(const char *text, enum notify_access *ret_access) {
    for (size_t i = 0; i < ELEMENTS(access_names); i++)
        if (strcmp(access_names[i], text) == 0) {
            *ret_access = (enum notify_access)i;
            return 0;
        }
    return -EINVAL;
}

const char *notify_access_name(enum notify_access access) {
    return access < NOTIFY_ACCESS_MAX ? access_names[access] : "unknown";
}

bool notify_policy_allows(const struct notify_policy *policy, const struct ucred *sender) {
    uid_t uid = policy->uid == (uid_t)-1 ? geteuid() : policy->uid;

    switch (policy->access) {
    case NOTIFY_MAIN:
        return sender->pid > 0 && sender->pid == policy->main;
    case NOTIFY_EXEC:
        return sender->pid > 0 && (sender->pid == policy->main || sender->pid == policy->side);
    case NOTIFY_ALL:
        return sender->uid == uid || sender->uid == 0 || sender->uid == geteuid();
    case NOTIFY_NONE:
    case NOTIFY_ACCESS_MAX:
        break;
    }
    return false;
}

/* An abstract name that nobody guesses, so none can sit there before us. */
static int choose_name(char ret_name[NOTIFY_ADDRESS_SIZE]) {
    uint64_t secret[2];

    if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
        return -EIO;
    snprintf(ret_name, NOTIFY_ADDRESS_SIZE, "@brood/notify/%016jx%016jx", (uintmax_t)secret[0],
        (uintmax_t)secret[1]);
    return 0;
}

/* Binds, and lets everybody in: who may speak is told by the credentials. */
static int put_in_place(int fd, const struct address *address) {
    const char *path = address_path(address);
    const int on = 1;
    int r;

    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        return -errno;
    r = socket_bind(fd, address);
    if (r < 0 || !path)
        return r;
    if (chmod(path, 0777) < 0) {
        r = -errno;
        unlink(path);
    }
    return r;
}

int notify_open(const char *path, char ret_address[NOTIFY_ADDRESS_SIZE]) {
    char name[NOTIFY_ADDRESS_SIZE];
    struct address address;
    int fd, r;

    r = path ? 0 : choose_name(name);
    if (r == 0)
        r = address_parse(path ? path : name, &address, NULL);
    if (r < 0)
        return r;
    fd = descriptors_move_up_consume(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0)
        return fd;
    r = put_in_place(fd, &address);
    if (r < 0) {
        close(fd);
        return r;
    }
    snprintf(ret_address, NOTIFY_ADDRESS_SIZE, "%s", path ? path : name);
    return fd;
}

static void take_fds(struct notify_packet *packet, struct cmsghdr *control) {
    size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < n; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
        if (packet->n_fds < NOTIFY_FDS_MAX)
            packet->fds[packet->n_fds++] = fd;
        else
            close(fd);
    }
}

static void take_attachments(struct notify_packet *packet, struct msghdr *header) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&packet->sender, CMSG_DATA(c), sizeof(packet->sender));
        if (c->cmsg_type == SCM_RIGHTS)
            take_fds(packet, c);
    }
    packet->lost_fds = header->msg_flags & MSG_CTRUNC;
    if (packet->lost_fds)
        notify_packet_close(packet);
}

/* A failed receive takes nothing but for these; EAGAIN and the rest mean that there is none. */
static ssize_t receive(int fd, struct msghdr *header) {
    ssize_t size;

    do
        size = recvmsg(fd, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    return size;
}

int notify_receive(int fd, struct notify_packet *packet) {
    _Alignas(struct cmsghdr) char
        control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
    struct iovec body = {.iov_base = packet->datagram, .iov_len = sizeof(packet->datagram)};
    struct msghdr header = {.msg_iov = &body,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control)};
    ssize_t size = receive(fd, &header);

    packet->n_fds = 0;
    packet->sender = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    packet->message = (struct notify_message){0};
    if (size < 0)
        return 0;
    take_attachments(packet, &header);
    if ((header.msg_flags & MSG_TRUNC) ||
        notify_parse(packet->datagram, (size_t)size, &packet->message) < 0)
        return -EBADMSG;
    return 1;
}

void notify_packet_close(struct notify_packet *packet) {
    for (size_t i = 0; i < packet->n_fds; i++)
        if (packet->fds[i] >= 0)
            close(packet->fds[i]);
    packet->n_fds = 0;
}

static void refuse(
    struct notify_socket *socket, const struct ucred *sender, enum notify_refusal refusal) {
    if (socket->on_refused)
        socket->on_refused(socket->data, sender, refusal);
}

/* One datagram. False when there was none. */
static bool handle_one(struct notify_socket *socket) {
    struct notify_packet packet;
    int r = notify_receive(socket->fd, &packet);

    if (r == 0)
        return false;
    if (!notify_policy_allows(&socket->policy, &packet.sender)) {
        /* systemd-notify speaks for its parent and asks for a barrier itself: nothing is lost. */
        if (!packet.message.barrier)
            refuse(socket, &packet.sender, NOTIFY_REFUSED_SENDER);
    } else if (r < 0)
        refuse(socket, &packet.sender, NOTIFY_REFUSED_MESSAGE);
    else
        socket->on_message(socket->data, &packet);
    notify_packet_close(&packet);
    return true;
}

static void handle(struct notify_socket *socket, int max) {
    bool closed = false;
    bool *outer = socket->closed;

    if (socket->fd < 0)
        return;
    socket->closed = &closed;
    while (max-- > 0 && handle_one(socket) && !closed)
        ;
    if (!closed)
        socket->closed = outer;
    else if (outer)
        *outer = true;
}

static void on_readable(void *data, uint64_t value, int fd, unsigned events) {
    (void)value, (void)fd, (void)events;
    handle(data, TURN_MAX);
}

int notify_socket_open(struct notify_socket *socket, struct loop *loop, const char *path) {
    struct loop_watch watch = {
        .events = LOOP_IN, .priority = LOOP_PRIORITY_CONTROL, .fn = on_readable, .data = socket};
    int r;

    socket->loop = loop;
    socket->closed = NULL;
    socket->fd = notify_open(path, socket->address);
    if (socket->fd < 0) {
        r = socket->fd;
        socket->fd = -1;
        return r;
    }
    watch.fd = socket->fd;
    r = loop_add(loop, &watch, &socket->source);
    if (r < 0) {
        socket->source = 0;
        notify_socket_close(socket);
    }
    return r;
}

void notify_socket_drain(struct notify_socket *socket) {
    handle(socket, DRAIN_MAX);
}

void notify_socket_close(struct notify_socket *socket) {
    if (socket->fd < 0)
        return;
    loop_remove(socket->loop, socket->source);
    close(socket->fd);
    socket->fd = -1;
    if (socket->address[0] == '/')
        unlink(socket->address);
    if (socket->closed)
        *socket->closed = true;
}
