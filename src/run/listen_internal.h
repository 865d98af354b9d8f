/* SPDX-License-Identifier: MIT */
#pragma once

/* Between listen.c, which opens one socket, and listen_set.c, which keeps many. */

#include "run/listen.h"

/* The directive that failed, where it was not the socket as such. */
struct reason {
    const char *what;
};

/*
 * Gives a socket that is kept over a reload the options that can change: all but BindIPv6Only= and
 * FreeBind=.
 */
int listen_change(int fd, const struct listen_spec *spec, struct reason *reason);

void listen_explain(const struct listen_spec *spec, int error, const struct reason *reason,
    char text[LISTEN_TEXT_SIZE]);
