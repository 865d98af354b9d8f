/* SPDX-License-Identifier: MIT */
#pragma once

/* The options that say how a process is started: the same for `brood run` and `brood daemonize`. */

#include "bin/options.h"
#include "conf/readers.h"
#include "run/plan.h"

struct process_options {
    const char *directory;
    struct given_mode umask;
    struct stdio_spec stdio[3];
    struct word_list set_environment, unset_environment, environment_files;
    bool clear_environment;
    bool new_session;
    const char *user, *group, *groups;
    const char *bounding_capabilities, *ambient_capabilities;
    bool no_new_privileges;
    struct limit_spec limits[RLIM_NLIMITS];
    struct given_integer nice, oom_score;
    struct given_cpus cpus;
    int parent_death_signal;
    bool literal;
};

/* The table, aimed at `options`. */
struct option_table process_options_table(struct process_options *options);

/* What they mean for a plan. The result refers to `options`, pool and argv. */
struct plan_spec process_options_plan(const struct process_options *options, const char *pool,
    uint32_t n_workers, const char *const *argv);

void process_options_finish(struct process_options *options);
