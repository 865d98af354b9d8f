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

#define WORLD_PLACES_MAX 64
#define WORLD_SEATS_MAX  512

/* The core's constants, written down a second time. */
#define KILL_PATIENCE (10 * NSEC_PER_SEC)
#define SPAWN_RETRY   (100 * NSEC_PER_MSEC)

/* A timer never fires early, and at most so late. */
#define LATENESS NSEC_PER_MSEC

/* The truth about one seat. */
struct body {
    uint32_t epoch; /* how many occupants it has had: news of an earlier one is lost */
    bool live;      /* a process was made, and its end has not been told */
    bool unasked;   /* the end under way is nobody's wish */
    bool trial;     /* it has never been a holder */
    bool scaled;    /* it retires because its number is gone */
    bool vacant;
    bool lost;           /* it retires, and SIGKILL did not end it */
    bool said_ready;     /* in this generation */
    bool side;           /* a process runs beside */
    uint32_t side_token; /* … with that token */
    enum step_role role; /* of the process */
    uint32_t step;
    struct cause doom;  /* what it is being ended for */
    struct cause cause; /* of its last end */
    nsec_t ran;
    nsec_t alive;        /* last sign of life */
    nsec_t watchdog;     /* … and how often there should be one; 0: never */
    nsec_t deadline;     /* of the start */
    nsec_t fires;        /* the timer */
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
    unsigned deaf, unkillable, lingers, echoes, commands_to_all, steps_fail, speaks;
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
    struct seat seats[WORLD_SEATS_MAX];
    struct seat *pointers[WORLD_SEATS_MAX];
    struct place places[WORLD_PLACES_MAX];
    struct body bodies[WORLD_SEATS_MAX];
    uint32_t highest[WORLD_PLACES_MAX]; /* generation of a number */
    struct manners manners;
    struct cause success, prevent, force; /* the one member of each list; kind NONE: empty */
    struct random random;
    struct futures futures;
    nsec_t now;
    pid_t last_pid;
    uint32_t most; /* places */

    bool proven;  /* some process became its program */
    bool calm;    /* processes are born well and obey */
    bool closing; /* nobody commands any more */

    bool rolling, roll_owed, roll_due;
    bool has_target; /* a seat is being restarted in place */
    uint32_t target, target_generation;

    uint64_t made, ended; /* processes of this episode */
    uint32_t exhausted;   /* RESTART_LIMIT reports since the pool was last started from its end */
    uint64_t restarts;    /* automatic ones since then */

    /* of the whole run */
    uint64_t seed, steps, episodes;
    struct coverage coverage;
    struct trace_entry trace[TRACE_LENGTH];
};

/* Lets one episode happen: about `steps` events, then the end of the pool. */
void world_episode(struct world *world, uint64_t steps);

/* choices.c: how the world of an episode behaves, its rules, how many places it has. */
bool chance(struct world *world, unsigned permille);
nsec_t within(struct world *world, nsec_t span);
void choose_manners(struct world *world);
void choose_rules(struct world *world, struct worker_rules *rules);
uint32_t choose_size(struct world *world);

/* bodies.c: news that will come, and what the processes make of what is done to them. */
void later(struct world *world, nsec_t delay, uint32_t worker, struct worker_event event);
void exit_later(
    struct world *world, nsec_t delay, uint32_t worker, enum cause_kind kind, int value);
void gone_later(struct world *world, nsec_t delay, uint32_t worker);
bool give_birth(struct world *world, const struct action *spawn);
void on_spawn_side(struct world *world, const struct action *action);
void on_kill_side(struct world *world, uint32_t number);
void on_signal(struct world *world, uint32_t number);
void on_tree(struct world *world, uint32_t number, bool kill);
void on_timer(struct world *world, uint32_t number, nsec_t when, uint32_t token);

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
    uint32_t number; /* the seat */
    enum seat_role role_before;
    uint32_t ready_before;
    const struct worker_event *event;
    const struct outbox *outbox;
    struct worker before;
    uint64_t restarts_before;
    bool ended_before;
    bool exhausted_before;
};

/* Checks every claim about one step and keeps the books of what it means. */
void oracle_check(struct world *world, const struct observation *seen);

/* The seats after a roll went on, or the pool was resized: who sits where. */
void oracle_check_seats(const struct world *world);

/* Who serves goes down by an end of its own or by hand, and by nothing that the pool does. */
void oracle_check_readiness(const struct world *world, const struct observation *seen);

/* What an end has to lead to. */
enum fate { FATE_RESTART, FATE_DONE, FATE_FAILED };
bool oracle_is_clean(const struct world *world, struct cause cause);
enum fate oracle_fate(const struct world *world, struct cause cause);

bool oracle_is_by_hand(enum worker_event_kind kind);

/* Whether the event is true news; anything else must change nothing at all. */
bool oracle_is_news(const struct body *body, const struct worker_event *event);
