/* SPDX-License-Identifier: MIT */
#pragma once

/* What `brood run` and `brood up` have in common: the options about brood itself, and detaching. */

#include "bin/help.h"
#include "up/settings.h"
#include "up/supervisor.h"

struct supervisor_choices {
    enum help_format help;
    enum loop_backend backend;
    struct log_choice log;
    bool quiet;
    bool terminal; /* standard error is one that is to be coloured */
    bool daemon;
    const char *pidfile;
    nsec_t start_timeout;
};

/* The defaults: the terminal decides on colour, $BROOD_LOOP on the loop. -EINVAL after a message.
 */
int supervisor_choices_init(const char *command, struct supervisor_choices *choices);

struct option_table supervisor_choices_table(struct supervisor_choices *choices);

/* False after a message: options that mean nothing together. */
bool supervisor_choices_are_sane(const char *command, const struct supervisor_choices *choices);

/*
 * Detaches if that was asked for, and supervises. What the command line leaves open about the log
 * is as `configured`. Returns the exit status, in the daemon and in
 * the process that was started.
 */
int supervisor_run(const struct supervisor_choices *choices, const struct log_choice *configured,
    struct supervisor_options options, const struct supervised *supervised);

/*
 * What is done to this process before the first plan is made. `wants_null_input`: some workers are
 * to have /dev/null as their standard input.
 */
struct surroundings surroundings_prepare(bool wants_null_input);
