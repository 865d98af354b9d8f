/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Brood's own log, a writer of lines that never blocks: what is not taken at once waits in a
 * bounded buffer until there is room; what does not fit in the buffer is dropped whole lines at a
 * time, and counted, and said when there is room again.
 *
 * A pipe, a terminal or a socket as standard error is written from the loop. What may block (a
 * file, also as standard error) or be away (syslog, the journal) has a thread.
 */

#include <stddef.h>

#include "loop/loop.h"
#include "run/log_settings.h"

struct log;

struct log_events {
    /* Writes the line that confesses how many were lost; returns its length. */
    size_t (*lost)(void *data, uint64_t lines, char *line, size_t size);

    /* Nothing can be written there, lines wait (errno), or it can again (0). */
    void (*trouble)(void *data, const char *where, int error);

    void *data;
};

/*
 * Opens nothing that may block: that is for the thread. The path of a file is absolute. -ENOMEM,
 * -ENAMETOOLONG, -EAGAIN (no thread), -EMFILE, -ENFILE.
 */
int log_new(struct loop *loop, const struct log_target *target, const struct log_events *events,
    struct log **ret_log);

/*
 * Writes what can be written: from the loop without waiting, by a thread as long as `patience`
 * lasts. Drops the rest: -EIO; -ETIMEDOUT: and some memory is left behind. Accepts NULL.
 */
int log_free(struct log *log, nsec_t patience);

/* Takes one or more whole lines. They leave with log_flush(). */
void log_write(struct log *log, const char *lines, size_t length);

/* Writes what can be written now. To be called at the end of a turn. */
void log_flush(struct log *log);

/* Opens a file anew: somebody may have moved it away. */
void log_reopen(struct log *log);
