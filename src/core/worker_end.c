/* SPDX-License-Identifier: MIT */

/*
 * The end of a start: how a process is asked to go, what is made of its going, what comes after.
 *
 * However a start ends, it comes to clean_up() once, which runs the commands of ROLE_STOP_POST if
 * there are any, and from there to conclude(): what was asked for is done, what was not is judged.
 */

#include "base/macro.h"
#include "core/worker_internal.h"

/* A failed spawn is tried again no sooner than this, even where the pool has no backoff. */
#define SPAWN_RETRY (100 * NSEC_PER_MSEC)

static void spawn_after(struct step *s, nsec_t delay) {
    if (delay == 0 && !s->worker->watched) {
        worker_spawn(s, false);
        return;
    }
    worker_enter(s, WORKER_BACKOFF, nsec_add(s->event->now, delay));
    worker_report(s, REPORT_BACKOFF)->delay = delay;
}

static void give_up(struct step *s, const char *reason) {
    s->worker->clean = false;
    worker_enter(s, WORKER_FAILED, NSEC_NEVER);
    worker_report(s, REPORT_GIVEN_UP)->reason = reason;
}

static void restarts_used_up(struct step *s) {
    give_up(s, "the pool's restarts are used up");
    if (s->ledger->exhausted)
        return;
    s->ledger->exhausted = true;
    worker_report(s, REPORT_RESTART_LIMIT);
    worker_act(s, ACTION_BROADCAST)->event = EVENT_STOP;
}

static void start_limit_hit(struct step *s) {
    give_up(s, "the start limit is reached");
    switch (s->rules->start_limit.action) {
    case LIMIT_GIVE_UP:
    case LIMIT_ACTION_MAX:
        break;
    case LIMIT_STOP:
        worker_act(s, ACTION_BROADCAST)->event = EVENT_STOP;
        break;
    case LIMIT_EXIT:
        worker_act(s, ACTION_SHUT_DOWN);
        break;
    }
}

static nsec_t next_delay(struct step *s, nsec_t ran) {
    return backoff_next(&s->worker->backoff, &s->rules->backoff, ran, &s->ledger->random);
}

static void restart(struct step *s) {
    if (s->ledger->restarts >= s->rules->max_restarts) {
        restarts_used_up(s);
        return;
    }
    nsec_t delay = next_delay(s, s->worker->ran);
    if (!start_limit_admit(
            &s->worker->start_limit, &s->rules->start_limit, nsec_add(s->event->now, delay))) {
        start_limit_hit(s);
        return;
    }
    s->ledger->restarts++;
    s->worker->restarts++;
    spawn_after(s, delay);
}

static void judge(struct step *s) {
    struct worker *worker = s->worker;
    struct verdict verdict = restart_policy_judge(&s->rules->restart, worker->cause);

    worker->clean = verdict.clean;
    if (worker->once)
        give_up(s, "a replacement is tried once");
    else if (!s->ledger->proven && !cause_can_heal(worker->cause))
        give_up(s, "the command could never be run");
    else if (verdict.restart && !(s->rules->oneshot && verdict.clean))
        restart(s);
    else if (verdict.clean) {
        worker_count_up(s);
        worker_enter(s, WORKER_DONE, NSEC_NEVER);
        worker_report(s, REPORT_DONE)->reason = verdict.reason;
    } else
        give_up(s, verdict.reason);
}

static void stopped(struct step *s) {
    worker_report(s, REPORT_STOPPED);
    if (s->worker->wanted)
        worker_spawn_fresh(s);
    else
        worker_enter(s, WORKER_STOPPED, NSEC_NEVER);
}

/* No process could be made. That is the machine's trouble: it heals, and counts against nobody. */
static void retry_spawn(struct step *s) {
    nsec_t delay = next_delay(s, 0);

    spawn_after(s, MAX(delay, SPAWN_RETRY));
}

static void conclude(struct step *s) {
    if (!s->worker->unasked)
        stopped(s);
    else if (s->worker->cause.kind == CAUSE_SPAWN && !s->worker->once)
        retry_spawn(s);
    else
        judge(s);
}

/* A stop that has come to SIGKILL once does not wait for long any more. */
static nsec_t cleaning_time(const struct step *s) {
    nsec_t timeout = s->rules->stop_timeout;

    return timeout == 0 || (s->worker->forced && timeout > KILL_PATIENCE) ? KILL_PATIENCE : timeout;
}

static void clean_up_from(struct step *s, uint32_t step) {
    if (step >= s->rules->n_stop_post) {
        conclude(s);
        return;
    }
    s->worker->deadline = nsec_add(s->event->now, cleaning_time(s));
    worker_begin_step(s, ROLE_STOP_POST, step, false);
}

static void clean_up(struct step *s) {
    clean_up_from(s, 0);
}

/* Ends. */

static bool is_success(struct cause cause) {
    return cause.kind == CAUSE_EXIT && cause.value == 0;
}

static bool is_timely(enum cause_kind kind) {
    return kind == CAUSE_START_TIMEOUT || kind == CAUSE_WATCHDOG || kind == CAUSE_RUNTIME;
}

/* What ended it is the doom; a signal that it took, only the means. */
static struct cause final_cause(struct cause doom, struct cause end) {
    if (doom.kind == CAUSE_NONE)
        return end;
    if (is_timely(doom.kind) && (end.kind == CAUSE_SIGNAL || end.kind == CAUSE_CORE)) {
        doom.status = end.kind == CAUSE_CORE;
        doom.value = end.value;
    }
    return doom;
}

/* It was to say that it serves, and has never done so. */
static bool is_unready(const struct step *s) {
    const struct worker *worker = s->worker;

    return s->rules->must_be_ready && !s->rules->oneshot && worker->state == WORKER_STARTING &&
           !worker->said_ready && restart_policy_is_clean(&s->rules->restart, s->event->cause);
}

static struct cause cause_of(const struct step *s) {
    return is_unready(s) ? cause_unready(s->event->cause)
                         : final_cause(s->worker->doom, s->event->cause);
}

static const char *reason_of(const struct worker *worker) {
    if (worker->role == ROLE_PRE && worker->doom.kind == CAUSE_NONE)
        return "an ExecStartPre= command failed";
    if (worker->role == ROLE_STOP_POST)
        return "an ExecStopPost= command failed";
    return worker->doom.kind != CAUSE_NONE && !is_timely(worker->doom.kind)
               ? "an ExecStartPost= command failed"
               : NULL;
}

/* Takes note of the end of the process: the main one, or what was to come before it. */
static void bury(struct step *s) {
    struct worker *worker = s->worker;

    worker->ran = nsec_sub(s->event->now, worker->started);
    worker->cause = cause_of(s);
    struct report *report = worker_report(s, REPORT_EXITED);
    report->ran = worker->ran;
    report->reason = worker->unasked || worker->role == ROLE_MAIN ? reason_of(worker) : NULL;
    worker->pid = 0;
}

/* A command whose success is not worth a word, and whose failure changes nothing. */
static void bury_quietly(struct step *s) {
    if (!is_success(s->event->cause)) {
        struct report *report = worker_report(s, REPORT_EXITED);

        report->cause = s->event->cause;
        report->reason = reason_of(s->worker);
    }
    s->worker->pid = 0;
}

void worker_on_prepared(struct step *s) {
    uint32_t step = s->worker->step;

    if (!is_success(s->event->cause) && !worker_tolerates(s->rules->pre_tolerated, step)) {
        s->worker->unasked = true;
        bury(s);
        clean_up(s);
        return;
    }
    bury_quietly(s);
    if (step + 1 < s->rules->n_pre)
        worker_begin_step(s, ROLE_PRE, step + 1, false);
    else
        worker_begin_step(s, ROLE_MAIN, 0, false);
}

/* Its process has ended before: as long as cleaning up may take, so long may what it has left. */
static void drain(struct step *s) {
    s->worker->deadline = nsec_add(s->event->now, cleaning_time(s));
    worker_enter(s, WORKER_DRAINING, s->worker->deadline);
    worker_act(s, s->worker->forced ? ACTION_KILL_TREE : ACTION_CHECK_TREE);
}

void worker_on_unasked_exit(struct step *s) {
    s->worker->unasked = true;
    s->ledger->proven |= s->event->cause.kind != CAUSE_EXEC;
    bury(s);
    if (s->event->left)
        drain(s);
    else
        clean_up(s);
}

void worker_on_spawn_failed(struct step *s) {
    s->worker->unasked = true;
    s->worker->ran = 0;
    s->worker->cause = s->event->cause;
    worker_report(s, REPORT_SPAWN_FAILED);
    clean_up(s);
}

void worker_on_cleaned(struct step *s) {
    bury_quietly(s);
    clean_up_from(s, s->worker->step + 1);
}

void worker_on_clean_up_failed(struct step *s) {
    worker_report(s, REPORT_SPAWN_FAILED)->cause = s->event->cause;
    clean_up_from(s, s->worker->step + 1);
}

void worker_on_drained(struct step *s) {
    clean_up_from(s, s->worker->role == ROLE_STOP_POST ? s->worker->step + 1 : 0);
}

/* Ending by the stop signal, or with the status by which shells tell of it, is what was asked. */
static bool obeyed(const struct step *s) {
    struct cause cause = s->event->cause;

    if (s->worker->forced || s->worker->unasked)
        return false;
    return restart_policy_is_clean(&s->rules->restart, cause) ||
           cause_exit_status(cause) == 128 + s->rules->stop_signal;
}

void worker_on_asked_exit(struct step *s) {
    struct worker *worker = s->worker;

    if (worker->role == ROLE_STOP_POST)
        bury_quietly(s);
    else {
        bury(s);
        worker->clean = obeyed(s);
    }
    worker_enter(s, WORKER_DRAINING,
        worker->forced ? nsec_add(s->event->now, KILL_PATIENCE) : worker->deadline);
    worker_act(s, worker->forced ? ACTION_KILL_TREE : ACTION_CHECK_TREE);
}

/* FAILED still held a process, and here is its end after all. */
void worker_on_late_exit(struct step *s) {
    struct worker *worker = s->worker;

    if (worker->role == ROLE_STOP_POST)
        bury_quietly(s);
    else
        bury(s);
    if (worker->unasked)
        worker_on_drained(s);
    else if (worker->wanted)
        worker_spawn_fresh(s);
}

/* Stops. */

static void kill_tree(struct step *s, const char *reason) {
    s->worker->forced = true;
    worker_enter(s, WORKER_KILLING, nsec_add(s->event->now, KILL_PATIENCE));
    worker_report(s, REPORT_KILLING)->reason = reason;
    worker_act(s, ACTION_KILL_TREE);
}

static void begin_stop(struct step *s, int signal, const char *reason) {
    if (s->rules->stop_timeout == 0 && s->rules->send_kill) {
        kill_tree(s, reason ?: "the stop timeout is 0");
        return;
    }
    s->worker->deadline = nsec_add(s->event->now, s->rules->stop_timeout);
    worker_enter(s, WORKER_STOPPING, s->worker->deadline);
    worker_report(s, REPORT_STOPPING)->reason = reason;
    worker_act(s, ACTION_SIGNAL)->signal = signal;
}

void worker_doom(struct step *s, struct cause doom, int signal, const char *reason) {
    s->worker->unasked = true;
    s->worker->doom = doom;
    begin_stop(s, signal, reason);
}

/* By hand: whatever the end under way is for, it is what is wanted now. */
static void want(struct step *s, bool wanted) {
    s->worker->wanted = wanted;
    s->worker->unasked = false;
    s->worker->doom = (struct cause){0};
}

void worker_on_want_up(struct step *s) {
    want(s, true);
}

void worker_on_want_down(struct step *s) {
    want(s, false);
}

void worker_on_stop(struct step *s) {
    want(s, false);
    begin_stop(s, s->rules->stop_signal, NULL);
}

void worker_on_restart(struct step *s) {
    want(s, true);
    begin_stop(s, s->rules->stop_signal, NULL);
}

void worker_on_kill(struct step *s) {
    want(s, false);
    kill_tree(s, "asked to stop at once");
}

/* Its end was cleaned up after, but what it has left may be there. */
static void drain_in_backoff(struct step *s, bool forced) {
    want(s, false);
    s->worker->unasked = false;
    s->worker->clean = true;
    s->worker->forced = forced;
    drain(s);
}

void worker_on_stop_in_backoff(struct step *s) {
    drain_in_backoff(s, false);
}

void worker_on_kill_in_backoff(struct step *s) {
    drain_in_backoff(s, true);
}

void worker_on_stop_in_cleaning(struct step *s) {
    s->worker->clean |= s->worker->unasked;
    want(s, false);
}

/* The command that runs is the last one. */
void worker_on_kill_in_cleaning(struct step *s) {
    s->worker->step = s->rules->n_stop_post;
    worker_on_kill(s);
}

static void force_drain(struct step *s, const char *reason) {
    s->worker->forced = true;
    worker_report(s, REPORT_KILLING)->reason = reason;
    worker_act(s, ACTION_KILL_TREE);
    worker_set_timer(s, nsec_add(s->event->now, KILL_PATIENCE));
}

void worker_on_kill_in_draining(struct step *s) {
    want(s, false);
    if (!s->worker->forced)
        force_drain(s, "asked to stop at once");
}

static void leave(struct step *s, const char *reason) {
    worker_report(s, REPORT_LEFTOVER);
    give_up(s, reason);
}

void worker_on_unkillable(struct step *s) {
    leave(s, "SIGKILL did not end it");
}

void worker_on_stop_timeout(struct step *s) {
    if (s->rules->send_kill)
        kill_tree(s, "the stop timeout is over");
    else
        leave(s, "the stop timeout is over, and it is not to be killed");
}

void worker_on_drain_timeout(struct step *s) {
    if (!s->worker->forced && s->rules->send_kill) {
        force_drain(s, "the stop timeout is over and some of the tree is left");
        return;
    }
    worker_report(s, REPORT_LEFTOVER);
    worker_on_drained(s);
}
