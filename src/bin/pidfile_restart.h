/* SPDX-License-Identifier: MIT */
#pragma once

/* Starting a daemon again as it was: what /proc shows of it, noted before it ends. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/nsec.h"

struct restart;

/* True when the process is `brood run`: it has workers to restart, and a better way to. */
bool pidfile_restart_is_supervisor(pid_t pid);

/* Both return an exit status, after a line on standard error where it is not 0. */
int pidfile_restart_note(pid_t pid, struct restart **ret_restart);
int pidfile_restart_start(struct restart *restart, const char *pidfile, nsec_t timeout);

/* Accepts NULL. */
void pidfile_restart_free(struct restart *restart);
