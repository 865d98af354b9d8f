/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the engine: engine.c, apply.c, process.c, tree.c. */

#include "run/engine.h"
#include "run/spawn.h"

/* The shell's half of a worker. */
struct process {
    int pidfd; /* -1: none */
    pid_t pid; /* of the current process or the last one: its group may outlive it */
    uint32_t slot;
    bool checking; /* the tree it left is to be looked at when the turn ends */
    bool killing;  /* … and ended by SIGKILL */
    loop_source_t source;
    struct loop_timer timer;
};

/* The shell's half of a pool. */
struct pool_runtime {
    struct engine *engine;
    struct plan *plan;
    enum kill_mode kill_mode;
    uint32_t checks; /* workers with `checking` */
    struct process *processes;
    struct seat *seats;
    struct seat **seat_pointers;
    struct place *places;
    struct pool core;
};

struct tree_member;

struct engine {
    struct engine_options options;
    struct loop *loop;
    struct spawner spawner;
    struct pool_runtime **pools;
    uint32_t n_pools;
    struct loop_timer settle;
    nsec_t settle_interval;
    nsec_t next_sweep;
    struct tree_member *members;
    engine_report_fn report;
    void *report_data;
    const char *detail; /* what the event being fed is about, for its reports */
    bool shut_down;
};

/* apply.c: gives an event to the core and does what comes back. */
void engine_feed(struct pool_runtime *pool, uint32_t worker, struct worker_event event);
void engine_apply(struct pool_runtime *pool, const struct outbox *outbox);

/* process.c: the life of a process between spawn and reap. */
int process_start(struct pool_runtime *pool, uint32_t worker, struct child_fault *ret_fault);
void process_settle(void *engine, uint64_t value, nsec_t now);

/* tree.c: everything below a worker, and what it left behind. */
void tree_stop(struct pool_runtime *pool, uint32_t worker, int signal);
void tree_kill(struct pool_runtime *pool, uint32_t worker);
void tree_check(struct pool_runtime *pool, uint32_t worker, bool kill);
void tree_run_checks(struct engine *engine);
const char *tree_names(const struct pool_runtime *pool, uint32_t worker, char *buffer, size_t size);
void tree_forget(struct engine *engine);
void tree_reap(struct engine *engine); /* children of ours that are no workers, and have ended */
