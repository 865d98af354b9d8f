/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The engine: pools of the core on a loop. It turns exits, timers, notifications and commands into
 * events for the core and carries out the actions that come back; it decides nothing itself.
 *
 * It lives in one thread. Its workers are children of that thread alone, so a process whose leader
 * thread is another one can reap adopted strangers there without ever walking over the workers
 * (strangers.h).
 *
 * The core takes one event at a time: what changes pools or workers must not be called from inside
 * a watcher (engine_watch) but after the turn, or from a source or timer of the loop.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "core/pool.h"
#include "loop/loop.h"
#include "run/version.h"
#include "sys/cgroup.h"

struct capture;
struct capture_facts;
struct capture_settings;
struct engine;
struct engine_pool;

/* --- the engine */

struct engine_options {
    enum loop_backend backend;
    bool subreaper; /* orphans of our workers come to this process: the survivors of a tree are
                       there */
    const char *notify_directory; /* where the sockets for notifications lie, with a path each;
                                     NULL: they have abstract names. Must stay. */
};

int engine_new(const struct engine_options *options, struct engine **ret_engine);

/* Accepts NULL; returns NULL. Workers that still run are left alone. */
struct engine *engine_free(struct engine *engine);

/* The loop, for further sources and timers of the caller. */
struct loop *engine_loop(struct engine *engine);

/* Room for so many armed timers of the caller, in place of loop_timer_reserve(). -ENOMEM. */
int engine_reserve_timers(struct engine *engine, uint32_t count);

/*
 * Pools that are added from now on get a control group each below this one, and each worker one in
 * its pool's, where limits are in force, whole trees are killed at once and OOM kills are seen.
 * `root` stays the caller's, must stay, and has the controllers for all limits enabled.
 */
void engine_use_groups(struct engine *engine, const struct cgroup_root *root);

/*
 * Pools that are added or changed from now on may be captured (run/capture.h). It is made on this
 * engine's loop, and the engine's from then on.
 */
void engine_use_capture_take(struct engine *engine, struct capture *capture);

/* NULL: nothing is captured, or no more. It is the engine's. */
struct capture *engine_capture(const struct engine *engine);

/* How processes that are started now are captured; NULL: they are not. */
const struct capture_settings *engine_pool_capture(const struct engine_pool *pool);

/* What has come of that so far; zeros where nothing is captured. */
void engine_pool_captured(const struct engine_pool *pool, struct capture_facts *ret_facts);

/* Opens the files of captured output anew. */
void engine_reopen_output(struct engine *engine);

/*
 * Writes what was captured, as long as `patience` lasts, and captures nothing more. Where there is
 * a capture, to be called before engine_free(). Negative: not all of it could be written.
 */
int engine_finish_output(struct engine *engine, nsec_t patience);

/* One turn of the loop, then what the turn left to do. Like loop_turn(). */
int engine_turn(struct engine *engine, bool wait);

/* --- what is told to whoever watches */

/* Pointers are good for the time of the call. */
struct engine_report {
    struct engine_pool *from;
    const char *pool;
    const struct report *report;
    const char *detail;         /* what failed, in words, where the cause alone does not say; or
                                   NULL */
    const struct rusage *usage; /* of the process of an EXITED, and what it has waited for; or NULL
                                 */
    const char *words;          /* the last lines that the process of an EXITED wrote to standard
                                   error, where that is captured; or NULL */
};

/* So many bytes of them at the most. */
#define ENGINE_WORDS 1024

typedef void (*engine_report_fn)(void *data, const struct engine_report *report);

/* Adds a watcher; they are told in the order in which they came. -ENOSPC: there are too many. */
int engine_watch(struct engine *engine, engine_report_fn fn, void *data);
void engine_unwatch(struct engine *engine, engine_report_fn fn, void *data);

/* --- pools */

enum kill_mode {
    KILL_GROUP,   /* the stop signal goes to the whole tree, and so does the final one */
    KILL_ONE,     /* the stop signal goes to the worker's own process, and to what that leaves; the
                     final one to all */
    KILL_MIXED,   /* as KILL_ONE, but what the process leaves gets the final signal at once */
    KILL_PROCESS, /* all signals go to the worker's own process; the rest is left alone */
    KILL_NONE,    /* nothing is signalled; who has not ended by the stop timeout is left alone */
};

/*
 * What a pool is. `rules` need not say how many commands of each role there are, nor which of them
 * are tolerated: that comes from the version.
 */
struct pool_settings {
    const char *name;        /* unique in the engine; the `pool` of its plans, too; copied */
    uint32_t n_workers;      /* 0 is allowed: a pool to be scaled up */
    uint32_t surge;          /* a rolling restart starts so many replacements first; 0: in place */
    struct version *version; /* the engine's from then on, also on failure */
    struct worker_rules rules;
    enum kill_mode kill_mode;
    bool ends_leftovers; /* what has been left by a process that ended unasked goes before the next
                            one starts; else it runs on until the worker is stopped */
    int final_signal;    /* what ends the tree after the stop timeout; 0: SIGKILL */
    uint64_t seed;
    enum readiness ready;
    int ready_descriptor;             /* in the child; none of those of the sockets */
    enum notify_access notify_access; /* at least the main process's where `ready`, the watchdog or
                                         `fdstore_max` need it */
    uint32_t fdstore_max;    /* descriptors that a worker may deposit over its restarts; 0: none */
    uint64_t recycle_memory; /* bytes of a worker's tree, above which it is replaced; 0 */
    const struct cgroup_limits *limits;     /* of each worker's tree; copied; NULL: none */
    const struct capture_settings *capture; /* copied, `pool`, `reader` and `last_words` filled in;
                                               what is captured, the plans inherit. NULL: nothing */
};

/* Adds a pool at the end, not started. -EEXIST: there is one of this name; -ENOMEM; what
 * capture_pool_new() says. */
int engine_add_pool_take(
    struct engine *engine, const struct pool_settings *settings, struct engine_pool **ret_pool);

/*
 * New rules and a new version; name and seed stay, the number of workers is engine_pool_scale()'s.
 * Living processes stay as they are: each gets the new version when it is started anew by hand or
 * by a roll. Where that roll fails, the pool is put back to the rules and the version before. How
 * output is captured changes at once and for good, where it goes only with the version.
 * -ENOMEM, and what capture_pool_new() says, leave everything.
 */
int engine_change_pool_take(struct engine_pool *pool, const struct pool_settings *settings);

/* The last change stays, whatever comes of later rolls: it was one that needs no new processes. */
void engine_pool_keep_change(struct engine_pool *pool);

/* Frees the pool. -EBUSY: a process of it lives. */
int engine_remove_pool(struct engine_pool *pool);

/* In the order in which they were added. A removed one leaves no gap. */
uint32_t engine_pools(const struct engine *engine);
struct engine_pool *engine_pool_at(const struct engine *engine, uint32_t number);

/* NULL: there is no pool of this name. */
struct engine_pool *engine_find_pool(const struct engine *engine, const char *name);

const char *engine_pool_name(const struct engine_pool *pool);
const struct pool *engine_pool_core(const struct engine_pool *pool);
uint32_t engine_pool_workers(const struct engine_pool *pool);

/* Meant to be up: it was started by hand, and not stopped since. */
bool engine_pool_is_up(const struct engine_pool *pool);

/* The roll of the last change has failed, and what runs is not what was asked for. */
bool engine_pool_was_put_back(const struct engine_pool *pool);

/* A mask of 1 << enum cgroup_limit: those that are not in force, all of them without groups. Known
 * once workers have started. */
uint32_t engine_pool_limits_refused(const struct engine_pool *pool);

/* The caller's own, for its book-keeping; NULL at first. */
void *engine_pool_data(const struct engine_pool *pool);
void engine_pool_set_data(struct engine_pool *pool, void *data);

/*
 * What the pool's main processes find open from descriptor 3 on, in this order (LISTEN_FDS and
 * LISTEN_FDNAMES of sd_listen_fds(3)); what they keep by FDSTORE=1 comes after these. Copied; the
 * descriptors stay the caller's and must stay open until they have been replaced here and
 * engine_settled() says so: a child on its way to exec shares our table. Takes effect with the next
 * start of each worker; for workers that a scale is about to add, before it. -ENOMEM.
 */
struct engine_socket {
    int fd;
    const char *name;
    uint32_t worker; /* for this number alone; ENGINE_EVERY_WORKER */
};

#define ENGINE_EVERY_WORKER UINT32_MAX

int engine_pool_set_sockets(
    struct engine_pool *pool, const struct engine_socket *sockets, size_t count);

/* --- commands. Each returns at once; what comes of it is reported. */

/*
 * Feeds EVENT_START, _STOP, _RESTART, _KILL, _RELOAD or _RESET to every worker of a pool, of all
 * pools, or to one worker. -ENOENT: there is no such worker.
 */
void engine_pool_command(struct engine_pool *pool, enum worker_event_kind event);
void engine_command_all(struct engine *engine, enum worker_event_kind event);
int engine_worker_command(struct engine_pool *pool, uint32_t number, enum worker_event_kind event);

/* Sends a signal to the main process of every worker of a pool, of all pools, or of one worker.
 * -ENOENT: no such worker; -ESRCH: it has no process now. */
void engine_pool_signal(struct engine_pool *pool, int signal);
void engine_signal_all(struct engine *engine, int signal);
int engine_worker_signal(struct engine_pool *pool, uint32_t number, int signal);

/* Gives every worker a new process, in turn. -EBUSY: a roll is under way. */
int engine_pool_roll(struct engine_pool *pool);

/* The same; where a roll is under way, once more after it. */
void engine_pool_roll_again(struct engine_pool *pool);

/*
 * The pool has `n_workers` from now on: highest numbers go first, gracefully; new ones are started
 * where the pool is up. -ENOMEM leaves everything.
 */
int engine_pool_scale(struct engine_pool *pool, uint32_t n_workers);

/* --- state */

/* A worker as a user sees it: one for each process of a number. */
struct worker_facts {
    uint32_t number;
    const char *role;  /* "holder", "replacement", "retiring" */
    const char *state; /* worker_state_name() */
    bool alive;
    uint32_t generation;
    uint32_t restarts;
    pid_t pid;          /* 0: none */
    nsec_t since;       /* when it came to this state; CLOCK_MONOTONIC */
    nsec_t started;     /* when the current or last process began; 0: never */
    struct cause cause; /* of the last end; CAUSE_NONE: it has not ended yet */
    const char *detail; /* the same in words where the cause alone does not say; or NULL */
    const char *words;  /* the last lines that it wrote to standard error, or NULL */
    const char *status; /* STATUS= of the process, or NULL */
    int error;          /* its ERRNO=, or 0 */
    bool reloading;
    bool stopping;   /* it says so: STOPPING=1 */
    char group[256]; /* the control group's path below its mount; empty: none */
};

/* The holder of a number. -ENOENT. Texts are good until the next turn. */
int engine_worker(const struct engine_pool *pool, uint32_t number, struct worker_facts *ret_facts);

/* In the order of their numbers; of one number the holder, its replacement, then what retires.
 * -ENOMEM: none was visited. */
typedef void (*engine_worker_fn)(void *data, const struct worker_facts *facts);
int engine_visit_workers(const struct engine_pool *pool, engine_worker_fn fn, void *data);

/* True when `pid` is a process of a worker, and its exit the engine's to take. */
bool engine_owns(const struct engine *engine, pid_t pid);

/* True when no worker of any pool is alive. */
bool engine_ended(const struct engine *engine);

/* True when every process that was started has become its program. */
bool engine_settled(const struct engine *engine);

/* True once a pool's start limit has asked for the end of everything. */
bool engine_shut_down_asked(const struct engine *engine);

/* --- the end */

/*
 * Once every worker has ended: signals whatever is still left below this process, each process
 * once, but SIGKILL every time, and with another signal not what such a process starts in order to
 * end. Returns how many are left, and names them in `names`. Their exits wake the loop. Only for a
 * subreaper.
 */
uint32_t engine_signal_leftovers(struct engine *engine, int signal, char *names, size_t size);

/*
 * When the loop itself has failed: SIGKILL to every worker's group and to whatever else is below
 * this process, rather than leave them without a supervisor.
 */
void engine_abandon(struct engine *engine);
