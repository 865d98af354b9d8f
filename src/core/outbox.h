/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the core wants done. Actions leave in the order in which they were decided; the shell does
 * SPAWN before the others of the same outbox, because a replacement should not wait for a log line.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"
#include "core/cause.h"
#include "core/level.h"

enum action_kind {
    ACTION_SPAWN,      /* make the process `spawn` names; answer with SPAWNED or SPAWN_FAILED */
    ACTION_SPAWN_SIDE, /* make a process beside it: `spawn`; SIDE_EXITED when it ends, or cannot be
                        */
    ACTION_KILL_SIDE,  /* SIGKILL to the one beside it, whose end nobody waits for any more */
    ACTION_SIGNAL,     /* send `signal` to the worker's process (and its group, as configured) */
    ACTION_KILL_TREE,  /* SIGKILL to all of the tree; TREE_GONE when nothing is left of it */
    ACTION_CHECK_TREE, /* pass the stop signal on to survivors; TREE_GONE when nothing is left */
    ACTION_SET_TIMER,  /* the worker's one timer: `when`, `token`; NSEC_NEVER disarms */
    ACTION_REPORT,     /* tell whoever watches */
    ACTION_BROADCAST,  /* feed the event `event` to every seat of the pool, as if by hand: a stop
                          cancels a roll first */
    ACTION_FEED,       /* feed the event `event` to seat `worker` */
    ACTION_SHUT_DOWN,  /* the start limit says: stop every pool and exit */
    ACTION_ENDED,      /* no worker of the pool is alive any more */
    ACTION_ROLL_ON,    /* call pool_roll_on() once all of this outbox is done */
};

/* Which of a worker's commands a process is. */
enum step_role {
    ROLE_MAIN,      /* the program itself */
    ROLE_PRE,       /* ExecStartPre=: before it */
    ROLE_STOP_POST, /* ExecStopPost=: after its end */
    ROLE_POST,      /* ExecStartPost=: beside it, once it is up */
    ROLE_RELOAD,    /* ExecReload=: beside it, when asked for */
};

/* enumerator, name in the log, level */
#define REPORT_KINDS(X)                                                                            \
    X(STARTED, "started", INFO)                                                                    \
    X(READY, "ready", INFO)                                                                        \
    X(EXITED, "exited", INFO)              /* cause, ran */                                        \
    X(SPAWN_FAILED, "spawn-failed", ERROR) /* cause */                                             \
    X(BACKOFF, "backoff", WARNING)         /* delay */                                             \
    X(STOPPING, "stopping", INFO)          /* reason, where nobody asked for it */                 \
    X(KILLING, "killing", WARNING)         /* reason */                                            \
    X(STOPPED, "stopped", INFO)                                                                    \
    X(DONE, "done", INFO)          /* cause, reason */                                             \
    X(GIVEN_UP, "given-up", ERROR) /* cause, reason */                                             \
    X(LEFTOVER, "leftover", ERROR) /* what could not be killed */                                  \
    X(RELOADED, "reloaded", INFO)                                                                  \
    X(RELOAD_FAILED, "reload-failed", WARNING) /* cause */                                         \
    X(REPLACING, "replacing", INFO) /* reason: another process is to take the place of this */     \
    X(UNHEARD, "unheard", WARNING)  /* reason: a notification of it does not count */              \
    X(RESTART_LIMIT, "restart-limit", ERROR) /* the pool's max_restarts are used up */             \
    X(ROLLING, "rolling", INFO)              /* a rolling restart begins */                        \
    X(ROLL_DONE, "roll-done", INFO)                                                                \
    X(ROLL_FAILED, "roll-failed", ERROR) /* worker: the one that did not come up */                \
    X(SCALED, "scaled", INFO)            /* the pool has another number of workers */              \
    X(ENDED, "ended", INFO)              /* no worker of the pool is alive */

enum report_kind {
#define X(name, text, level) REPORT_##name,
    REPORT_KINDS(X)
#undef X
        REPORT_MAX
};

/* Reports from here on are about the pool, not about one worker. */
#define REPORT_FIRST_OF_POOL REPORT_RESTART_LIMIT

const char *report_kind_name(enum report_kind kind);
enum log_level report_kind_level(enum report_kind kind);

struct report {
    enum report_kind kind;
    enum step_role role; /* EXITED: of which process */
    uint32_t worker;     /* the number; SCALED: how many there are */
    uint32_t seat;
    uint32_t generation;
    pid_t pid; /* 0: none */
    struct cause cause;
    nsec_t ran;         /* how long the process lived */
    nsec_t delay;       /* until the restart */
    const char *reason; /* a literal, or NULL */
};

struct action {
    enum action_kind kind;
    uint32_t worker; /* the seat */
    union {
        int signal;
        int event;
        struct {
            enum step_role role;
            uint32_t step;  /* which of the commands with that role */
            uint32_t token; /* SPAWN_SIDE: comes back with SIDE_EXITED */
            bool fresh;     /* by hand or by a roll: to the newest plan of the pool */
        } spawn;
        struct {
            nsec_t when;
            uint32_t token;
        } timer;
        struct report report;
    };
};

/* The most actions that one step of a worker, and of its pool after it, can decide. */
#define WORKER_STEP_ACTIONS 8
#define OUTBOX_CAPACITY     (WORKER_STEP_ACTIONS + 8)

struct outbox {
    uint32_t count;
    struct action actions[OUTBOX_CAPACITY];
};

/* The next free action, of the given kind and otherwise zeroed. */
static inline struct action *outbox_push(
    struct outbox *outbox, enum action_kind kind, uint32_t worker) {
    assert(outbox->count < OUTBOX_CAPACITY);
    struct action *action = &outbox->actions[outbox->count++];

    *action = (struct action){.kind = kind, .worker = worker};
    return action;
}
