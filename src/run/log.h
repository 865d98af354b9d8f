/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A line writer that never blocks: what the reader does not take at once waits in a bounded buffer
 * until the loop says that there is room; what does not fit in the buffer is dropped whole lines at
 * a time, and counted, and said when there is room again.
 */

#include <stddef.h>

#include "loop/loop.h"

struct log;

/* Writes the line that confesses how many were lost; returns its length. */
typedef size_t (*log_lost_fn)(void *data, uint64_t lines, char *line, size_t size);

/* `fd` stays the caller's. -ENOMEM. */
int log_new(struct loop *loop, int fd, log_lost_fn lost, void *data, struct log **ret_log);

/* Writes what can be written without waiting, drops the rest. Accepts NULL; returns NULL. */
struct log *log_free(struct log *log);

/* Takes one or more whole lines. They leave with log_flush(). */
void log_write(struct log *log, const char *lines, size_t length);

/* Writes what can be written now. To be called at the end of a turn. */
void log_flush(struct log *log);
