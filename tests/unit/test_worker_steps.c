/* SPDX-License-Identifier: MIT */

/* What happens before, beside and after the main process, and what dooms it. */

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>

#include "base/macro.h"
#include "machine.h"

static struct machine machine_with(struct worker_rules rules) {
    struct machine m = machine_new();

    rules.restart.mode = RESTART_ON_FAILURE;
    rules.backoff.jitter_permille = 0;
    m.rules = rules;
    return m;
}

static const struct action *action_of(const struct machine *m, enum action_kind kind) {
    for (uint32_t i = 0; i < m->outbox.count; i++)
        if (m->outbox.actions[i].kind == kind)
            return &m->outbox.actions[i];
    cr_assert_fail("no such action in '%s'", machine_said(m));
    return NULL;
}

static void said(const struct machine *m, const char *actions) {
    cr_assert_str_eq(machine_said(m), actions, "'%s', not '%s'", machine_said(m), actions);
}

/* The last step asked for that process; it is made. */
static void spawns(struct machine *m, enum step_role role, uint32_t step) {
    const struct action *action = action_of(m, ACTION_SPAWN);

    cr_assert_eq(action->spawn.role, role);
    cr_assert_eq(action->spawn.step, step);
    machine_feed(m, EVENT_SPAWNED);
}

static void side_exits(struct machine *m, int status) {
    struct worker_event event = machine_event(m, EVENT_SIDE_EXITED);

    event.cause = (struct cause){.kind = CAUSE_EXIT, .value = status};
    machine_step(m, event);
}

static void after(struct machine *m, nsec_t time) {
    m->now += time;
    machine_feed(m, EVENT_TIMER);
}

Test(steps, run_in_their_order)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_pre = rules.n_stop_post = 2;
    struct machine m = machine_with(rules);
    machine_feed(&m, EVENT_START);
    cr_assert_eq(m.worker.state, WORKER_PREPARING);
    spawns(&m, ROLE_PRE, 0);
    said(&m, "");
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "spawn");
    spawns(&m, ROLE_PRE, 1);
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert_eq(m.worker.state, WORKER_STARTING);
    spawns(&m, ROLE_MAIN, 0);
    said(&m, "started");
    machine_feed(&m, EVENT_READY);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "exited timer=10.0s spawn");
    cr_assert_eq(m.worker.state, WORKER_CLEANING);
    spawns(&m, ROLE_STOP_POST, 0);
    machine_exit(&m, CAUSE_EXIT, 3); /* is told, and changes nothing */
    said(&m, "exited spawn");
    cr_assert_eq(machine_reported(&m, REPORT_EXITED)->role, ROLE_STOP_POST);
    spawns(&m, ROLE_STOP_POST, 1);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "timer=off done");
    cr_assert_eq(m.worker.cause.value, 0);
    cr_assert_eq(m.worker.generation, 1, "all of it is one start");
}

Test(steps, a_failed_preparation_fails_the_start)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_pre = 2;
    rules.n_stop_post = 1;
    rules.pre_tolerated = 1 << 0;
    struct machine m = machine_with(rules);
    machine_feed(&m, EVENT_START);
    spawns(&m, ROLE_PRE, 0);
    machine_exit(&m, CAUSE_EXIT, 1);
    said(&m, "exited spawn");
    spawns(&m, ROLE_PRE, 1);
    machine_exit(&m, CAUSE_EXIT, 7);
    cr_assert_str_eq(
        machine_reported(&m, REPORT_EXITED)->reason, "an ExecStartPre= command failed");
    cr_assert_eq(m.worker.state, WORKER_CLEANING);
    spawns(&m, ROLE_STOP_POST, 0);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "timer=off spawn");
    cr_assert_eq(m.worker.state, WORKER_PREPARING);
    cr_assert_eq(m.worker.generation, 2);
    cr_assert_eq(m.ledger.restarts, 1);
}

Test(steps, a_stop_by_hand_cleans_up_too)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_stop_post = 1;
    struct machine m = machine_with(rules);
    machine_start(&m);
    machine_feed(&m, EVENT_STOP);
    machine_exit(&m, CAUSE_SIGNAL, SIGTERM);
    machine_feed(&m, EVENT_TREE_GONE);
    spawns(&m, ROLE_STOP_POST, 0);
    machine_feed(&m, EVENT_START); /* only once it has been cleaned up */
    said(&m, "");
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "stopped timer=off spawn");
    cr_assert_eq(m.worker.state, WORKER_STARTING);
}

Test(steps, a_stop_takes_back_the_restart_that_cleaning_up_delays)
{
    struct machine m = machine_in(WORKER_CLEANING);

    machine_feed(&m, EVENT_STOP);
    said(&m, "");
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "stopped timer=off");
    cr_assert_eq(m.worker.state, WORKER_STOPPED);
    cr_assert(m.worker.clean);
}

Test(steps, cleaning_up_that_hangs_is_killed_and_the_next_one_still_comes)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_stop_post = 2;
    rules.stop_timeout = 30 * NSEC_PER_SEC;
    struct machine m = machine_with(rules);
    machine_start(&m);
    machine_feed(&m, EVENT_EXITED);
    spawns(&m, ROLE_STOP_POST, 0);
    after(&m, 30 * NSEC_PER_SEC);
    said(&m, "timer=10.0s killing kill-tree");
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    said(&m, "exited kill-tree");
    machine_feed(&m, EVENT_TREE_GONE);
    said(&m, "spawn"); /* within 10 s from now, which is the same time */
    spawns(&m, ROLE_STOP_POST, 1);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "timer=off spawn");
    cr_assert_eq(m.ledger.restarts, 1);
}

Test(steps, asked_to_stop_at_once_it_cleans_up_no_further)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_stop_post = 3;
    rules.stop_timeout = NSEC_NEVER;
    struct machine m = machine_with(rules);
    machine_start(&m);
    machine_feed(&m, EVENT_EXITED);
    said(&m, "exited spawn");
    spawns(&m, ROLE_STOP_POST, 0);
    machine_feed(&m, EVENT_KILL);
    said(&m, "timer=10.0s killing kill-tree");
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    machine_feed(&m, EVENT_TREE_GONE);
    said(&m, "stopped timer=off");
    cr_assert_eq(m.worker.state, WORKER_STOPPED);
}

Test(steps, ready_is_who_has_done_what_comes_after_it)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_post = 2;
    struct machine m = machine_with(rules);
    machine_start(&m);
    said(&m, "spawn-side");
    cr_assert_eq(action_of(&m, ACTION_SPAWN_SIDE)->spawn.role, ROLE_POST);
    cr_assert_eq(m.worker.state, WORKER_STARTING);
    machine_feed(&m, EVENT_READY);
    said(&m, "");
    struct worker_event late = machine_event(&m, EVENT_SIDE_EXITED);
    side_exits(&m, 0);
    said(&m, "spawn-side");
    cr_assert_eq(action_of(&m, ACTION_SPAWN_SIDE)->spawn.step, 1);
    machine_step(&m, late);
    said(&m, "");
    side_exits(&m, 0);
    said(&m, "ready");
}

Test(steps, a_failure_after_the_start_dooms_it)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_post = 2;
    rules.post_tolerated = 1 << 0;
    struct machine m = machine_with(rules);
    machine_start(&m);
    side_exits(&m, 1);
    said(&m, "spawn-side");
    side_exits(&m, 9);
    said(&m, "timer=10.0s stopping signal=15");
    cr_assert_str_eq(
        machine_reported(&m, REPORT_STOPPING)->reason, "an ExecStartPost= command failed");
    machine_exit(&m, CAUSE_SIGNAL, SIGTERM);
    cr_assert_eq(m.worker.cause.kind, CAUSE_EXIT);
    cr_assert_eq(m.worker.cause.value, 9);
    machine_feed(&m, EVENT_TREE_GONE);
    said(&m, "timer=off spawn");
    cr_assert_eq(m.ledger.restarts, 1);
}

Test(steps, what_runs_beside_it_ends_with_it)
{
    static const enum worker_event_kind ends[] = {EVENT_STOP, EVENT_KILL, EVENT_EXITED};

    for (int i = 0; i < 3; i++) {
        struct worker_rules rules = worker_rules_default();

        rules.n_reload = 1;
        struct machine m = machine_with(rules);
        machine_start(&m);
        machine_feed(&m, EVENT_RELOAD);
        said(&m, "spawn-side");
        struct worker_event late = machine_event(&m, EVENT_SIDE_EXITED);
        machine_feed(&m, ends[i]);
        action_of(&m, ACTION_KILL_SIDE);
        machine_step(&m, late);
        said(&m, "");
    }
}

Test(steps, reload_tells_how_it_went)
{
    struct worker_rules rules = worker_rules_default();
    struct machine m = machine_with(rules);

    machine_start(&m);
    machine_feed(&m, EVENT_RELOAD);
    said(&m, ""); /* there is nothing to run */
    rules.n_reload = 2;
    m = machine_with(rules);
    machine_start(&m);
    machine_feed(&m, EVENT_RELOAD);
    machine_feed(&m, EVENT_RELOAD);
    said(&m, "");
    side_exits(&m, 0);
    said(&m, "spawn-side");
    side_exits(&m, 0);
    said(&m, "reloaded");
    machine_feed(&m, EVENT_RELOAD);
    side_exits(&m, 5);
    said(&m, "reload-failed");
    cr_assert_eq(machine_reported(&m, REPORT_RELOAD_FAILED)->cause.value, 5);
    cr_assert_eq(m.worker.state, WORKER_READY);
}

Test(doom, a_start_that_takes_too_long)
{
    struct worker_rules rules = worker_rules_default();

    rules.n_pre = 1;
    rules.start_timeout = 5 * NSEC_PER_SEC;
    struct machine m = machine_with(rules);
    machine_feed(&m, EVENT_START);
    said(&m, "timer=5.0s spawn");
    spawns(&m, ROLE_PRE, 0);
    m.now += 2 * NSEC_PER_SEC;
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "spawn"); /* the time is for all of it */
    spawns(&m, ROLE_MAIN, 0);
    after(&m, 3 * NSEC_PER_SEC);
    said(&m, "timer=10.0s stopping signal=15");
    after(&m, 10 * NSEC_PER_SEC);
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    cr_assert_eq(machine_reported(&m, REPORT_EXITED)->cause.kind, CAUSE_START_TIMEOUT);
    cr_assert_eq(m.worker.cause.value, SIGKILL);
    machine_feed(&m, EVENT_TREE_GONE);
    said(&m, "timer=5.0s spawn");
    cr_assert_eq(m.ledger.restarts, 1);
    cr_assert_eq(m.worker.backoff.failures, 1);
}

Test(doom, a_silent_watchdog)
{
    struct worker_rules rules = worker_rules_default();

    rules.watchdog = 4 * NSEC_PER_SEC;
    struct machine m = machine_with(rules);
    machine_start(&m);
    said(&m, "timer=4.0s ready");
    m.now += 3 * NSEC_PER_SEC;
    machine_feed(&m, EVENT_ALIVE);
    said(&m, ""); /* the timer is not moved */
    after(&m, NSEC_PER_SEC);
    said(&m, "timer=3.0s");
    after(&m, 3 * NSEC_PER_SEC);
    said(&m, "timer=10.0s stopping signal=6");
    machine_exit(&m, CAUSE_CORE, SIGABRT);
    cr_assert_eq(m.worker.cause.kind, CAUSE_WATCHDOG);
    cr_assert_eq(m.worker.cause.status, 1);
    cr_assert_eq(m.worker.cause.value, SIGABRT);
}

Test(doom, the_process_sets_its_watchdog)
{
    struct machine m = machine_in(WORKER_READY);
    struct worker_event event = machine_event(&m, EVENT_WATCHDOG_SET);

    event.value = 2 * NSEC_PER_SEC;
    machine_step(&m, event);
    said(&m, "timer=2.0s");
    event.value = 0;
    machine_step(&m, event);
    said(&m, "timer=off");
}

Test(doom, a_run_that_is_over)
{
    struct worker_rules rules = worker_rules_default();

    rules.runtime_max = 60 * NSEC_PER_SEC;
    rules.restart.mode = RESTART_ALWAYS;
    struct machine m = machine_with(rules);
    machine_start(&m);
    said(&m, "timer=1min 0s ready");
    after(&m, 60 * NSEC_PER_SEC);
    said(&m, "timer=10.0s stopping signal=15");
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert_eq(m.worker.cause.kind, CAUSE_RUNTIME);
    cr_assert_eq(m.worker.cause.value, 0);
    cr_assert_not(m.worker.clean);
}

Test(doom, the_process_asks_for_more_time)
{
    static const enum worker_state states[] = {
        WORKER_PREPARING, WORKER_STARTING, WORKER_READY, WORKER_STOPPING, WORKER_CLEANING};

    for (int i = 0; i < 5; i++) {
        struct machine m = machine_in(states[i]);

        m.worker.deadline = m.now + 10 * NSEC_PER_SEC;
        struct worker_event event = machine_event(&m, EVENT_EXTEND);
        event.value = 5 * NSEC_PER_SEC;
        machine_step(&m, event);
        said(&m, ""); /* it has as much */
        event.value = 15 * NSEC_PER_SEC;
        machine_step(&m, event);
        said(&m, "timer=15.0s");
        event.generation--;
        event.value = 30 * NSEC_PER_SEC;
        machine_step(&m, event);
        said(&m, "");
    }
}

/* By hand, a doom becomes a plain stop or restart: nobody's failure. */
Test(doom, is_overruled_by_hand)
{
    for (int e = EVENT_START; e <= EVENT_RESTART; e++) {
        struct machine m = machine_in(WORKER_READY);

        machine_feed(&m, EVENT_WATCHDOG_TRIGGER);
        machine_feed(&m, (enum worker_event_kind)e);
        machine_exit(&m, CAUSE_SIGNAL, SIGTERM);
        cr_assert_eq(m.worker.cause.kind, CAUSE_SIGNAL);
        machine_feed(&m, EVENT_TREE_GONE);
        machine_reported(&m, REPORT_STOPPED);
        cr_assert_eq(m.worker.state, e == EVENT_STOP ? WORKER_STOPPED : WORKER_STARTING);
        cr_assert_eq(m.ledger.restarts, 0);
    }
}

Test(doom, old_age_is_none)
{
    struct worker_rules rules = worker_rules_default();

    rules.recycle_after = 60 * NSEC_PER_SEC;
    struct machine m = machine_with(rules);
    machine_start(&m);
    cr_assert_not(m.worker.aged);
    after(&m, 60 * NSEC_PER_SEC);
    said(&m, "timer=1min 0s"); /* and once more, should nobody replace it */
    cr_assert(m.worker.aged);
    cr_assert_eq(m.worker.state, WORKER_READY);
}

Test(oneshot, is_up_when_it_has_ended)
{
    struct worker_rules rules = worker_rules_default();

    rules.oneshot = true;
    rules.start_timeout = 5 * NSEC_PER_SEC;
    struct machine m = machine_with(rules);
    m.rules.restart.mode = RESTART_ALWAYS;
    machine_start(&m);
    said(&m, "");
    cr_assert_eq(m.worker.state, WORKER_STARTING);
    cr_assert_eq(m.ledger.ever_up, 0);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "exited timer=off done");
    cr_assert_eq(m.ledger.ever_up, 1);
    machine_start(&m);
    machine_exit(&m, CAUSE_EXIT, 1);
    said(&m, "exited spawn"); /* the same time to start: nothing has passed */
}

Test(unready, to_end_cleanly_is_a_failure)
{
    static const struct {
        struct cause end, cause;
    } rows[] = {
        {{.kind = CAUSE_EXIT}, {.kind = CAUSE_PROTOCOL}},
        {{.kind = CAUSE_EXIT, .value = 75}, {.kind = CAUSE_PROTOCOL, .value = 75}},
        {{.kind = CAUSE_SIGNAL, .value = SIGUSR1}, {.kind = CAUSE_PROTOCOL, .status = SIGUSR1}},
        {{.kind = CAUSE_EXIT, .value = 1}, {.kind = CAUSE_EXIT, .value = 1}},
        {{.kind = CAUSE_SIGNAL, .value = SIGSEGV}, {.kind = CAUSE_SIGNAL, .value = SIGSEGV}},
    };
    struct worker_rules rules = worker_rules_default();

    rules.must_be_ready = true;
    cr_assert_eq(exit_set_parse("75,USR1", &rules.restart.success), 0);
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        struct machine m = machine_with(rules);

        m.rules.restart.mode = RESTART_NO;
        machine_feed(&m, EVENT_START);
        machine_feed(&m, EVENT_SPAWNED);
        machine_exit(&m, rows[i].end.kind, rows[i].end.value);
        said(&m, "exited given-up");
        cr_assert_eq(m.worker.state, WORKER_FAILED);
        cr_assert_not(m.worker.clean);
        cr_assert_eq(m.ledger.ever_up, 0);
        cr_assert_eq(m.worker.cause.kind, rows[i].cause.kind, "row %zu", i);
        cr_assert_eq(m.worker.cause.value, rows[i].cause.value, "row %zu", i);
        cr_assert_eq(m.worker.cause.status, rows[i].cause.status, "row %zu", i);
    }
    struct machine m = machine_with(rules);
    machine_feed(&m, EVENT_START);
    machine_feed(&m, EVENT_SPAWNED);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "exited spawn"); /* on-failure */
}

Test(unready, who_has_said_so_or_was_told_to_go_may_end_cleanly)
{
    struct worker_rules rules = worker_rules_default();

    rules.must_be_ready = true;
    struct machine m = machine_with(rules);
    machine_start(&m);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "exited done");

    rules.n_post = 1;
    m = machine_with(rules);
    machine_start(&m);
    cr_assert_eq(m.worker.state, WORKER_STARTING);
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert_eq(m.worker.state, WORKER_DONE);

    m = machine_with(rules);
    machine_feed(&m, EVENT_START);
    machine_feed(&m, EVENT_SPAWNED);
    machine_feed(&m, EVENT_STOP);
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert(m.worker.clean);

    rules.oneshot = true;
    m = machine_with(rules);
    machine_start(&m);
    machine_exit(&m, CAUSE_EXIT, 0);
    said(&m, "exited done");
}

Test(leave, what_is_not_to_be_killed)
{
    struct machine m = machine_in(WORKER_STOPPING);

    m.rules.send_kill = false;
    after(&m, 10 * NSEC_PER_SEC);
    said(&m, "leftover given-up");
    cr_assert_eq(m.worker.state, WORKER_FAILED);
    cr_assert_neq(m.worker.pid, 0);

    m = machine_in(WORKER_DRAINING);
    m.rules.send_kill = false;
    after(&m, 10 * NSEC_PER_SEC);
    said(&m, "leftover stopped");
}

/* A doomed process that SIGKILL did not end goes on with its life when it has ended after all. */
Test(leave, late_is_better_than_never)
{
    struct machine m = machine_in(WORKER_READY);

    machine_feed(&m, EVENT_WATCHDOG_TRIGGER);
    after(&m, 10 * NSEC_PER_SEC);
    after(&m, 10 * NSEC_PER_SEC);
    said(&m, "leftover given-up");
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    said(&m, "exited spawn");
    cr_assert_eq(m.ledger.restarts, 1);
}

Test(reset, forgets_everywhere)
{
    for (int s = 0; s < WORKER_STATE_MAX; s++) {
        struct machine m = machine_in((enum worker_state)s);
        pid_t pid = m.worker.pid;

        m.worker.backoff.failures = 3;
        m.worker.start_limit.count = 3;
        machine_feed(&m, EVENT_RESET);
        cr_assert_eq(m.worker.backoff.failures, 0);
        cr_assert_eq(m.worker.start_limit.count, 0);
        cr_assert_eq(m.worker.pid, pid);
    }
    struct machine m = machine_in(WORKER_READY);
    m.rules.restart.mode = RESTART_NO;
    machine_feed(&m, EVENT_EXITED);
    machine_feed(&m, EVENT_RESET);
    cr_assert_eq(m.worker.state, WORKER_STOPPED);
    cr_assert(m.worker.clean);
}

Test(once, no_second_try_for_a_replacement)
{
    static const enum worker_event_kind ends[] = {EVENT_EXITED, EVENT_SPAWN_FAILED};

    for (int i = 0; i < 2; i++) {
        struct machine m = machine_new();

        m.worker.once = true;
        m.worker.past = 7;
        machine_feed(&m, EVENT_START);
        cr_assert_eq(m.worker.generation, 8);
        if (ends[i] == EVENT_EXITED)
            machine_feed(&m, EVENT_SPAWNED);
        machine_feed(&m, ends[i]);
        cr_assert_eq(m.worker.state, WORKER_FAILED);
        cr_assert_eq(m.ledger.restarts, 0);
    }
}
