/* SPDX-License-Identifier: MIT */
#pragma once

/* Runs a supervisor in a cage: we are its subreaper, so whatever it leaves behind becomes our child
 * and is killed by fixture_finish(). SIGINT, SIGTERM and SIGHUP are blocked and come through
 * `signal_fd`, so that no wait can miss them; the supervisor starts with an empty mask, in a
 * session of its own, and dies if we die. */

#include <sys/types.h>

struct fixture {
    pid_t pid;     /* the supervisor */
    int pidfd;     /* readable: it has ended */
    int signal_fd; /* readable: somebody wants us to end */
};

/* Starts `argv` with stdin from /dev/null, and stdout and stderr appended to the file `log` (or
 * inherited where it is NULL). Negative errno on failure. */
int fixture_init(struct fixture *fixture, char *const argv[], const char *log);

/* Kills and reaps everything below us. Negative where something is left after the deadline. */
int fixture_finish(struct fixture *fixture);
