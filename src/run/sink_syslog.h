/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: syslog, as RFC 5424 over the local datagram socket. Worker, generation and stream are
 * structured data. A daemon that is away or slow is waited for, like a disk.
 */

#include "run/sink.h"

#define SINK_SYSLOG_PATH "/dev/log"

/* Of structured data. The number is that for examples (RFC 5612): brood has none of its own. */
#define SYSLOG_STRUCTURED_ID "brood@32473"

#define SYSLOG_HOST_MAX 255 /* of RFC 5424 */

/* PRINTUSASCII, without what would end a word or a value: others become "_". */
void syslog_add_word(struct buffer *buffer, const char *text, size_t max);

/* The name of this machine, or "-". */
void syslog_read_host(char host[SYSLOG_HOST_MAX + 1]);

/* -ENOMEM, -ENAMETOOLONG. */
int sink_syslog_new(const char *path, struct sink **ret_sink);
