/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The engine: pools of the core on a loop. It turns exits, timers and commands into events for the
 * core and carries out the actions that come back; it decides nothing itself.
 *
 * It lives in one thread. Its workers are children of that thread alone, so a process whose leader
 * thread is another one can reap adopted strangers there without ever walking over the workers
 * (strangers.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/pool.h"
#include "loop/loop.h"
#include "run/plan.h"

struct engine;

enum kill_mode {
    KILL_GROUP,   /* the stop signal goes to the process group, and to descendants that left it */
    KILL_PROCESS, /* only to the worker's own process */
};

struct engine_options {
    enum loop_backend backend;
    bool subreaper; /* orphans of our workers come to this process: the survivors of a tree are
                       there */
};

/* What is told to whoever watches. Pointers are good for the time of the call. */
struct engine_report {
    const char *pool;
    const struct report *report;
    const char *detail; /* what failed, in words, where the cause alone does not say; or NULL */
};

typedef void (*engine_report_fn)(void *data, const struct engine_report *report);

struct pool_settings {
    struct plan *plan; /* the engine's from engine_add_pool on, also where that fails */
    struct worker_rules rules;
    enum kill_mode kill_mode;
    uint64_t seed;
};

int engine_new(const struct engine_options *options, struct engine **ret_engine);

/* Accepts NULL; returns NULL. Workers that still run are left alone. */
struct engine *engine_free(struct engine *engine);

void engine_watch(struct engine *engine, engine_report_fn fn, void *data);

/* The loop, for further sources of the caller. */
struct loop *engine_loop(struct engine *engine);

/* Adds a pool of plan->n_workers workers, none of them started. Its number is the count before. */
int engine_add_pool_take(struct engine *engine, const struct pool_settings *settings);
uint32_t engine_pools(const struct engine *engine);
const struct pool *engine_pool(const struct engine *engine, uint32_t number);

/* Feeds EVENT_START, _STOP, _RESTART or _KILL to every worker of a pool, or of all pools. */
void engine_command(struct engine *engine, uint32_t pool, enum worker_event_kind event);
void engine_command_all(struct engine *engine, enum worker_event_kind event);

/* Restarts the workers of a pool one after another. */
void engine_roll(struct engine *engine, uint32_t pool);

/* Sends a signal to the process of every worker of a pool, or of all pools. */
void engine_signal(struct engine *engine, uint32_t pool, int signal);
void engine_signal_all(struct engine *engine, int signal);

/* True when `pid` is a process of a worker, and its exit the engine's to take. */
bool engine_owns(const struct engine *engine, pid_t pid);

/* True when no worker of any pool is alive. */
bool engine_ended(const struct engine *engine);

/* True when every process that was started has become its program. */
bool engine_settled(const struct engine *engine);

/* True once a pool's start limit has asked for the end of everything. */
bool engine_shut_down_asked(const struct engine *engine);

/*
 * One turn of the loop, then what the turn left to do. Like loop_turn().
 */
int engine_turn(struct engine *engine, bool wait);

/*
 * Once every worker has ended: signals whatever is still left below this process, each process
 * once, but SIGKILL every time. Returns how many are left, and names them in `names`. Their exits
 * wake the loop. Only for a subreaper.
 */
uint32_t engine_signal_leftovers(struct engine *engine, int signal, char *names, size_t size);

/*
 * When the loop itself has failed: SIGKILL to every worker's group and to whatever else is below
 * this process, rather than leave them without a supervisor.
 */
void engine_abandon(struct engine *engine);
