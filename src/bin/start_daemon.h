/* SPDX-License-Identifier: MIT */
#pragma once

/* Starting a program as a daemon, and telling on standard error why it did not. */

#include "run/daemonize.h"
#include "run/plan.h"

struct start_daemon {
    const char *command; /* whose messages these are */
    struct daemonize_options options;
    struct plan_spec plan; /* the directory, umask and streams are the plan's to set */
};

/* Returns the exit status once the daemon is ready or has failed. */
int start_daemon(const struct start_daemon *start);
