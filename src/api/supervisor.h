/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the embeddable supervisor. */

#include <sys/types.h>

#include "api/internal.h"

enum command_kind {
    COMMAND_START,
    COMMAND_STOP,
    COMMAND_KILL,
    COMMAND_RESTART,
    COMMAND_ROLL,
    COMMAND_SIGNAL,
};

struct command {
    enum command_kind kind;
    unsigned pool;
    int signal;
};

struct brood_supervisor {
    struct engine *engine;
    pid_t owner;
    brood_event_fn on_event;
    void *data;
    unsigned
        telling; /* how deep we are in the callback: the engine is in the middle of something */
    struct command *waiting; /* commands that came from the callback */
    size_t n_waiting;
    struct loop_timer later; /* runs them; and makes the descriptor readable after a command */
    char **names;            /* of the pools */
    char error[512];
};

/* supervisor_pool.c: options → plan and rules. Fills supervisor->error on failure. */
int supervisor_pool_settings(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, struct pool_settings *ret_settings);

/* supervisor_commands.c: does what waits, once the engine is at rest. */
void supervisor_run_waiting(void *supervisor, uint64_t value, nsec_t now);
