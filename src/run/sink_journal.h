/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: the journal, in its native protocol, one datagram a line with fields of its own
 * (BROOD_POOL=, BROOD_WORKER=, BROOD_GENERATION=, BROOD_STREAM=). What does not fit into a datagram
 * goes in a sealed memfd. A journal that is away or slow is waited for, like a disk.
 */

#include "run/sink.h"

#define SINK_JOURNAL_PATH "/run/systemd/journal/socket"

/* -ENOMEM, -ENAMETOOLONG. */
int sink_journal_new(const char *path, struct sink **ret_sink);
