/* SPDX-License-Identifier: MIT */
#include "core/worker.h"

#include "base/macro.h"

/* A failed spawn is tried again no sooner than this, even where the pool has no backoff. */
#define SPAWN_RETRY (100 * NSEC_PER_MSEC)

/* How long a SIGKILL may take before what it did not end is called unkillable. */
#define KILL_PATIENCE (10 * NSEC_PER_SEC)

struct step {
    struct worker *worker;
    const struct worker_event *event;
    const struct worker_rules *rules;
    struct worker_ledger *ledger;
    struct outbox *outbox;
};

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
#define X(name, text) [REPORT_##name] = text,
        REPORT_KINDS(X)
#undef X
    };

    return kind < REPORT_MAX ? names[kind] : "unknown";
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

static struct action *act(struct step *s, enum action_kind kind) {
    return outbox_push(s->outbox, kind, s->worker->seat);
}

static struct report *report(struct step *s, enum report_kind kind) {
    struct report *report = &act(s, ACTION_REPORT)->report;

    *report = (struct report){
        .kind = kind,
        .worker = s->worker->number,
        .seat = s->worker->seat,
        .role = s->worker->role,
        .generation = s->worker->generation,
        .pid = s->worker->pid,
        .cause = s->worker->cause,
    };
    return report;
}

static void set_timer(struct step *s, nsec_t when) {
    s->worker->has_timer = when != NSEC_NEVER;
    s->worker->token++;

    struct action *action = act(s, ACTION_SET_TIMER);
    action->timer.when = when;
    action->timer.token = s->worker->token;
}

/* The one place where a state changes. A timer belongs to the state that set it. */
static void enter(struct step *s, enum worker_state state) {
    s->ledger->states[s->worker->state]--;
    s->ledger->states[state]++;
    s->worker->state = state;
    if (s->worker->has_timer)
        set_timer(s, NSEC_NEVER);
}

static void spawn(struct step *s) {
    s->worker->generation = MAX(s->worker->generation, s->worker->past) + 1;
    s->worker->started = s->event->now;
    s->worker->forced = false;
    enter(s, WORKER_STARTING);
    act(s, ACTION_SPAWN);
}

/* By hand: counts as nobody's failure and forgets those before. */
static void spawn_fresh(struct step *s) {
    s->worker->backoff = (struct backoff){0};
    s->worker->start_limit = (struct start_limit){0};
    start_limit_admit(&s->worker->start_limit, &s->rules->start_limit, s->event->now);
    spawn(s);
}

static void spawn_after(struct step *s, nsec_t delay) {
    if (delay == 0) {
        spawn(s);
        return;
    }
    enter(s, WORKER_BACKOFF);
    set_timer(s, nsec_add(s->event->now, delay));
    report(s, REPORT_BACKOFF)->delay = delay;
}

static void give_up(struct step *s, const char *reason) {
    s->worker->clean = false;
    enter(s, WORKER_FAILED);
    report(s, REPORT_GIVEN_UP)->reason = reason;
}

static void restarts_used_up(struct step *s) {
    give_up(s, "the pool's restarts are used up");
    if (s->ledger->exhausted)
        return;
    s->ledger->exhausted = true;
    report(s, REPORT_RESTART_LIMIT);
    act(s, ACTION_BROADCAST)->event = EVENT_STOP;
}

static void start_limit_hit(struct step *s) {
    give_up(s, "the start limit is reached");
    switch (s->rules->start_limit.action) {
    case LIMIT_GIVE_UP:
    case LIMIT_ACTION_MAX:
        break;
    case LIMIT_STOP:
        act(s, ACTION_BROADCAST)->event = EVENT_STOP;
        break;
    case LIMIT_EXIT:
        act(s, ACTION_SHUT_DOWN);
        break;
    }
}

static void restart(struct step *s, nsec_t ran) {
    if (s->ledger->restarts >= s->rules->max_restarts) {
        restarts_used_up(s);
        return;
    }
    nsec_t delay = backoff_next(&s->worker->backoff, &s->rules->backoff, ran, &s->ledger->random);
    if (!start_limit_admit(
            &s->worker->start_limit, &s->rules->start_limit, nsec_add(s->event->now, delay))) {
        start_limit_hit(s);
        return;
    }
    s->ledger->restarts++;
    s->worker->restarts++;
    spawn_after(s, delay);
}

/* Takes note of the end of the process; returns how long it ran. */
static nsec_t bury(struct step *s) {
    nsec_t ran = nsec_sub(s->event->now, s->worker->started);

    s->worker->cause = s->event->cause;
    report(s, REPORT_EXITED)->ran = ran;
    s->worker->pid = 0;
    return ran;
}

/* It has served, or done what it was for, at least once. */
static void count_up(struct step *s) {
    s->ledger->ever_up += !s->worker->was_up;
    s->worker->was_up = true;
}

static void on_unasked_exit(struct step *s) {
    nsec_t ran = bury(s);
    struct verdict verdict = restart_policy_judge(&s->rules->restart, s->event->cause);

    s->worker->clean = verdict.clean;
    s->ledger->proven |= s->event->cause.kind != CAUSE_EXEC;
    if (!s->ledger->proven && !cause_can_heal(s->event->cause))
        give_up(s, "the command could never be run");
    else if (verdict.restart)
        restart(s, ran);
    else if (verdict.clean) {
        count_up(s);
        enter(s, WORKER_DONE);
        report(s, REPORT_DONE)->reason = verdict.reason;
    } else
        give_up(s, verdict.reason);
}

static void on_spawned(struct step *s) {
    s->worker->pid = s->event->pid;
    s->worker->cause = (struct cause){0};
    report(s, REPORT_STARTED);
}

/* No process could be made. That is the machine's trouble: it heals, and counts against nobody. */
static void on_spawn_failed(struct step *s) {
    s->worker->cause = s->event->cause;
    report(s, REPORT_SPAWN_FAILED);
    spawn_after(s, MAX(backoff_next(&s->worker->backoff, &s->rules->backoff, 0, &s->ledger->random),
                       SPAWN_RETRY));
}

static void on_ready(struct step *s) {
    s->ledger->proven = true;
    count_up(s);
    enter(s, WORKER_READY);
    report(s, REPORT_READY);
}

static void kill_tree(struct step *s, const char *reason) {
    s->worker->forced = true;
    enter(s, WORKER_KILLING);
    report(s, REPORT_KILLING)->reason = reason;
    act(s, ACTION_KILL_TREE);
    set_timer(s, nsec_add(s->event->now, KILL_PATIENCE));
}

static void begin_stop(struct step *s) {
    if (s->rules->stop_timeout == 0) {
        kill_tree(s, "the stop timeout is 0");
        return;
    }
    s->worker->deadline = nsec_add(s->event->now, s->rules->stop_timeout);
    enter(s, WORKER_STOPPING);
    report(s, REPORT_STOPPING);
    act(s, ACTION_SIGNAL)->signal = s->rules->stop_signal;
    set_timer(s, s->worker->deadline);
}

static void on_stop(struct step *s) {
    s->worker->wanted = false;
    begin_stop(s);
}

static void on_restart(struct step *s) {
    s->worker->wanted = true;
    begin_stop(s);
}

static void on_start_fresh(struct step *s) {
    s->worker->wanted = true;
    spawn_fresh(s);
}

/* The end of a stop under way decides what happens next. */
static void want_up(struct step *s) {
    s->worker->wanted = true;
}

static void want_down(struct step *s) {
    s->worker->wanted = false;
}

static void on_kill(struct step *s) {
    s->worker->wanted = false;
    kill_tree(s, "asked to stop at once");
}

static void on_stop_timeout(struct step *s) {
    kill_tree(s, "the stop timeout is over");
}

static void stopped(struct step *s) {
    report(s, REPORT_STOPPED);
    if (s->worker->wanted)
        spawn_fresh(s);
    else
        enter(s, WORKER_STOPPED);
}

static void on_stop_in_backoff(struct step *s) {
    s->worker->wanted = false;
    s->worker->clean = true;
    stopped(s);
}

/* Ending by the stop signal, or with the status by which shells tell of it, is what was asked. */
static bool obeyed(const struct step *s) {
    struct cause cause = s->event->cause;

    if (s->worker->forced)
        return false;
    return restart_policy_is_clean(&s->rules->restart, cause) ||
           cause_exit_status(cause) == 128 + s->rules->stop_signal;
}

static void on_asked_exit(struct step *s) {
    bury(s);
    s->worker->clean = obeyed(s);
    enter(s, WORKER_DRAINING);
    act(s, s->worker->forced ? ACTION_KILL_TREE : ACTION_CHECK_TREE);
    set_timer(s, s->worker->forced ? nsec_add(s->event->now, KILL_PATIENCE) : s->worker->deadline);
}

static void on_unkillable(struct step *s) {
    report(s, REPORT_LEFTOVER);
    give_up(s, "SIGKILL did not end it");
}

static void force_drain(struct step *s, const char *reason) {
    s->worker->forced = true;
    report(s, REPORT_KILLING)->reason = reason;
    act(s, ACTION_KILL_TREE);
    set_timer(s, nsec_add(s->event->now, KILL_PATIENCE));
}

static void on_drain_timeout(struct step *s) {
    if (!s->worker->forced) {
        force_drain(s, "the stop timeout is over and some of the tree is left");
        return;
    }
    report(s, REPORT_LEFTOVER);
    stopped(s);
}

static void on_drain_kill(struct step *s) {
    s->worker->wanted = false;
    if (!s->worker->forced)
        force_drain(s, "asked to stop at once");
}

/* FAILED may still hold a process that SIGKILL did not end: no second one beside it. */
static void on_start_failed(struct step *s) {
    s->worker->wanted = true;
    if (s->worker->pid == 0)
        spawn_fresh(s);
}

static void on_late_exit(struct step *s) {
    bury(s);
    if (s->worker->wanted)
        spawn_fresh(s);
}

typedef void (*handler)(struct step *s);

/* What is not in the table is refused without a trace: it means nothing in that state. */
static const handler table[WORKER_STATE_MAX][EVENT_MAX] = {
    [WORKER_STOPPED] =
        {
            [EVENT_START] = on_start_fresh,
            [EVENT_RESTART] = on_start_fresh,
        },
    [WORKER_STARTING] =
        {
            [EVENT_STOP] = on_stop,
            [EVENT_RESTART] = on_restart,
            [EVENT_KILL] = on_kill,
            [EVENT_SPAWNED] = on_spawned,
            [EVENT_SPAWN_FAILED] = on_spawn_failed,
            [EVENT_READY] = on_ready,
            [EVENT_EXITED] = on_unasked_exit,
        },
    [WORKER_READY] =
        {
            [EVENT_STOP] = on_stop,
            [EVENT_RESTART] = on_restart,
            [EVENT_KILL] = on_kill,
            [EVENT_EXITED] = on_unasked_exit,
        },
    [WORKER_STOPPING] =
        {
            [EVENT_START] = want_up,
            [EVENT_RESTART] = want_up,
            [EVENT_STOP] = want_down,
            [EVENT_KILL] = on_kill,
            [EVENT_EXITED] = on_asked_exit,
            [EVENT_TIMER] = on_stop_timeout,
        },
    [WORKER_KILLING] =
        {
            [EVENT_START] = want_up,
            [EVENT_RESTART] = want_up,
            [EVENT_STOP] = want_down,
            [EVENT_KILL] = want_down,
            [EVENT_EXITED] = on_asked_exit,
            [EVENT_TIMER] = on_unkillable,
        },
    [WORKER_DRAINING] =
        {
            [EVENT_START] = want_up,
            [EVENT_RESTART] = want_up,
            [EVENT_STOP] = want_down,
            [EVENT_KILL] = on_drain_kill,
            [EVENT_TREE_GONE] = stopped,
            [EVENT_TIMER] = on_drain_timeout,
        },
    [WORKER_BACKOFF] =
        {
            [EVENT_START] = on_start_fresh,
            [EVENT_RESTART] = on_start_fresh,
            [EVENT_STOP] = on_stop_in_backoff,
            [EVENT_KILL] = on_stop_in_backoff,
            [EVENT_TIMER] = spawn,
        },
    [WORKER_DONE] =
        {
            [EVENT_START] = on_start_fresh,
            [EVENT_RESTART] = on_start_fresh,
        },
    [WORKER_FAILED] =
        {
            [EVENT_START] = on_start_failed,
            [EVENT_RESTART] = on_start_failed,
            [EVENT_STOP] = want_down,
            [EVENT_KILL] = want_down,
            [EVENT_EXITED] = on_late_exit,
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
    case EVENT_START:
    case EVENT_STOP:
    case EVENT_RESTART:
    case EVENT_KILL:
    case EVENT_RELOAD:
    case EVENT_RESET:
    case EVENT_SIDE_EXITED:
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
