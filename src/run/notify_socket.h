/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where processes say sd_notify(3) words to us: one datagram socket for each seat, so that it is
 * the socket that tells whose word it is, also when the sender has ended. The kernel says who the
 * sender is; whether it may speak is for a policy (NotifyAccess=).
 *
 * Two floors: notify_open() and notify_receive() are a socket and one datagram of it, for who waits
 * by other means; struct notify_socket is one that a loop waits for.
 *
 * A descriptor that came with a message is closed when its message has been handled, unless the
 * handler took it: that is also the answer that BARRIER=1 waits for, as messages are handled in
 * the order in which they came.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/notify.h"
#include "loop/loop.h"

/* More than the kernel passes in one message (SCM_MAX_FD). */
#define NOTIFY_FDS_MAX 256

/* Room for the value of $NOTIFY_SOCKET: a path, or an abstract name with an '@' before it. */
#define NOTIFY_ADDRESS_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * Opens a socket that everybody may send to, close-on-exec and non-blocking, above the standard
 * streams. With a `path` (absolute) it lies there, mode 0777; a socket that was left there is
 * replaced. Without one it gets an abstract name that nobody guesses. -ENAMETOOLONG: the path does
 * not fit; -EEXIST: what lies there is no socket.
 */
int notify_open(const char *path, char ret_address[NOTIFY_ADDRESS_SIZE]);

struct notify_packet {
    struct ucred sender; /* pid 0: not visible from here, or not told */
    struct notify_message message;
    size_t n_fds;
    int fds[NOTIFY_FDS_MAX]; /* a handler that takes one puts -1 in its place */
    bool lost_fds;           /* some could not be received (no free number): all are closed */
    char datagram[NOTIFY_SIZE_MAX]; /* what `message` points into */
};

/*
 * Takes one datagram. 1: there was one; 0: there is none; -EBADMSG: there was one that is no
 * message (`message` is empty). In each case the descriptors are to be closed by
 * notify_packet_close().
 */
int notify_receive(int fd, struct notify_packet *packet);

void notify_packet_close(struct notify_packet *packet);

/* Whose words count, as NotifyAccess= has them. */
#define NOTIFY_ACCESSES(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(MAIN, "main") /* the main process */                                                         \
    X(EXEC, "exec") /* … and the command that runs beside it (post, reload) */                   \
    X(ALL, "all")   /* whoever reaches the socket and has the worker's uid, brood's or root's */

enum notify_access {
#define X(name, text) NOTIFY_##name,
    NOTIFY_ACCESSES(X)
#undef X
        NOTIFY_ACCESS_MAX
};

/* "none", "main" … → access; -EINVAL. */
int notify_access_parse(const char *text, enum notify_access *ret_access);
const char *notify_access_name(enum notify_access access);

/* Who is expected to speak now; 0: no such process. */
struct notify_policy {
    enum notify_access access;
    pid_t main;
    pid_t side;
    uid_t uid; /* the worker's; -1: brood's own */
};

bool notify_policy_allows(const struct notify_policy *policy, const struct ucred *sender);

/*
 * A word that counts. The handler may take descriptors out of the packet, and may close the
 * socket.
 */
typedef void (*notify_fn)(void *data, struct notify_packet *packet);

enum notify_refusal {
    NOTIFY_REFUSED_SENDER,  /* the policy is against it */
    NOTIFY_REFUSED_MESSAGE, /* it is no message */
};

/* For a line in the log. May be NULL. */
typedef void (*notify_refused_fn)(
    void *data, const struct ucred *sender, enum notify_refusal refusal);

/* Does not move while it is open. */
struct notify_socket {
    struct notify_policy policy; /* the owner's: to be set before a process is started */
    notify_fn on_message;
    notify_refused_fn on_refused;
    void *data;
    /* Set by the open: */
    char address[NOTIFY_ADDRESS_SIZE]; /* for $NOTIFY_SOCKET */
    int fd;                            /* -1: closed */
    bool *closed;                      /* of the loop that is handling messages now */
    struct loop *loop;
    loop_source_t source;
};

/* Opens as notify_open() does, and watches. The caller has set the first four fields. */
int notify_socket_open(struct notify_socket *socket, struct loop *loop, const char *path);

/*
 * Handles what is there now, without waiting: to be called before the exit of a process is handled,
 * so that its last words come first. Bounded, against a sender that never stops.
 */
void notify_socket_drain(struct notify_socket *socket);

/* Closes, and removes the path. A socket that is closed already, or all zeros but fd = -1, is fine.
 */
void notify_socket_close(struct notify_socket *socket);
