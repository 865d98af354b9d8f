/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: brood's own standard output, as text with its prefix. On a terminal each worker has a
 * colour, unless NO_COLOR is set, and control characters are shown instead of sent.
 */

#include "run/sink.h"

/* -ENOMEM. */
int sink_output_new(struct sink **ret_sink);
