/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Lines of brood's own log on their way through a thread (run/writer.h), for what the loop must not
 * write to: files, and daemons that may be away. Like a pipe it takes so much and no more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "run/writer.h"

struct log_writer;

struct log_writer_events {
    void (*room)(void *data); /* there is, after log_writer_wait() */
    void (*trouble)(void *data, const char *sink, int error);
    void *data;
};

/* Takes the sink over, also where it fails. -ENOMEM, -EAGAIN (no thread), -EMFILE, -ENFILE. */
int log_writer_new_take(struct loop *loop, struct sink *sink,
    const struct log_writer_events *events, struct log_writer **ret_writer);

/*
 * Writes what it has taken as long as `patience` lasts, and ends. -EIO: not all of it could be
 * written; -ETIMEDOUT: nor in time, and some memory is left behind.
 */
int log_writer_free(struct log_writer *writer, nsec_t patience);

/* Like write(2); -EAGAIN where it is full, unless it is to be taken `anyway`. */
ssize_t log_writer_write(struct log_writer *writer, const char *lines, size_t length, bool anyway);

/* Asks for `room`. False: there is some already. */
bool log_writer_wait(struct log_writer *writer);

/* Opens a file anew. */
void log_writer_reopen(struct log_writer *writer);
