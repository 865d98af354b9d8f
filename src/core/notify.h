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

struct notify_message {
    bool ready;         /* READY=1 */
    bool stopping;      /* STOPPING=1 */
    const char *status; /* STATUS=, for people; NULL when not said */
    size_t status_size;
    int error;      /* ERRNO=, 0 when not said */
    pid_t main_pid; /* MAINPID=, 0 when not said */
};

/* -EBADMSG: a NUL in the middle; -EMSGSIZE: longer than NOTIFY_SIZE_MAX. */
int notify_parse(const char *datagram, size_t size, struct notify_message *ret_message);
