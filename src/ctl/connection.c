/* SPDX-License-Identifier: MIT */
#include "ctl/connection.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/clock.h"
#include "ctl/explain.h"

static nsec_t patience_of(const struct ctl_call *call) {
    return call->patience > 0 ? call->patience : CONNECTION_ANSWER;
}

/* A blocking connect() with an end: that of a full backlog is the time to send. */
static int connect_to(const struct ctl_call *call, const struct endpoint *address, int *ret_fd) {
    nsec_t wait = patience_of(call);
    struct timeval patience = {
        .tv_sec = (time_t)(wait / NSEC_PER_SEC),
        .tv_usec = (suseconds_t)(wait % NSEC_PER_SEC / NSEC_PER_USEC),
    };
    struct sockaddr_un name;
    socklen_t length = endpoint_fill(address, &name);
    int r, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    do
        r = connect(fd, (const struct sockaddr *)&name, length) < 0 ? -errno : 0;
    while (r == -EINTR);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static bool is_absent(int error) {
    return error == -ENOENT || error == -ECONNREFUSED || error == -ENOTDIR;
}

/* "alice", or "user 1000"; of the socket, or of the first directory above it that can be seen. */
static void owner_of(const char *path, char name[64]) {
    char copy[sizeof(((struct endpoint *)NULL)->path)];
    struct stat seen;

    snprintf(copy, sizeof(copy), "%s", path);
    while (stat(copy, &seen) < 0) {
        char *slash = strrchr(copy, '/');

        if (!slash || slash == copy) {
            snprintf(name, 64, "somebody else");
            return;
        }
        *slash = '\0';
    }
    const struct passwd *user = getpwuid(seen.st_uid);
    if (user)
        snprintf(name, 64, "%s", user->pw_name);
    else
        snprintf(name, 64, "user %u", (unsigned)seen.st_uid);
}

static int tell_absent(const struct ctl_call *call, const char *path, bool tried_system) {
    if (call->may_be_absent)
        return CTL_ABSENT;
    ctl_say(call,
        "nothing listens on %s%s: no supervisor runs there; start one with 'brood up', or name its "
        "socket with --socket",
        path, tried_system ? " or " ENDPOINT_SYSTEM : "");
    return CTL_ABSENT;
}

static int tell_refused(const struct ctl_call *call, const char *path, int error) {
    char owner[64];

    if (error == -EACCES || error == -EPERM) {
        owner_of(path, owner);
        ctl_say(call, "%s: permission denied: the supervisor is %s's", path, owner);
        return CTL_DENIED;
    }
    if (error == -EAGAIN) {
        ctl_say(call, "%s: the supervisor does not take connections; is it stopped?", path);
        return CTL_TIMED_OUT;
    }
    ctl_say(call, "%s: cannot connect: %s", path, strerror(-error));
    return CTL_INTERNAL;
}

static pid_t peer_of(int fd) {
    struct ucred peer;
    socklen_t length = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? peer.pid : 0;
}

int connection_open(const struct ctl_call *call, struct connection *ret_connection) {
    struct endpoint address;
    int fd = -1, named = endpoint_choose(call->socket, &address);

    if (named < 0) {
        ctl_say(call,
            "the path of the control socket is too long: a socket's has at most %zu bytes",
            sizeof(address.path) - 1);
        return CTL_USAGE;
    }
    const struct endpoint first = address;
    int r = connect_to(call, &address, &fd);
    bool again = is_absent(r) && named == 0 && strcmp(address.path, ENDPOINT_SYSTEM) != 0;
    if (again) {
        strcpy(address.path, ENDPOINT_SYSTEM);
        r = connect_to(call, &address, &fd);
    }
    if (is_absent(r))
        return tell_absent(call, first.path, again);
    if (r < 0)
        return tell_refused(call, address.path, r);
    *ret_connection = (struct connection){
        .call = call,
        .address = address,
        .fd = fd,
        .peer = peer_of(fd),
        .deadline = NSEC_NEVER,
        .frames = FRAMES_INIT(VARLINK_REPLY_MAX),
    };
    return CTL_OK;
}

void connection_finish(struct connection *connection) {
    frames_finish(&connection->frames);
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

static int tell_broken(const struct connection *connection, const char *what) {
    ctl_say(connection->call, "%s: %s", connection->address.path, what);
    return CTL_INTERNAL;
}

static int tell_silent(const struct connection *connection) {
    char who[48] = "";

    if (connection->peer > 0)
        snprintf(who, sizeof(who), " (process %d)", (int)connection->peer);
    ctl_say(connection->call,
        "timed out: the supervisor%s has not answered; what was asked for may go on", who);
    return CTL_TIMED_OUT;
}

int connection_send_take(struct connection *connection, const char *method, json_t *parameters,
    unsigned flags, nsec_t wait) {
    struct queue queue = {0};
    ssize_t n = 0;

    connection->deadline = nsec_add(clock_now(), wait);
    varlink_write_call_take(&queue, method, parameters, flags);
    if (queue.failed)
        ctl_must(NULL);
    while (queue.length > 0 && (n >= 0 || errno == EINTR)) {
        n = send(connection->fd, queue_bytes(&queue), queue.length, MSG_NOSIGNAL);
        queue_drop(&queue, n > 0 ? (size_t)n : 0);
    }
    queue_finish(&queue);
    /* A peer that is gone may have said why before; the reply will tell. */
    if (n < 0 && errno == EAGAIN)
        return tell_silent(connection);
    return CTL_OK;
}

static int wait_readable(int fd, nsec_t deadline) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int n;

    do {
        nsec_t left = nsec_sub(deadline, clock_now());
        nsec_t milliseconds = MIN(left / NSEC_PER_MSEC + 1, (nsec_t)INT32_MAX);

        n = poll(&readable, 1, deadline == NSEC_NEVER ? -1 : left == 0 ? 0 : (int)milliseconds);
        if (n == 0 && clock_now() >= deadline)
            return -ETIMEDOUT;
    } while (n == 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : 0;
}

/* 1 with a reply, 0 without one; negative as frames_next() and varlink_read_reply() have it. */
static int next_reply(struct connection *connection, struct varlink_reply *ret_reply) {
    const char *text;
    size_t length;
    int r = frames_next(&connection->frames, &text, &length);

    if (r <= 0)
        return r;
    r = varlink_read_reply(text, length, ret_reply);
    return r < 0 ? r : 1;
}

static int tell_failure(const struct connection *connection, int r) {
    switch (r) {
    case -ETIMEDOUT:
        return tell_silent(connection);
    case -EBADMSG:
    case -EMSGSIZE:
        return tell_broken(connection, "what answers there is no supervisor: it is not Varlink");
    case -ENOMEM:
        ctl_must(NULL);
        break;
    case 0:
    case -ECONNRESET:
    case -EPIPE:
        ctl_say(connection->call,
            "%s: the supervisor has closed the connection: it has ended, or ends now",
            connection->address.path);
        return CTL_ABSENT;
    default:
        break;
    }
    return tell_broken(connection, strerror(-r));
}

int connection_receive(struct connection *connection, struct varlink_reply *ret_reply) {
    int r;

    *ret_reply = (struct varlink_reply){0};
    while ((r = next_reply(connection, ret_reply)) == 0) {
        r = wait_readable(connection->fd, connection->deadline);
        if (r == 0)
            r = frames_read(&connection->frames, connection->fd);
        if (r <= 0)
            break;
    }
    if (r <= 0)
        return tell_failure(connection, r);
    return ret_reply->error ? explain_error(connection->call, ret_reply) : CTL_OK;
}

int connection_poll(struct connection *connection, struct varlink_reply *ret_reply) {
    *ret_reply = (struct varlink_reply){0};
    int r = next_reply(connection, ret_reply);

    if (r != 0 || wait_readable(connection->fd, 0) == -ETIMEDOUT)
        return r;
    r = frames_read(&connection->frames, connection->fd);
    if (r <= 0)
        return r == 0 ? -ECONNRESET : r;
    return next_reply(connection, ret_reply);
}

int connection_ask_take(struct connection *connection, const char *method, json_t *parameters,
    struct varlink_reply *ret_reply) {
    int status =
        connection_send_take(connection, method, parameters, 0, patience_of(connection->call));

    *ret_reply = (struct varlink_reply){0};
    return status == CTL_OK ? connection_receive(connection, ret_reply) : status;
}
