/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A world for the core: one pool, a shell that does what the core asks, and processes that behave
 * as badly as processes do, all in virtual time. Every choice comes from one generator, so a seed
 * replays a run exactly.
 *
 * The world keeps its own books (struct body): what it knows to be true of each worker, from what
 * it delivered and what it was asked. The oracle compares them with the core's after each step.
 */

#include <stdbool.h>

#include "base/macro.h"
#include "core/pool.h"
#include "coverage.h"
#include "future.h"

#define WORLD_WORKERS_MAX 64

/* The core's constants, written down a second time. */
#define KILL_PATIENCE (10 * NSEC_PER_SEC)
#define SPAWN_RETRY   (100 * NSEC_PER_MSEC)

/* A timer never fires early, and at most so late. */
#define LATENESS NSEC_PER_MSEC

/* The truth about one worker. */
struct body {
    bool live;           /* a process was made, and its end has not been told */
    bool tree_owed;      /* an asked exit left a tree that nobody has called gone, or named */
    bool killed;         /* SIGKILL went to the tree of this generation */
    bool armed;          /* the one timer */
    uint32_t token;      /* … and its token */
    uint32_t generation; /* of the last process that was asked for */
    pid_t pid;
    nsec_t started;
    uint32_t failures; /* in a row, for the backoff */
    uint32_t starts;   /* in the window of the start limit */
    nsec_t window;     /* … which opened then */
};

/* How the world of one episode behaves; chances are in thousandths. */
struct manners {
    unsigned spawn_fails, exec_fails, never_ready, never_exits;
    unsigned deaf, unkillable, lingers, echoes, commands_to_all;
    nsec_t ready_within, lives, obeys_within, pause;
};

#define TRACE_LENGTH 24

struct trace_entry {
    nsec_t now;
    uint32_t worker;
    struct worker_event event;
    enum worker_state before, after;
};

struct world {
    struct pool pool;
    struct seat seats[WORLD_WORKERS_MAX];
    struct seat *pointers[WORLD_WORKERS_MAX];
    struct place places[WORLD_WORKERS_MAX];
    struct body bodies[WORLD_WORKERS_MAX];
    struct manners manners;
    struct cause success, prevent; /* the one member of each list; kind NONE: empty */
    struct random random;
    struct futures futures;
    nsec_t now;
    pid_t last_pid;

    bool proven;  /* some process became its program */
    bool calm;    /* processes are born well and obey */
    bool closing; /* nobody commands any more */

    bool rolling, roll_owed, roll_due;
    bool roll_has_target;
    uint32_t roll_target, roll_generation;

    uint64_t made, ended; /* processes of this episode */
    uint32_t exhausted;   /* RESTART_LIMIT reports since the pool was last started from its end */
    uint64_t forgotten;   /* restarts of this episode before that */

    /* of the whole run */
    uint64_t seed, steps, episodes;
    struct coverage coverage;
    struct trace_entry trace[TRACE_LENGTH];
};

/* Lets one episode happen: about `steps` events, then the end of the pool. */
void world_episode(struct world *world, uint64_t steps);

/* Prints what failed, the seed and the last events, and exits. */
_Noreturn void world_fail(const struct world *world, const char *format, ...) printf_like(2, 3);

/* The claim must hold, or the run ends here. */
#define CLAIM(world, condition, ...)                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            world_fail(world, __VA_ARGS__);                                                        \
    } while (0)

/* One step of the pool, as the oracle sees it. */
struct observation {
    uint32_t number;
    const struct worker_event *event;
    const struct outbox *outbox;
    struct worker before;
    uint64_t restarts_before;
    bool ended_before;
    bool exhausted_before;
};

/* Checks every claim about one step and keeps the books of what it means. */
void oracle_check(struct world *world, const struct observation *seen);

/* Whether the event is true news; anything else must change nothing at all. */
bool oracle_is_news(const struct body *body, const struct worker_event *event);
