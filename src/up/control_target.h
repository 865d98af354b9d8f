/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a call waits for: a pool, or one worker of it, and what is to become of it. It is looked at
 * only when something of the pool was reported, after the turn in which it was. A worker that has
 * failed once has failed; those that are well have to be so all at once.
 */

#include "up/control_internal.h"

enum wait_kind {
    WAIT_NOTHING, /* it is well as it is */
    WAIT_UP,      /* each worker ready or done; else failed, or about to be tried again */
    WAIT_NEW,     /* the same with a new generation */
    WAIT_DOWN,    /* nothing of it alive */
    WAIT_STOPPED, /* the same, unless somebody starts it again */
    WAIT_READY,   /* each worker ready or done; else failed for good */
    WAIT_FAILED,  /* some worker failed for good */
    WAIT_SCALE,   /* as UP, but for those that were stopped, and what is too many gone */
    WAIT_ROLL,    /* the roll has ended */
    WAIT_RELOAD,  /* the reload commands have ended */
    WAIT_GONE,    /* there is no such pool any more */
};

#define EVERY_WORKER (-1)

/* What is known of a worker from before. */
struct mark {
    uint32_t generation;
    pid_t pid;
    bool failed;    /* … since then, and that has been said */
    bool reloading; /* its reload commands run */
};

struct target {
    const char *pool;   /* these two are the target's own */
    const char *text;   /* of a change, or NULL */
    const char *change; /* NULL: the answer is an Outcome, else a Change */
    int64_t worker;
    enum wait_kind kind;
    bool changed;          /* something of it was reported */
    bool settled;          /* its outcomes are told */
    bool failed;           /* … and one of them is no good */
    enum report_kind roll; /* ROLL_DONE or ROLL_FAILED once it was said; else ROLLING */
    char *why;             /* … its last failure, of worker `why_of`; or NULL */
    uint32_t why_of;
    uint32_t n_marks; /* by number */
    struct mark *marks;
};

/* A copy of `what`, with how things stand now. -ENOMEM. */
int target_init(struct target *target, const struct target *what, const struct engine *engine);
void target_finish(struct target *target);

/* Each of these adds what is to be told to `outcomes`, JSON objects with commas between them. */
void target_on_report(
    struct target *target, const struct engine_report *told, struct queue *outcomes);
void target_look(struct target *target, const struct engine *engine, struct queue *outcomes);
/* `pool`: NULL when it is gone. */
void target_settle(struct queue *outcomes, struct target *target, const struct engine_pool *pool,
    bool ok, const char *text);
