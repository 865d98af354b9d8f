/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: each line is a datagram that was put together before it came here (run/record.h), for
 * syslog or the journal. What separates its fields on the way here, since a newline ends the whole,
 * becomes a newline. A daemon that is away or slow is waited for, like a disk.
 */

#include "run/sink.h"

/* ASCII's unit separator: no text has one, since control characters are shown escaped. */
#define RECORD_SEPARATOR '\x1f'

/* `end` ends each datagram. `name` and `end` are literals. -ENOMEM, -ENAMETOOLONG. */
int sink_record_new(const char *name, const char *path, const char *end, struct sink **ret_sink);
