/* SPDX-License-Identifier: MIT */
#pragma once

/* Starting a daemon again as it was: what /proc shows of it, noted before it ends. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/nsec.h"

/* Exit statuses of `brood pidfile`, next to the common ones. */
enum pidfile_status {
    PIDFILE_STATUS_RUNNING = 0,
    PIDFILE_STATUS_NOT_RUNNING = 1,
    PIDFILE_STATUS_UNKNOWN = 4,
};

struct restart;

/* True when the process is `brood run`: it has workers to restart, and a better way to. */
bool pidfile_restart_is_supervisor(pid_t pid);

/*
 * Both return an exit status, after a line on standard error where it is not 0. Noting also tries,
 * with the rights of the process, what a new start needs: it is to fail while the old one runs.
 */
int pidfile_restart_note(pid_t pid, struct restart **ret_restart);
int pidfile_restart_start(const struct restart *restart, const char *pidfile, nsec_t timeout);

/* Accepts NULL. */
void pidfile_restart_free(struct restart *restart);
