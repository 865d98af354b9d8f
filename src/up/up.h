/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * `brood up`: a service under a supervisor, with a control socket, and a word to whoever has
 * started us (systemd, or another brood) when all is up.
 */

#include "up/service.h"

struct up;

struct up_options {
    struct service_options service;
    const char *socket;  /* of control; absolute */
    const char *version; /* of brood, for those who ask */
    const char *notify;  /* $NOTIFY_SOCKET as we were given it, or NULL */
};

/* Takes over a configuration that has been read. What `options` points to outlives it. -ENOMEM. */
int up_new_take(const struct up_options *options, struct conf *conf, struct up **ret_up);

/* Accepts NULL; returns NULL. */
struct up *up_free(struct up *up);

/* For supervise(). */
struct supervised up_supervised(struct up *up);
