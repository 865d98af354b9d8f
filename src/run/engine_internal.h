/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the engine. */

#include "run/engine.h"
#include "run/fdstore.h"
#include "run/spawn.h"

struct engine_seat;

/* A process that was made, up to its end. It does not move. */
struct task {
    struct engine_seat *seat;
    struct version
        *version; /* where its plan is, which the child reads until exec; NULL: none yet */
    int pidfd;    /* -1: none */
    pid_t pid;    /* of the current process or the last one: its group may outlive it */
    uint32_t slot;
    uint32_t step;
    enum step_role role;
    loop_source_t source;
    struct capture_process *output; /* NULL: it is not captured */
};

/* A process beside the worker's own (post, reload). */
struct side {
    struct side *next;
    struct task task;
    uint32_t token;
    bool forgotten; /* the core has been told nothing, and waits for nothing */
};

struct voice;

/* The shell's half of a seat. It does not move. */
struct engine_seat {
    struct seat core;
    struct engine_pool *pool;
    uint32_t number; /* in the pool's seats */
    struct task task;
    struct version *version; /* of the current or last start; NULL: there was none */
    struct voice *voice;     /* what its process can tell us by; NULL: nothing yet */
    struct loop_timer timer;
    nsec_t since;       /* when it came to its state */
    struct cause cause; /* of the last end, and in words where there are any */
    char *detail;
    char *words;      /* the last ones that it wrote to standard error; or NULL */
    int group;        /* its control group; -1: none */
    int group_watch;  /* > 0: we wait for it to become empty */
    bool group_spent; /* it has been killed: nobody is to be started there any more */
    uint64_t oom_kills;
    bool checking; /* the tree it left is to be looked at when the turn ends */
    bool killing;  /* … and ended by force */
};

/* Seats that were allocated together. */
struct seat_block {
    struct seat_block *next;
    struct engine_seat seats[];
};

/* What a change replaces, to be put back when its roll fails. */
struct former {
    struct version *version; /* NULL: there is nothing to put back */
    struct worker_rules rules;
};

/* A pool: its core and the shell's half of it. */
struct engine_pool {
    struct pool core;
    struct engine *engine;
    char *name;
    void *data;
    struct version *version; /* the newest */
    struct former former;
    bool put_back; /* the last change has failed: the version is the one before it */
    enum kill_mode kill_mode;
    bool ends_leftovers;
    int final_signal;
    bool is_up;
    uint32_t serial; /* never another pool's */
    uint32_t room;   /* for so many places */
    uint32_t checks; /* seats with `checking` */
    struct seat_block *blocks;
    struct fdstore **stores; /* by place; NULL: nothing was kept for it yet */
    uint32_t n_stores;
    struct engine_socket *sockets;
    size_t n_sockets;
    uint64_t recycle_memory;
    uint32_t usage_cursor; /* the place whose memory is looked at next */
    struct cgroup_limits limits;
    uint32_t limits_refused;
    int group; /* -1: none */
};

struct tree_member;

#define ENGINE_WATCHERS 8

/* The engine's own: settle, usage. */
#define ENGINE_TIMERS 2

struct engine {
    struct engine_options options;
    struct loop *loop;
    struct spawner spawner;
    struct engine_pool **pools;
    uint32_t n_pools;
    uint32_t n_pools_ever;
    uint32_t timers_of_caller;
    struct loop_timer settle;
    nsec_t settle_interval;
    nsec_t next_sweep;
    struct loop_timer usage;
    struct tree_member *members;
    struct side *sides;
    struct capture *capture;          /* NULL: output is not captured */
    const struct cgroup_root *groups; /* NULL: none */
    int group_watch;                  /* -1: none yet */
    loop_source_t group_source;
    struct {
        engine_report_fn fn; /* NULL: none */
        void *data;
    } watchers[ENGINE_WATCHERS];
    const char *detail;             /* what the event being fed is about, for its reports */
    const struct rusage *rusage;    /* … and what the process that has ended has used */
    struct capture_process *ending; /* the output of that process, until its end is told */
    bool check_due;                 /* a tree is to be looked at before the next wait */
    bool shut_down;
};

static inline struct engine_seat *pool_seat(const struct engine_pool *pool, uint32_t number) {
    return container_of(pool->core.seats[number], struct engine_seat, core);
}

/* engine_pool.c; accepts NULL, returns NULL. */
struct engine_pool *pool_free(struct engine_pool *pool);

/* The last roll is over: what it was to bring in stays, or goes. */
void pool_settle_change(struct engine_pool *pool, bool failed);

/* seats.c: room for so many places, all else as it was. -ENOMEM changes nothing. */
int pool_grow(struct engine_pool *pool, uint32_t n_places);
void pool_free_seats(struct engine_pool *pool);
void pool_drop_stores(struct engine_pool *pool); /* what was kept for those to come */
int engine_make_timer_room(struct engine *engine, uint32_t more);

/* apply.c: gives an event to the core and does what comes back. */
void engine_feed(struct engine_seat *seat, struct worker_event event);
void engine_apply(struct engine_pool *pool, const struct outbox *outbox);
void engine_tell(struct engine_pool *pool, const struct report *report);

/* task.c: the life of a process between spawn and reap. */
int task_start(struct task *task, struct child_fault *ret_fault);
const char *task_explain(
    const struct task *task, struct child_fault fault, char *buffer, size_t size);
void task_finish(struct task *task); /* forgets a process that may still run */
void task_settle(void *engine, uint64_t value, nsec_t now);

/* side.c */
void side_start(struct engine_seat *seat, enum step_role role, uint32_t step, uint32_t token);
void side_kill(struct engine_seat *seat);
void side_ended(struct task *task, struct cause cause);
pid_t side_pid(const struct engine_seat *seat); /* 0: none */
bool side_any(const struct engine_pool *pool);
void side_drop_all(struct engine_pool *pool);

/* extras.c: what a start gets beside its plan. NULL: nothing. -ENOMEM. */
struct extras;
int extras_new(const struct task *task, struct extras **ret_extras);
const struct plan_extras *extras_plan(const struct extras *extras);
struct extras *extras_free(struct extras *extras);

/* output.c: where what a process writes goes, for versions that are captured. */
/* `before` is the version that this one is to replace; NULL: it is the first. */
int output_open_pool(
    struct engine *engine, const struct pool_settings *settings, const struct version *before);
int output_open(struct task *task); /* before a start */
/* At most FRAME_STREAM_MAX, by rising number. Returns how many. */
size_t output_add_descriptors(const struct task *task, struct child_descriptor *descriptors);
void output_started(const struct task *task);
void output_settled(const struct task *task); /* the child has its own descriptors */
void output_drop(struct task *task);
/* The process that is ending is told of. Returns its last words, or NULL. */
const char *output_end(struct engine *engine, char words[ENGINE_WORDS + 1]);

/* voice.c: how a process tells us of itself. */
int voice_open(const struct task *task); /* before a start; nothing where nothing is asked for */
void voice_became(struct engine_seat *seat);
void voice_listen(struct engine_seat *seat); /* who may speak has changed */
void voice_hear_out(struct engine_seat *seat);
void voice_ended(struct engine_seat *seat);
void voice_free(struct engine_seat *seat);
const char *voice_notify_address(const struct engine_seat *seat);
int voice_ready_fd(const struct engine_seat *seat);
const char *voice_status(const struct engine_seat *seat);
bool voice_reloading(const struct engine_seat *seat);
bool voice_stopping(const struct engine_seat *seat);
int voice_error(const struct engine_seat *seat); /* 0: nothing was said */

/* group.c: control groups. */
void group_finish(struct engine *engine);
void group_limit_pool(struct engine_pool *pool, uint32_t before); /* `before`: mask of limits */
void group_path(const struct engine_seat *seat, char *buffer, size_t size);
void group_open_pool(struct engine_pool *pool);
void group_close_pool(struct engine_pool *pool);
void group_open(struct engine_seat *seat);
void group_doubt(struct engine_seat *seat, int error); /* a spawn into it has failed */
void group_close(struct engine_seat *seat);
bool group_has_killed(struct engine_seat *seat); /* for want of memory, since it was last asked */
void group_signal(struct engine_seat *seat, int signal);
/* 1: somebody is left, and its end will be told; 0: nobody; negative: it has to be asked again. */
int group_check(struct engine_seat *seat);
void group_unwatch(struct engine_seat *seat);

/* usage.c: recycling by memory. */
void usage_arm(struct engine *engine);
void usage_on_timer(void *engine, uint64_t value, nsec_t now);

/* tree.c: everything below a worker, and what it left behind. */
void tree_stop(struct engine_seat *seat, int signal);
void tree_kill(struct engine_seat *seat);
void tree_check(struct engine_seat *seat, bool kill);
/* Of a process that has just ended unasked: whether what it may have left goes before the next. */
bool tree_goes_first(const struct engine_seat *seat);
void tree_run_checks(struct engine *engine);
const char *tree_names(const struct engine_seat *seat, char *buffer, size_t size);
void tree_forget(struct engine *engine);
void tree_forget_pool(const struct engine_pool *pool);
void tree_reap(struct engine *engine); /* children of ours that are no workers, and have ended */
