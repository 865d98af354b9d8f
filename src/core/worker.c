/* SPDX-License-Identifier: MIT */
#include "core/worker_internal.h"

#include "base/macro.h"

static const struct {
    const char *name;
    bool alive;
} states[] = {
#define X(name, text, alive) [WORKER_##name] = {text, alive},
    WORKER_STATES(X)
#undef X
};

const char *worker_state_name(enum worker_state state) {
    return state < WORKER_STATE_MAX ? states[state].name : "unknown";
}

bool worker_state_is_alive(enum worker_state state) {
    return state < WORKER_STATE_MAX && states[state].alive;
}

const char *report_kind_name(enum report_kind kind) {
    static const char *const names[] = {
#define X(name, text, level) [REPORT_##name] = text,
        REPORT_KINDS(X)
#undef X
    };

    return kind < REPORT_MAX ? names[kind] : "unknown";
}

enum log_level report_kind_level(enum report_kind kind) {
    static const enum log_level levels[] = {
#define X(name, text, level) [REPORT_##name] = LEVEL_##level,
        REPORT_KINDS(X)
#undef X
    };

    return levels[kind];
}

struct worker_rules worker_rules_default(void) {
    return (struct worker_rules){
        .backoff = backoff_default(),
        .max_restarts = UINT64_MAX,
        .stop_timeout = 10 * NSEC_PER_SEC,
        .stop_signal = 15,
        .watchdog_signal = 6,
        .start_timeout = NSEC_NEVER,
        .runtime_max = NSEC_NEVER,
        .recycle_after = NSEC_NEVER,
        .send_kill = true,
    };
}

void worker_init(
    struct worker *worker, uint32_t number, uint32_t seat, struct worker_ledger *ledger) {
    *worker = (struct worker){
        .number = number,
        .seat = seat,
        .token = worker->token,
        .side_token = worker->side_token,
        .state = WORKER_STOPPED,
        .clean = true,
    };
    ledger->states[WORKER_STOPPED]++;
}

struct action *worker_act(struct step *s, enum action_kind kind) {
    return outbox_push(s->outbox, kind, s->worker->seat);
}

struct report *worker_report(struct step *s, enum report_kind kind) {
    struct report *report = &worker_act(s, ACTION_REPORT)->report;

    *report = (struct report){
        .kind = kind,
        .role = s->worker->role,
        .worker = s->worker->number,
        .seat = s->worker->seat,
        .generation = s->worker->generation,
        .pid = s->worker->pid,
        .cause = s->worker->cause,
    };
    return report;
}

/* Says nothing where the timer is already as it should be. */
void worker_set_timer(struct step *s, nsec_t when) {
    struct worker *worker = s->worker;

    if (when == (worker->has_timer ? worker->timer : NSEC_NEVER))
        return;
    worker->has_timer = when != NSEC_NEVER;
    worker->timer = when;
    worker->token++;

    struct action *action = worker_act(s, ACTION_SET_TIMER);
    action->timer.when = when;
    action->timer.token = worker->token;
}

/* The timer belongs to the state, and so does a process beside the main one. */
void worker_enter(struct step *s, enum worker_state state, nsec_t until) {
    s->ledger->states[s->worker->state]--;
    s->ledger->states[state]++;
    s->worker->state = state;
    if (s->worker->has_side) {
        s->worker->has_side = false;
        worker_act(s, ACTION_KILL_SIDE);
    }
    worker_set_timer(s, until);
}

/* Begins. */

void worker_begin_step(struct step *s, enum step_role role, uint32_t step, bool fresh) {
    static const enum worker_state state_of[] = {
        [ROLE_PRE] = WORKER_PREPARING,
        [ROLE_MAIN] = WORKER_STARTING,
        [ROLE_STOP_POST] = WORKER_CLEANING,
    };

    s->worker->role = role;
    s->worker->step = step;
    worker_enter(s, state_of[role], s->worker->deadline);
    struct action *action = worker_act(s, ACTION_SPAWN);
    action->spawn.role = role;
    action->spawn.step = step;
    action->spawn.fresh = fresh;
}

void worker_spawn(struct step *s, bool fresh) {
    struct worker *worker = s->worker;

    worker->generation = MAX(worker->generation, worker->past) + 1;
    worker->started = s->event->now;
    worker->deadline = nsec_add(s->event->now, s->rules->start_timeout);
    worker->watchdog = s->rules->watchdog;
    worker->forced = worker->unasked = worker->said_ready = worker->aged = false;
    worker->doom = (struct cause){0};
    worker_begin_step(s, s->rules->n_pre > 0 ? ROLE_PRE : ROLE_MAIN, 0, fresh);
}

static void forget_failures(struct step *s) {
    s->worker->backoff = (struct backoff){0};
    s->worker->start_limit = (struct start_limit){0};
}

void worker_spawn_fresh(struct step *s) {
    forget_failures(s);
    start_limit_admit(&s->worker->start_limit, &s->rules->start_limit, s->event->now);
    worker_spawn(s, true);
}

static void on_start(struct step *s) {
    s->worker->wanted = true;
    worker_spawn_fresh(s);
}

/* FAILED may still hold a process that SIGKILL did not end: no second one beside it. */
static void on_start_failed(struct step *s) {
    worker_on_want_up(s);
    if (s->worker->pid == 0)
        worker_spawn_fresh(s);
}

static void on_backoff_over(struct step *s) {
    worker_spawn(s, false);
}

static void on_spawned(struct step *s) {
    s->worker->pid = s->event->pid;
    if (s->worker->role == ROLE_STOP_POST)
        return;
    s->worker->cause = (struct cause){0};
    if (s->worker->role == ROLE_MAIN)
        worker_report(s, REPORT_STARTED);
}

static void on_reset(struct step *s) {
    forget_failures(s);
}

static void on_reset_ended(struct step *s) {
    forget_failures(s);
    if (s->worker->pid != 0)
        return;
    s->worker->clean = true;
    worker_enter(s, WORKER_STOPPED, NSEC_NEVER);
}

/* Being ready. */

static nsec_t recycle_time(const struct step *s) {
    if (s->rules->recycle_after == NSEC_NEVER)
        return NSEC_NEVER;
    return nsec_add(s->event->now, backoff_jitter(s->rules->recycle_after,
                                       s->rules->recycle_jitter_permille, &s->ledger->random));
}

static nsec_t runtime_end(const struct step *s) {
    nsec_t extra = s->rules->runtime_extra;

    if (s->rules->runtime_max == NSEC_NEVER)
        return NSEC_NEVER;
    if (extra > 0)
        extra = random_below(&s->ledger->random, nsec_add(extra, 1));
    return nsec_add(nsec_add(s->event->now, s->rules->runtime_max), extra);
}

/* A sign of life moves nothing: the timer, once it fires, sees that it is not yet time. */
static nsec_t watchdog_end(const struct worker *worker) {
    return worker->watchdog == 0 ? NSEC_NEVER : nsec_add(worker->alive, worker->watchdog);
}

static nsec_t next_in_ready(const struct worker *worker) {
    nsec_t first = MIN(worker->deadline, worker->recycle);
    nsec_t watchdog = watchdog_end(worker);

    return MIN(first, watchdog);
}

void worker_count_up(struct step *s) {
    s->ledger->ever_up += !s->worker->was_up;
    s->worker->was_up = true;
}

static void become_ready(struct step *s) {
    struct worker *worker = s->worker;

    if (!worker->once) /* the pool counts it when it takes its place */
        worker_count_up(s);
    worker->alive = s->event->now;
    worker->deadline = runtime_end(s);
    worker->recycle = recycle_time(s);
    worker_enter(s, WORKER_READY, next_in_ready(worker));
    worker_report(s, REPORT_READY);
}

static void on_watchdog(struct step *s) {
    worker_doom(s, (struct cause){.kind = CAUSE_WATCHDOG}, s->rules->watchdog_signal,
        "the watchdog had no sign of life");
}

static void on_trigger(struct step *s) {
    worker_doom(s, (struct cause){.kind = CAUSE_WATCHDOG}, s->rules->watchdog_signal,
        "it triggered its watchdog itself");
}

static void on_ready_timer(struct step *s) {
    struct worker *worker = s->worker;

    if (s->event->now >= watchdog_end(worker)) {
        on_watchdog(s);
        return;
    }
    if (s->event->now >= worker->deadline) {
        worker_doom(s, (struct cause){.kind = CAUSE_RUNTIME}, s->rules->stop_signal,
            "it has run for its longest time");
        return;
    }
    if (s->event->now >= worker->recycle) {
        worker->aged = true;
        worker->recycle = recycle_time(s);
    }
    worker_set_timer(s, next_in_ready(worker));
}

static void on_start_timeout(struct step *s) {
    worker_doom(s, (struct cause){.kind = CAUSE_START_TIMEOUT}, s->rules->stop_signal,
        "the start timeout is over");
}

static void on_alive(struct step *s) {
    s->worker->alive = s->event->now;
}

static void on_watchdog_set(struct step *s) {
    s->worker->watchdog = s->event->value;
    s->worker->alive = s->event->now;
    if (s->worker->state == WORKER_READY)
        worker_set_timer(s, next_in_ready(s->worker));
}

static void on_extend(struct step *s) {
    nsec_t until = nsec_add(s->event->now, s->event->value);

    if (until <= s->worker->deadline)
        return;
    s->worker->deadline = until;
    worker_set_timer(s, s->worker->state == WORKER_READY ? next_in_ready(s->worker) : until);
}

/* Beside the main process. */

bool worker_tolerates(uint64_t tolerated, uint32_t step) {
    return step < 64 && (tolerated >> step & 1);
}

static void spawn_side(struct step *s, enum step_role role, uint32_t step) {
    struct action *action = worker_act(s, ACTION_SPAWN_SIDE);

    s->worker->has_side = true;
    s->worker->side_role = role;
    s->worker->side_step = step;
    action->spawn.role = role;
    action->spawn.step = step;
    action->spawn.token = ++s->worker->side_token;
}

static void on_ready(struct step *s) {
    s->ledger->proven = true;
    if (s->rules->oneshot || s->worker->said_ready)
        return;
    s->worker->said_ready = true;
    if (s->rules->n_post > 0)
        spawn_side(s, ROLE_POST, 0);
    else
        become_ready(s);
}

static void on_reload(struct step *s) {
    if (s->rules->n_reload > 0 && !s->worker->has_side)
        spawn_side(s, ROLE_RELOAD, 0);
}

static void side_failed(struct step *s) {
    if (s->worker->side_role == ROLE_POST)
        worker_doom(s, s->event->cause, s->rules->stop_signal, "an ExecStartPost= command failed");
    else
        worker_report(s, REPORT_RELOAD_FAILED)->cause = s->event->cause;
}

static void on_side_exited(struct step *s) {
    struct worker *worker = s->worker;
    bool is_post = worker->side_role == ROLE_POST;
    uint32_t count = is_post ? s->rules->n_post : s->rules->n_reload;
    uint64_t tolerated = is_post ? s->rules->post_tolerated : s->rules->reload_tolerated;
    struct cause cause = s->event->cause;

    worker->has_side = false;
    if ((cause.kind != CAUSE_EXIT || cause.value != 0) &&
        !worker_tolerates(tolerated, worker->side_step))
        side_failed(s);
    else if (worker->side_step + 1 < count)
        spawn_side(s, worker->side_role, worker->side_step + 1);
    else if (is_post)
        become_ready(s);
    else
        worker_report(s, REPORT_RELOADED);
}

typedef void (*handler)(struct step *s);

/* What is not in the table is refused without a trace: it means nothing in that state. */
static const handler table[WORKER_STATE_MAX][EVENT_MAX] = {
    [WORKER_STOPPED] =
        {
            [EVENT_START] = on_start,
            [EVENT_RESTART] = on_start,
            [EVENT_RESET] = on_reset,
        },
    [WORKER_PREPARING] =
        {
            [EVENT_STOP] = worker_on_stop,
            [EVENT_RESTART] = worker_on_restart,
            [EVENT_KILL] = worker_on_kill,
            [EVENT_RESET] = on_reset,
            [EVENT_SPAWNED] = on_spawned,
            [EVENT_SPAWN_FAILED] = worker_on_spawn_failed,
            [EVENT_EXTEND] = on_extend,
            [EVENT_EXITED] = worker_on_prepared,
            [EVENT_TIMER] = on_start_timeout,
        },
    [WORKER_STARTING] =
        {
            [EVENT_STOP] = worker_on_stop,
            [EVENT_RESTART] = worker_on_restart,
            [EVENT_KILL] = worker_on_kill,
            [EVENT_RESET] = on_reset,
            [EVENT_SPAWNED] = on_spawned,
            [EVENT_SPAWN_FAILED] = worker_on_spawn_failed,
            [EVENT_READY] = on_ready,
            [EVENT_WATCHDOG_SET] = on_watchdog_set,
            [EVENT_WATCHDOG_TRIGGER] = on_trigger,
            [EVENT_EXTEND] = on_extend,
            [EVENT_EXITED] = worker_on_unasked_exit,
            [EVENT_SIDE_EXITED] = on_side_exited,
            [EVENT_TIMER] = on_start_timeout,
        },
    [WORKER_READY] =
        {
            [EVENT_STOP] = worker_on_stop,
            [EVENT_RESTART] = worker_on_restart,
            [EVENT_KILL] = worker_on_kill,
            [EVENT_RELOAD] = on_reload,
            [EVENT_RESET] = on_reset,
            [EVENT_ALIVE] = on_alive,
            [EVENT_WATCHDOG_SET] = on_watchdog_set,
            [EVENT_WATCHDOG_TRIGGER] = on_trigger,
            [EVENT_EXTEND] = on_extend,
            [EVENT_EXITED] = worker_on_unasked_exit,
            [EVENT_SIDE_EXITED] = on_side_exited,
            [EVENT_TIMER] = on_ready_timer,
        },
    [WORKER_STOPPING] =
        {
            [EVENT_START] = worker_on_want_up,
            [EVENT_RESTART] = worker_on_want_up,
            [EVENT_STOP] = worker_on_want_down,
            [EVENT_KILL] = worker_on_kill,
            [EVENT_RESET] = on_reset,
            [EVENT_EXTEND] = on_extend,
            [EVENT_EXITED] = worker_on_asked_exit,
            [EVENT_TIMER] = worker_on_stop_timeout,
        },
    [WORKER_KILLING] =
        {
            [EVENT_START] = worker_on_want_up,
            [EVENT_RESTART] = worker_on_want_up,
            [EVENT_STOP] = worker_on_want_down,
            [EVENT_KILL] = worker_on_want_down,
            [EVENT_RESET] = on_reset,
            [EVENT_EXITED] = worker_on_asked_exit,
            [EVENT_TIMER] = worker_on_unkillable,
        },
    [WORKER_DRAINING] =
        {
            [EVENT_START] = worker_on_want_up,
            [EVENT_RESTART] = worker_on_want_up,
            [EVENT_STOP] = worker_on_want_down,
            [EVENT_KILL] = worker_on_kill_in_draining,
            [EVENT_RESET] = on_reset,
            [EVENT_TREE_GONE] = worker_on_drained,
            [EVENT_TIMER] = worker_on_drain_timeout,
        },
    [WORKER_CLEANING] =
        {
            [EVENT_START] = worker_on_want_up,
            [EVENT_RESTART] = worker_on_want_up,
            [EVENT_STOP] = worker_on_stop_in_cleaning,
            [EVENT_KILL] = worker_on_kill_in_cleaning,
            [EVENT_RESET] = on_reset,
            [EVENT_SPAWNED] = on_spawned,
            [EVENT_SPAWN_FAILED] = worker_on_clean_up_failed,
            [EVENT_EXTEND] = on_extend,
            [EVENT_EXITED] = worker_on_cleaned,
            [EVENT_TIMER] = worker_on_stop_timeout,
        },
    [WORKER_BACKOFF] =
        {
            [EVENT_START] = on_start,
            [EVENT_RESTART] = on_start,
            [EVENT_STOP] = worker_on_stop_in_backoff,
            [EVENT_KILL] = worker_on_kill_in_backoff,
            [EVENT_RESET] = on_reset,
            [EVENT_TIMER] = on_backoff_over,
        },
    [WORKER_DONE] =
        {
            [EVENT_START] = on_start,
            [EVENT_RESTART] = on_start,
            [EVENT_RESET] = on_reset_ended,
        },
    [WORKER_FAILED] =
        {
            [EVENT_START] = on_start_failed,
            [EVENT_RESTART] = on_start_failed,
            [EVENT_STOP] = worker_on_want_down,
            [EVENT_KILL] = worker_on_want_down,
            [EVENT_RESET] = on_reset_ended,
            [EVENT_EXITED] = worker_on_late_exit,
        },
};

static bool is_stale(const struct worker *worker, const struct worker_event *event) {
    switch (event->kind) {
    case EVENT_READY:
    case EVENT_ALIVE:
    case EVENT_WATCHDOG_SET:
    case EVENT_WATCHDOG_TRIGGER:
    case EVENT_EXTEND:
    case EVENT_TREE_GONE:
        return event->generation != worker->generation;
    case EVENT_EXITED:
        return event->generation != worker->generation || worker->pid == 0;
    case EVENT_TIMER:
        return !worker->has_timer || event->token != worker->token;
    case EVENT_SIDE_EXITED:
        return !worker->has_side || event->token != worker->side_token;
    case EVENT_START:
    case EVENT_STOP:
    case EVENT_RESTART:
    case EVENT_KILL:
    case EVENT_RELOAD:
    case EVENT_RESET:
    case EVENT_SPAWNED:
    case EVENT_SPAWN_FAILED:
    case EVENT_MAX:
        break;
    }
    return false;
}

void worker_step(struct worker *worker, const struct worker_event *event,
    const struct worker_rules *rules, struct worker_ledger *ledger, struct outbox *outbox) {
    handler handle = table[worker->state][event->kind];

    if (!handle || is_stale(worker, event))
        return;
    if (event->kind == EVENT_TIMER)
        worker->has_timer = false; /* it has fired: nothing is left to disarm */
    handle(&(struct step){worker, event, rules, ledger, outbox});
}
