/* SPDX-License-Identifier: MIT */

/* The worker's table, row by row, in virtual time. What a step decides is compared as one text. */

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>

#include "base/macro.h"
#include "machine.h"

struct row {
    enum worker_state from;
    enum worker_event_kind event;
    enum worker_state to;
    const char *actions;
};

#define ROW(from, event, to, actions)                                                              \
    { WORKER_##from, EVENT_##event, WORKER_##to, actions }

static const struct row rows[] = {
    ROW(STOPPED, START, STARTING, "spawn"),
    ROW(STOPPED, RESTART, STARTING, "spawn"),
    ROW(PREPARING, STOP, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(PREPARING, RESTART, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(PREPARING, KILL, KILLING, "timer=10.0s killing kill-tree"),
    ROW(PREPARING, SPAWN_FAILED, BACKOFF, "spawn-failed timer=100ms backoff"),
    ROW(PREPARING, EXITED, PREPARING, "exited spawn"),
    ROW(STARTING, STOP, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(STARTING, RESTART, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(STARTING, KILL, KILLING, "timer=10.0s killing kill-tree"),
    ROW(STARTING, SPAWNED, STARTING, "started"),
    ROW(STARTING, SPAWN_FAILED, BACKOFF, "spawn-failed timer=100ms backoff"),
    ROW(STARTING, READY, READY, "ready"),
    ROW(STARTING, WATCHDOG_TRIGGER, STOPPING, "timer=10.0s stopping signal=6"),
    ROW(STARTING, EXITED, STARTING, "exited spawn"),
    ROW(READY, STOP, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(READY, RESTART, STOPPING, "timer=10.0s stopping signal=15"),
    ROW(READY, KILL, KILLING, "timer=10.0s killing kill-tree"),
    ROW(READY, WATCHDOG_TRIGGER, STOPPING, "timer=10.0s stopping signal=6"),
    ROW(READY, EXITED, STARTING, "exited spawn"),
    ROW(STOPPING, KILL, KILLING, "killing kill-tree"), /* at the same time as before */
    ROW(STOPPING, EXITED, DRAINING, "exited check-tree"),
    ROW(STOPPING, TIMER, KILLING, "timer=10.0s killing kill-tree"),
    ROW(KILLING, EXITED, DRAINING, "exited kill-tree"),
    ROW(KILLING, TIMER, FAILED, "leftover given-up"),
    ROW(DRAINING, KILL, DRAINING, "killing kill-tree"),
    ROW(DRAINING, TREE_GONE, STOPPED, "stopped timer=off"),
    ROW(DRAINING, TIMER, DRAINING, "killing kill-tree timer=10.0s"),
    ROW(CLEANING, KILL, KILLING, "killing kill-tree"),
    ROW(CLEANING, SPAWN_FAILED, STARTING, "spawn-failed timer=off spawn"),
    ROW(CLEANING, EXITED, STARTING, "exited timer=off spawn"),
    ROW(CLEANING, TIMER, KILLING, "timer=10.0s killing kill-tree"),
    ROW(BACKOFF, START, STARTING, "timer=off spawn"),
    ROW(BACKOFF, RESTART, STARTING, "timer=off spawn"),
    ROW(BACKOFF, STOP, DRAINING, "timer=10.0s check-tree"),
    ROW(BACKOFF, KILL, DRAINING, "timer=10.0s kill-tree"),
    ROW(BACKOFF, TIMER, STARTING, "spawn"),
    ROW(DONE, START, STARTING, "spawn"),
    ROW(DONE, RESTART, STARTING, "spawn"),
    ROW(DONE, RESET, STOPPED, ""),
    ROW(FAILED, EXITED, FAILED, "exited"),
};

static struct row row_of(enum worker_state from, enum worker_event_kind event) {
    for (size_t i = 0; i < ELEMENTS(rows); i++)
        if (rows[i].from == from && rows[i].event == event)
            return rows[i];
    return (struct row){from, event, from, ""};
}

/* Every state with every event: what has no row says nothing and stays. */
Test(worker, follows_its_table)
{
    for (int s = 0; s < WORKER_STATE_MAX; s++)
        for (int e = 0; e < EVENT_MAX; e++) {
            struct row row = row_of((enum worker_state)s, (enum worker_event_kind)e);
            struct machine m = machine_in(row.from);

            machine_feed(&m, row.event);
            cr_assert_str_eq(machine_said(&m), row.actions, "%s, event %d: '%s'",
                worker_state_name(row.from), e, machine_said(&m));
            cr_assert_eq(m.worker.state, row.to, "%s, event %d: %s", worker_state_name(row.from), e,
                worker_state_name(m.worker.state));
            cr_assert_eq(m.ledger.states[row.to], 1);
            cr_assert_leq(m.outbox.count, WORKER_STEP_ACTIONS);
        }
}

Test(worker, drops_news_of_an_earlier_generation)
{
    static const enum worker_event_kind kinds[] = {EVENT_READY, EVENT_EXITED, EVENT_TREE_GONE};

    for (int s = 0; s < WORKER_STATE_MAX; s++)
        for (size_t k = 0; k < ELEMENTS(kinds); k++)
            for (int distance = -1; distance <= 1; distance += 2) {
                struct machine m = machine_in((enum worker_state)s);
                struct worker before = m.worker;
                struct worker_event event = machine_event(&m, kinds[k]);

                event.generation += (uint32_t)distance;
                machine_step(&m, event);
                cr_assert_str_eq(machine_said(&m), "");
                cr_assert_eq(m.worker.state, before.state);
                cr_assert_eq(m.worker.pid, before.pid);
            }
}

Test(worker, drops_timers_that_were_moved_cancelled_or_have_fired)
{
    static const enum worker_state states[] = {
        WORKER_STOPPING, WORKER_KILLING, WORKER_DRAINING, WORKER_BACKOFF};

    for (size_t i = 0; i < ELEMENTS(states); i++) {
        struct machine m = machine_in(states[i]);
        struct worker_event event = machine_event(&m, EVENT_TIMER);

        event.token--;
        machine_step(&m, event);
        cr_assert_str_eq(machine_said(&m), "");
        cr_assert_eq(m.worker.state, states[i]);
        event.token++;
        machine_step(&m, event);
        cr_assert_str_neq(machine_said(&m), "");
        machine_step(&m, event);
        cr_assert_str_eq(machine_said(&m), "");
    }
}

Test(worker, takes_an_exit_once)
{
    struct machine m = machine_in(WORKER_STOPPING);
    struct worker_event event = machine_event(&m, EVENT_EXITED);

    machine_step(&m, event);
    cr_assert_eq(m.worker.state, WORKER_DRAINING);
    machine_step(&m, event);
    cr_assert_str_eq(machine_said(&m), "");

    m = machine_in(WORKER_FAILED);
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited");
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "");
}

Test(worker, reports_what_ended_and_how_long_it_ran)
{
    struct machine m = machine_in(WORKER_READY);

    m.now += 3 * NSEC_PER_SEC;
    machine_exit(&m, CAUSE_CORE, SIGSEGV);
    const struct report *report = machine_reported(&m, REPORT_EXITED);
    cr_assert_eq(report->generation, 1);
    cr_assert_eq(report->pid, 101);
    cr_assert_eq(report->ran, 3 * NSEC_PER_SEC);
    cr_assert_eq(report->cause.kind, CAUSE_CORE);
    cr_assert_eq(report->cause.value, SIGSEGV);
    cr_assert_eq(m.worker.generation, 2);
    cr_assert_eq(m.worker.pid, 0);
}

Test(worker, restart_decided_by_the_policy)
{
    static const struct {
        enum restart_mode mode;
        enum cause_kind kind;
        int value;
        enum worker_state to;
        const char *actions;
    } ends[] = {
        {RESTART_ON_FAILURE, CAUSE_EXIT, 0, WORKER_DONE, "exited done"},
        {RESTART_ON_FAILURE, CAUSE_SIGNAL, SIGKILL, WORKER_STARTING, "exited spawn"},
        {RESTART_ON_FAILURE, CAUSE_LOST, 0, WORKER_STARTING, "exited spawn"},
        {RESTART_ON_ABNORMAL, CAUSE_EXIT, 1, WORKER_FAILED, "exited given-up"},
        {RESTART_ON_ABNORMAL, CAUSE_CORE, SIGABRT, WORKER_STARTING, "exited spawn"},
        {RESTART_NO, CAUSE_EXIT, 0, WORKER_DONE, "exited done"},
        {RESTART_NO, CAUSE_SIGNAL, SIGSEGV, WORKER_FAILED, "exited given-up"},
        {RESTART_ALWAYS, CAUSE_EXIT, 0, WORKER_STARTING, "exited spawn"},
    };

    for (size_t i = 0; i < ELEMENTS(ends); i++) {
        struct machine m = machine_in(WORKER_READY);

        m.rules.restart.mode = ends[i].mode;
        machine_exit(&m, ends[i].kind, ends[i].value);
        cr_assert_eq(m.worker.state, ends[i].to, "%zu", i);
        cr_assert_str_eq(machine_said(&m), ends[i].actions, "%zu: %s", i, machine_said(&m));
    }
}

/* Delays of 0, 100, 200, 400 … ms, 10 s at the most; a stable run starts over. */
Test(worker, backs_off_along_the_ladder)
{
    static const unsigned delays[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    struct machine m = machine_in(WORKER_READY);

    for (size_t i = 0; i < ELEMENTS(delays); i++) {
        machine_feed(&m, EVENT_EXITED);
        if (delays[i] > 0) {
            cr_assert_eq(m.worker.state, WORKER_BACKOFF);
            cr_assert_eq(machine_reported(&m, REPORT_BACKOFF)->delay, delays[i] * NSEC_PER_MSEC);
            m.now += delays[i] * NSEC_PER_MSEC;
            machine_feed(&m, EVENT_TIMER);
        }
        cr_assert_eq(m.worker.state, WORKER_STARTING);
        machine_feed(&m, EVENT_SPAWNED);
    }
    m.now += m.rules.backoff.reset;
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited spawn");
    machine_feed(&m, EVENT_SPAWNED);
    machine_feed(&m, EVENT_EXITED);
    cr_assert_eq(machine_reported(&m, REPORT_BACKOFF)->delay, 100 * NSEC_PER_MSEC);
}

Test(worker, no_backoff_means_no_delay_ever)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.backoff.base = m.rules.backoff.max = 0;
    for (int i = 0; i < 1000; i++) {
        machine_feed(&m, EVENT_EXITED);
        cr_assert_str_eq(machine_said(&m), "exited spawn");
        machine_feed(&m, EVENT_SPAWNED);
    }
    cr_assert_eq(m.ledger.restarts, 1000);
    cr_assert_eq(m.worker.restarts, 1000);
    cr_assert_eq(m.worker.generation, 1001);
}

/* No process could be made: tried again, never sooner than 100 ms, counted by no limit. */
Test(worker, retries_a_failed_spawn)
{
    struct machine m = machine_new();

    m.rules.backoff.base = m.rules.backoff.max = 0;
    m.rules.max_restarts = 0;
    m.rules.start_limit = (struct start_limit_rules){.burst = 1, .interval = NSEC_PER_SEC};
    machine_feed(&m, EVENT_START);
    for (int i = 0; i < 20; i++) {
        machine_feed(&m, EVENT_SPAWN_FAILED);
        cr_assert_str_eq(machine_said(&m), "spawn-failed timer=100ms backoff");
        cr_assert_eq(machine_reported(&m, REPORT_SPAWN_FAILED)->cause.value, EAGAIN);
        m.now += 100 * NSEC_PER_MSEC;
        machine_feed(&m, EVENT_TIMER);
        cr_assert_str_eq(machine_said(&m), "spawn");
    }
    machine_feed(&m, EVENT_SPAWNED);
    cr_assert_str_eq(machine_said(&m), "started");
    cr_assert_eq(m.ledger.restarts, 0);
    cr_assert_eq(m.worker.generation, 21);
}

Test(worker, failed_spawns_climb_the_ladder)
{
    struct machine m = machine_new();

    machine_feed(&m, EVENT_START);
    for (unsigned delay = 100, i = 0; i < 9; i++) {
        machine_feed(&m, EVENT_SPAWN_FAILED);
        cr_assert_eq(
            machine_reported(&m, REPORT_BACKOFF)->delay, MIN(delay, 10000U) * NSEC_PER_MSEC);
        machine_feed(&m, EVENT_TIMER);
        delay *= i > 0 ? 2 : 1;
    }
}

/* Tornado: max_restarts = N lets N restarts happen; the abnormal end after them is the last. */
Test(worker, max_restarts_counts_as_tornado)
{
    for (uint64_t limit = 0; limit < 5; limit++) {
        struct machine m = machine_in(WORKER_READY);

        m.rules.backoff.base = m.rules.backoff.max = 0;
        m.rules.max_restarts = limit;
        for (uint64_t i = 0; i < limit; i++) {
            machine_feed(&m, EVENT_EXITED);
            cr_assert_str_eq(machine_said(&m), "exited spawn");
            machine_feed(&m, EVENT_SPAWNED);
        }
        machine_feed(&m, EVENT_EXITED);
        cr_assert_str_eq(machine_said(&m), "exited given-up restart-limit broadcast=stop");
        cr_assert_eq(m.worker.state, WORKER_FAILED);
        cr_assert_eq(m.ledger.restarts, limit);
        cr_assert(m.ledger.exhausted);
    }
}

Test(worker, a_clean_end_needs_no_restart_even_when_they_are_used_up)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.max_restarts = 0;
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert_str_eq(machine_said(&m), "exited done");
    cr_assert_not(m.ledger.exhausted);
}

Test(worker, the_end_of_the_restarts_is_told_once)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.max_restarts = 0;
    machine_feed(&m, EVENT_EXITED);
    machine_start(&m);
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited given-up");
}

Test(worker, restarts_by_hand_never_count)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.max_restarts = 0;
    m.rules.start_limit = (struct start_limit_rules){.burst = 2, .interval = NSEC_NEVER};
    for (int i = 0; i < 50; i++) {
        machine_feed(&m, EVENT_RESTART);
        machine_exit(&m, CAUSE_SIGNAL, SIGTERM);
        machine_feed(&m, EVENT_TREE_GONE);
        cr_assert_str_eq(machine_said(&m), "stopped timer=off spawn");
        machine_feed(&m, EVENT_SPAWNED);
        machine_feed(&m, EVENT_READY);
    }
    cr_assert_eq(m.ledger.restarts, 0);
    cr_assert_eq(m.worker.restarts, 0);
    cr_assert_eq(m.worker.generation, 51);
}

Test(worker, start_limit_gives_up_stops_or_exits)
{
    static const char *const actions[LIMIT_ACTION_MAX] = {
        [LIMIT_GIVE_UP] = "exited given-up",
        [LIMIT_STOP] = "exited given-up broadcast=stop",
        [LIMIT_EXIT] = "exited given-up shut-down",
    };

    for (int action = 0; action < LIMIT_ACTION_MAX; action++) {
        struct machine m = machine_new();

        m.rules.backoff.base = m.rules.backoff.max = 0;
        m.rules.start_limit = (struct start_limit_rules){
            .burst = 3, .interval = 10 * NSEC_PER_SEC, .action = (enum limit_action)action};
        machine_start(&m);
        machine_crash(&m);
        cr_assert_str_eq(machine_said(&m), "exited spawn");
        machine_crash(&m);
        cr_assert_str_eq(machine_said(&m), "exited spawn");
        machine_feed(&m, EVENT_EXITED);
        cr_assert_str_eq(machine_said(&m), actions[action]);
        cr_assert_eq(m.worker.state, WORKER_FAILED);
        cr_assert_eq(m.ledger.restarts, 2);

        machine_feed(&m, EVENT_START); /* by hand: forgotten */
        machine_feed(&m, EVENT_SPAWNED);
        machine_feed(&m, EVENT_EXITED);
        cr_assert_str_eq(machine_said(&m), "exited spawn");
    }
}

Test(worker, start_limit_counts_when_the_start_will_be)
{
    struct machine m = machine_new();

    m.rules.backoff = (struct backoff_rules){.base = 6 * NSEC_PER_SEC,
        .max = 6 * NSEC_PER_SEC,
        .reset = NSEC_NEVER,
        .factor_permille = 1000};
    m.rules.start_limit = (struct start_limit_rules){.burst = 2, .interval = 5 * NSEC_PER_SEC};
    machine_start(&m);
    machine_crash(&m); /* at once: the second start */
    for (int i = 0; i < 10; i++) {
        machine_feed(&m, EVENT_EXITED);
        cr_assert_eq(m.worker.state, WORKER_BACKOFF);
        m.now += 6 * NSEC_PER_SEC;
        machine_feed(&m, EVENT_TIMER);
        machine_feed(&m, EVENT_SPAWNED);
    }
}

Test(worker, a_command_that_never_ran_is_not_tried_again)
{
    struct machine m = machine_in(WORKER_STARTING);

    machine_exit(&m, CAUSE_EXEC, ENOENT);
    cr_assert_str_eq(machine_said(&m), "exited given-up");
    cr_assert_eq(m.worker.state, WORKER_FAILED);

    m = machine_in(WORKER_READY); /* it did run: the file may come back */
    machine_exit(&m, CAUSE_EXEC, ENOENT);
    cr_assert_str_eq(machine_said(&m), "exited spawn");
}

Test(worker, stop_at_once_where_the_timeout_is_0)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.stop_timeout = 0;
    machine_feed(&m, EVENT_STOP);
    cr_assert_str_eq(machine_said(&m), "timer=10.0s killing kill-tree");
    cr_assert_eq(m.worker.state, WORKER_KILLING);
}

Test(worker, waits_without_a_timer_where_the_timeout_is_infinite)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.stop_timeout = NSEC_NEVER;
    machine_feed(&m, EVENT_STOP);
    cr_assert_str_eq(machine_said(&m), "stopping signal=15");
    machine_feed(&m, EVENT_TIMER);
    cr_assert_str_eq(machine_said(&m), "");
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited check-tree");
    machine_feed(&m, EVENT_TREE_GONE);
    cr_assert_str_eq(machine_said(&m), "stopped");
}

/* The stop timeout is one: what the process left of it is its tree's. */
Test(worker, the_tree_has_the_rest_of_the_timeout)
{
    struct machine m = machine_in(WORKER_STOPPING);

    m.now += 4 * NSEC_PER_SEC;
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited check-tree");
    m.now += 6 * NSEC_PER_SEC;
    machine_feed(&m, EVENT_TIMER);
    cr_assert_str_eq(machine_said(&m), "killing kill-tree timer=10.0s");
    machine_feed(&m, EVENT_KILL);
    cr_assert_str_eq(machine_said(&m), "");
    machine_feed(&m, EVENT_TIMER);
    cr_assert_str_eq(machine_said(&m), "leftover stopped");
    cr_assert_eq(m.worker.state, WORKER_STOPPED);
}

/* A port that a child of the dead one still holds would be refused to the next one. */
Test(worker, what_a_dead_process_left_goes_before_the_next)
{
    struct machine m = machine_in(WORKER_READY);
    struct worker_event event = machine_event(&m, EVENT_EXITED);

    event.left = true;
    machine_step(&m, event);
    cr_assert_str_eq(machine_said(&m), "exited timer=10.0s check-tree");
    cr_assert_eq(m.worker.state, WORKER_DRAINING);
    machine_feed(&m, EVENT_TREE_GONE);
    cr_assert_eq(m.worker.state, WORKER_STARTING);
    cr_assert_eq(m.worker.restarts, 1);
}

/* A stop in the middle of a restart, a start in the middle of a stop: the last word counts. */
Test(worker, the_last_word_counts)
{
    static const enum worker_state states[] = {WORKER_STOPPING, WORKER_KILLING, WORKER_DRAINING};

    for (size_t i = 0; i < ELEMENTS(states); i++)
        for (int e = EVENT_START; e <= EVENT_RESTART; e++)
            for (int first = EVENT_START; first <= EVENT_RESTART; first++) {
                struct machine m = machine_in(states[i]);

                machine_feed(&m, (enum worker_event_kind)first);
                machine_feed(&m, (enum worker_event_kind)e);
                cr_assert_str_eq(machine_said(&m), "");
                if (states[i] != WORKER_DRAINING)
                    machine_feed(&m, EVENT_EXITED);
                machine_feed(&m, EVENT_TREE_GONE);
                cr_assert_eq(m.worker.state, e == EVENT_STOP ? WORKER_STOPPED : WORKER_STARTING);
            }
}

Test(worker, kill_takes_back_a_restart)
{
    struct machine m = machine_in(WORKER_READY);

    machine_feed(&m, EVENT_RESTART);
    machine_feed(&m, EVENT_KILL);
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    machine_feed(&m, EVENT_TREE_GONE);
    cr_assert_eq(m.worker.state, WORKER_STOPPED);
    cr_assert_not(m.worker.clean);
}

/* Clean: by itself, by the stop signal, or as shells tell of it; not by SIGKILL. */
Test(worker, knows_a_clean_stop)
{
    static const struct {
        enum cause_kind kind;
        int value;
        bool clean;
    } ends[] = {{CAUSE_EXIT, 0, true}, {CAUSE_SIGNAL, SIGTERM, true}, {CAUSE_EXIT, 143, true},
        {CAUSE_EXIT, 1, false}, {CAUSE_SIGNAL, SIGKILL, false}, {CAUSE_CORE, SIGSEGV, false},
        {CAUSE_EXIT, 75, true}};

    for (size_t i = 0; i < ELEMENTS(ends); i++) {
        struct machine m = machine_in(WORKER_STOPPING);

        exit_set_add_status(&m.rules.restart.success, 75);
        machine_exit(&m, ends[i].kind, ends[i].value);
        cr_assert_eq(m.worker.clean, ends[i].clean, "%zu", i);
    }
    struct machine m = machine_in(WORKER_KILLING);
    machine_exit(&m, CAUSE_EXIT, 0);
    cr_assert_not(m.worker.clean);
}

/* SIGKILL did not end it: no second process beside it, and its end is awaited. */
Test(worker, unkillable_is_never_doubled)
{
    struct machine m = machine_in(WORKER_FAILED);

    cr_assert_neq(m.worker.pid, 0);
    machine_feed(&m, EVENT_START);
    cr_assert_str_eq(machine_said(&m), "");
    machine_feed(&m, EVENT_STOP);
    machine_feed(&m, EVENT_RESTART);
    cr_assert_eq(m.worker.state, WORKER_FAILED);
    machine_exit(&m, CAUSE_SIGNAL, SIGKILL);
    cr_assert_str_eq(machine_said(&m), "exited spawn");
    cr_assert_eq(m.worker.state, WORKER_STARTING);
}

Test(worker, given_up_starts_again_by_hand)
{
    struct machine m = machine_in(WORKER_READY);

    m.rules.restart.mode = RESTART_NO;
    machine_feed(&m, EVENT_EXITED);
    cr_assert_eq(m.worker.state, WORKER_FAILED);
    cr_assert_not(m.worker.clean);
    machine_feed(&m, EVENT_START);
    cr_assert_str_eq(machine_said(&m), "spawn");
}

Test(worker, a_start_by_hand_forgets_the_failures)
{
    struct machine m = machine_in(WORKER_BACKOFF);

    machine_feed(&m, EVENT_START);
    machine_feed(&m, EVENT_SPAWNED);
    machine_feed(&m, EVENT_EXITED);
    cr_assert_str_eq(machine_said(&m), "exited spawn");
}

Test(worker, names_its_states)
{
    cr_assert_str_eq(worker_state_name(WORKER_BACKOFF), "backing-off");
    cr_assert_str_eq(worker_state_name(WORKER_STATE_MAX), "unknown");
    cr_assert(worker_state_is_alive(WORKER_BACKOFF));
    cr_assert_not(worker_state_is_alive(WORKER_FAILED));
    cr_assert_not(worker_state_is_alive(WORKER_STATE_MAX));
    cr_assert_str_eq(report_kind_name(REPORT_MAX), "unknown");
    cr_assert_str_eq(report_kind_name(REPORT_ENDED), "ended");
}
