/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The life of one worker, as a pure state machine: an event goes in, the state changes, actions
 * come out. No clock, no system call, no allocation: `now` arrives with the event, what should
 * happen leaves through the outbox, and the shell does it.
 *
 *                start                 ok                   ready
 *     STOPPED ─────────▶ PREPARING ─────────▶ STARTING ─────────────▶ READY
 *        ▲                   ▲  │                │                      │
 *        │       timer, none │  └────────────────┴── exit, failed ──────┤
 *        │                   │                                          ▼
 *        │       BACKOFF ◀───┴───────── (verdict) ◀───────────────── CLEANING
 *        │                                  └──▶ DONE, FAILED           │ ▲
 *        └───────────────────── asked for; or a new start ◀─────────────┘ │
 *                                                                         │ tree gone
 *                     stop, restart, doom               exit              │
 *     PREPARING … READY ─────────────▶ STOPPING ────────────────────▶ DRAINING
 *             │                           │ timer, kill                   ▲
 *             └─────────── kill ──────────┴────▶ KILLING ───── exit ──────┘
 *
 * PREPARING and CLEANING run the commands of ROLE_PRE and ROLE_STOP_POST one after another, and
 * where there are none they are not there: a start begins with STARTING, an end goes straight to
 * its verdict. A worker holds one process at a time, whichever of these it is, so that exits, stops
 * and kills mean the same for all. Only the commands of ROLE_POST and ROLE_RELOAD run beside the
 * main process, one at a time; that one is killed when the state that began it is left.
 *
 * A worker is *doomed* when it is stopped for a reason that is nobody's wish: the start took too
 * long, the watchdog heard nothing, the time to run is over, an ExecStartPost= failed. It goes
 * through a stop like any other, and the policy judges the doom instead of the exit. A command by
 * hand on the way makes it a plain stop or restart.
 *
 * What is and what is wanted are two fields: `state` and `wanted`. A stop in the middle of a
 * restart, or a start in the middle of a stop, only changes what is wanted; the process that is on
 * its way out is waited for in any case, so there is never a second one.
 *
 * DRAINING is the time between the process's own end and the end of what it left: "stopped" means
 * that nothing of the tree is left (or that what could not be killed has been named). After a
 * process that ends unasked the replacement starts at once, unless the exit is told together with
 * the wish that what was left goes first. A stop in BACKOFF drains what was left by then.
 *
 * Late news is dropped in one place: an exit or readiness of an earlier incarnation by its
 * generation, a timer that was moved or cancelled by its token, as is a process beside the main one
 * that was killed. A generation is one start with all of its commands.
 *
 * Contract with the shell: a SPAWN action is answered with SPAWNED or SPAWN_FAILED before the same
 * worker gets any other event; a KILL_TREE or CHECK_TREE with TREE_GONE, then or later.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"
#include "base/random.h"
#include "core/backoff.h"
#include "core/cause.h"
#include "core/outbox.h"
#include "core/start_limit.h"
#include "core/verdict.h"

/* enumerator, name for people, is it alive (it holds a process or will start one by itself) */
#define WORKER_STATES(X)                                                                           \
    X(STOPPED, "stopped", false)    /* nothing runs, nothing is wanted */                          \
    X(PREPARING, "preparing", true) /* runs what comes before the process */                       \
    X(STARTING, "starting", true)   /* a process was made; it is not yet known to serve */         \
    X(READY, "ready", true)         /* it serves */                                                \
    X(STOPPING, "stopping", true)   /* asked to stop, within its stop timeout */                   \
    X(KILLING, "killing", true)     /* SIGKILL sent to the tree; the process has not ended yet */  \
    X(DRAINING, "draining", true)   /* the process has ended; the rest of its tree has not */      \
    X(CLEANING, "cleaning", true)   /* runs what comes after the process */                        \
    X(BACKOFF, "backing-off", true) /* waits before a restart */                                   \
    X(DONE, "done", false)          /* ended cleanly, and the policy wants no restart */           \
    X(FAILED, "failed", false)      /* ended otherwise, and there will be no restart */

enum worker_state {
#define X(name, text, alive) WORKER_##name,
    WORKER_STATES(X)
#undef X
        WORKER_STATE_MAX
};

const char *worker_state_name(enum worker_state state);
bool worker_state_is_alive(enum worker_state state);

enum worker_event_kind {
    EVENT_START,            /* by hand: start now, whatever happened before */
    EVENT_STOP,             /* by hand: stop gracefully and stay down */
    EVENT_RESTART,          /* by hand: stop gracefully, then start */
    EVENT_KILL,             /* by hand: stop at once */
    EVENT_RELOAD,           /* by hand: run the commands of ROLE_RELOAD; only where it is ready */
    EVENT_RESET,            /* by hand: forget the failures; one that has ended is STOPPED */
    EVENT_SPAWNED,          /* answer to SPAWN: `pid` */
    EVENT_SPAWN_FAILED,     /* answer to SPAWN: `cause` */
    EVENT_READY,            /* the process of `generation` serves */
    EVENT_ALIVE,            /* the process of `generation` gives a sign of life */
    EVENT_WATCHDOG_SET,     /* … wants to give one every `value` from now on (0: never) */
    EVENT_WATCHDOG_TRIGGER, /* … says itself that it is stuck */
    EVENT_EXTEND,      /* … needs at least `value` more for what it is at: start, run or stop */
    EVENT_EXITED,      /* the process of `generation` ended: `cause` */
    EVENT_SIDE_EXITED, /* the process beside it with `token` ended, or could not be made */
    EVENT_TREE_GONE,   /* nothing of the tree of `generation` is left */
    EVENT_TIMER,       /* the timer with `token` */
    EVENT_MAX
};

struct worker_event {
    enum worker_event_kind kind;
    uint32_t generation;
    uint32_t token;
    pid_t pid;
    bool left; /* EXITED: what it may have left behind goes before the next one */
    struct cause cause;
    nsec_t value;
    nsec_t now;
};

/* The rules of a pool, the same for each of its workers. */
struct worker_rules {
    struct restart_policy restart;
    struct backoff_rules backoff;
    struct start_limit_rules start_limit;
    uint64_t max_restarts; /* of the whole pool; UINT64_MAX: no limit */
    nsec_t stop_timeout;
    int stop_signal;
    int watchdog_signal;
    nsec_t start_timeout;             /* from the first command to READY */
    nsec_t runtime_max;               /* READY for longer is a failure */
    nsec_t runtime_extra;             /* … and a random part of this is added, per process */
    nsec_t recycle_after;             /* READY for so long: due to be replaced */
    unsigned recycle_jitter_permille; /* … give or take a random part of this */
    nsec_t watchdog;                  /* 0: no sign of life is asked for */
    bool send_kill;     /* false: what is left after the stop timeout is left alone, and named */
    bool oneshot;       /* up is who has ended cleanly; START_TIMEOUT is for the whole run */
    bool must_be_ready; /* to end cleanly before READY is a failure (PROTOCOL); not with oneshot */
    uint32_t n_pre, n_post, n_stop_post, n_reload;            /* commands with that role */
    uint64_t pre_tolerated, post_tolerated, reload_tolerated; /* a bit for each: it may fail */
};

/* No timeouts but 10 s to stop, no commands but the main one, no limits, never a restart. */
struct worker_rules worker_rules_default(void);

/* What the workers of a pool share and change together. */
struct worker_ledger {
    uint32_t states[WORKER_STATE_MAX]; /* how many workers are in each state */
    uint64_t restarts;                 /* automatic ones, over the whole pool */
    bool proven;                       /* some process of the pool has become its program once */
    uint32_t ever_up; /* workers that have been ready, or have ended cleanly, once */
    bool exhausted;   /* max_restarts is used up */
    struct random random;
};

struct worker {
    uint32_t number;     /* of the place */
    uint32_t seat;       /* what actions name it by */
    uint32_t generation; /* of the current or the last start; 0: there was none */
    uint32_t past;       /* generations of this number up to here were in other seats */
    uint32_t token;      /* of the current timer */
    uint32_t side_token; /* of the process beside it */
    uint32_t restarts;   /* automatic ones */
    uint32_t step;       /* which command of its role runs */
    uint32_t side_step;
    pid_t pid; /* 0: no process */
    enum worker_state state : 8;
    enum step_role role : 8; /* of the process */
    enum step_role side_role : 8;
    bool wanted : 1;
    bool has_timer : 1;
    bool has_side : 1;   /* a process runs beside it */
    bool forced : 1;     /* SIGKILL was needed, or asked for, in this stop */
    bool unasked : 1;    /* the end under way is nobody's wish: the policy will judge it */
    bool said_ready : 1; /* only the commands of ROLE_POST are still missing */
    bool clean : 1;      /* the last process ended as it should */
    bool was_up : 1;     /* counted in ever_up */
    bool once : 1;       /* not tried again: it is to replace somebody, who is still there */
    bool aged : 1;       /* due to be replaced; the pool takes note and clears it */
    bool watched : 1;    /* the pool waits for it to come up: no restart without a BACKOFF, even of
                            no time, in which the pool can draw its conclusions */
    struct cause cause;
    struct cause doom; /* why it is being ended, where that is not by hand */
    nsec_t started;
    nsec_t ran;      /* the last process */
    nsec_t deadline; /* of the start, the run or the stop under way */
    nsec_t alive;    /* last sign of life */
    nsec_t watchdog; /* interval of this process */
    nsec_t recycle;  /* when it is due to be replaced */
    nsec_t timer;    /* when the timer fires */
    struct backoff backoff;
    struct start_limit start_limit;
};

/* A worker that is STOPPED; counts itself in the ledger. Its tokens go on from where they were. */
void worker_init(
    struct worker *worker, uint32_t number, uint32_t seat, struct worker_ledger *ledger);

/* Takes one event. The outbox must have room for WORKER_STEP_ACTIONS more actions. */
void worker_step(struct worker *worker, const struct worker_event *event,
    const struct worker_rules *rules, struct worker_ledger *ledger, struct outbox *outbox);
