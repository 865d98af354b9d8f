/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What brood itself says to its own supervisor (systemd, or another brood) through $NOTIFY_SOCKET.
 * It never blocks: what the other side does not take at once is kept, the newest of each kind, and
 * sent when there is room again.
 */

#include <stdbool.h>

#include "core/notify.h"
#include "loop/loop.h"
#include "sys/address.h"

/* Does not move while it is in use. */
struct notify_sender {
    struct loop *loop;
    loop_source_t source;
    int fd; /* -1: nobody listens to us */
    struct address address;
    struct notify_message pending; /* what has not been taken yet */
    bool is_pending;
    char status[256]; /* what pending.status points to */
};

/*
 * `address` is the value of $NOTIFY_SOCKET: a path or an abstract name with an '@' before it; NULL:
 * nobody asked, and all that is said is for nobody. -EINVAL, -EAFNOSUPPORT (vsock), -ENAMETOOLONG,
 * -ECONNREFUSED, -ENOENT: the sender is as with NULL. The caller takes the variable out of the
 * environment: it is not for workers.
 */
int notify_sender_init(struct notify_sender *sender, struct loop *loop, const char *address);

/*
 * Sends the last words if there is room for them, and closes. A sender with fd = -1 is fine.
 */
void notify_sender_finish(struct notify_sender *sender);

/*
 * Says what is set in the message: ready, stopping, reloading (with the time), alive, status,
 * main_pid, extend, error. Texts are copied.
 */
void notify_sender_say(struct notify_sender *sender, const struct notify_message *message);

/* Words for people: STATUS=. */
void notify_sender_say_status(struct notify_sender *sender, const char *format, ...)
    printf_like(2, 3);
