/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: syslog, as RFC 5424 over the local datagram socket. Worker, generation and stream are
 * structured data. A daemon that is away or slow is waited for, like a disk.
 */

#include "run/sink.h"

#define SINK_SYSLOG_PATH "/dev/log"

/* -ENOMEM, -ENAMETOOLONG. */
int sink_syslog_new(const char *path, struct sink **ret_sink);
