/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: a descriptor that is somebody else's, as standard output is. On a terminal each worker
 * has a colour, unless NO_COLOR is set, and control characters are shown instead of sent.
 */

#include "run/sink.h"

/* `fd` stays the caller's; `name` is a literal. -ENOMEM. */
int sink_output_new(int fd, const char *name, enum frame_format format, struct sink **ret_sink);
