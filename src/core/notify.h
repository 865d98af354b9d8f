/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a process says about itself in one sd_notify(3) datagram: lines of KEY=VALUE.
 *
 * Pure: bytes in, fields out; nothing is copied, so all texts point into the caller's datagram and
 * are not terminated. The sender is not trusted: a datagram with a NUL in it is refused as a whole
 * (one at the very end is allowed), lines that are not assignments and keys that nobody here knows
 * are passed over, and so is a value that makes no sense for its key. Of a key said twice, the
 * first valid value counts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/nsec.h"

/* A longer datagram is not a message: what a receiver's buffer has to hold. */
#define NOTIFY_SIZE_MAX 4096

/* The part of a datagram that has not been read yet. */
struct notify_cursor {
    const char *data;
    size_t size;
};

struct notify_field {
    const char *key; /* at least one byte, none of them '=' or newline */
    size_t key_size;
    const char *value; /* may be empty; no newline in it */
    size_t value_size;
};

/* Cuts the next assignment off. False at the end. */
bool notify_next(struct notify_cursor *cursor, struct notify_field *ret_field);

/* What systemd's FDNAME= allows; also for FileDescriptorName=. */
#define NOTIFY_NAME_MAX 255

/* A name for $LISTEN_FDNAMES: at most NOTIFY_NAME_MAX printable ASCII bytes, none of them ':'. */
bool notify_name_is_valid(const char *name, size_t size);

struct notify_message {
    bool ready;            /* READY=1 */
    bool stopping;         /* STOPPING=1 */
    bool reloading;        /* RELOADING=1 */
    bool alive;            /* WATCHDOG=1 */
    bool watchdog_trigger; /* WATCHDOG=trigger: as if its time were up */
    bool watchdog_set;     /* WATCHDOG_USEC= was said */
    bool barrier;          /* BARRIER=1: wants to know when all before it has been handled */
    bool fd_store;         /* FDSTORE=1: keep the attached descriptors */
    bool fd_remove;        /* FDSTOREREMOVE=1: close those kept under `fd_name` */
    bool fd_unwatched;     /* FDPOLL=0: keep them also when they hang up */
    nsec_t watchdog;       /* WATCHDOG_USEC=: the new interval; 0 turns it off */
    nsec_t extend;         /* EXTEND_TIMEOUT_USEC=: from now; 0 when not said */
    nsec_t said_at;        /* MONOTONIC_USEC=, 0 when not said */
    const char *status;    /* STATUS=, for people; NULL when not said */
    size_t status_size;
    const char *fd_name; /* FDNAME=, valid; NULL when not said */
    size_t fd_name_size;
    int error;      /* ERRNO=, 0 when not said */
    pid_t main_pid; /* MAINPID=, 0 when not said. Not believed: see who may say it */
};

/* -EBADMSG: a NUL in the middle; -EMSGSIZE: longer than NOTIFY_SIZE_MAX. */
int notify_parse(const char *datagram, size_t size, struct notify_message *ret_message);

/*
 * The other way: a datagram that says what is set in `message`. Control characters of a status are
 * said as '?', and what does not fit is cut. Fields about descriptors need the descriptors and are
 * left out.
 */
void notify_format(const struct notify_message *message, struct buffer *datagram);
