/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A version of a pool: all that its processes are made of at one time. The plan of the main
 * command, those of the commands round it, and how the process says that it serves. Counted,
 * because a worker keeps the version that it was started with until it is started anew by hand or
 * by a roll, while the pool may have a newer one already.
 */

#include <stdint.h>

#include "core/worker.h"
#include "run/notify_socket.h"
#include "run/plan.h"

struct capture_pool;

/* When a main process counts as serving. */
enum readiness {
    READY_EXEC,       /* it has become its program */
    READY_NOTIFY,     /* it has said READY=1 */
    READY_DESCRIPTOR, /* it has written a newline to a descriptor of its own (as s6 has it) */
};

struct version_commands {
    struct plan **plans;
    uint32_t count;
    uint64_t tolerated; /* bit per command: a failure of it is ignored */
};

struct version {
    uint32_t references;
    struct plan *main;
    struct version_commands commands[ROLE_RELOAD + 1]; /* by role; of ROLE_MAIN there are none */
    enum readiness ready;
    int ready_descriptor;
    enum notify_access notify_access;
    uint32_t fdstore_max;
    struct capture_pool *capture; /* where its output goes; NULL: that is for the plans to say */
};

/* A version of this main command alone, with one reference. -ENOMEM: the plan is freed. */
int version_new_take(struct plan *main, struct version **ret_version);

/* Adds the next command of a role. -ENOMEM, -E2BIG (64 are there): the plan is freed. */
int version_add_take(
    struct version *version, enum step_role role, struct plan *plan, bool tolerated);

struct version *version_ref(struct version *version);

/* Gives one reference back; the last one frees. Accepts NULL; returns NULL. */
struct version *version_unref(struct version *version);

/* The plan of a step, or NULL where this version has no such command. */
struct plan *version_plan(const struct version *version, enum step_role role, uint32_t step);
