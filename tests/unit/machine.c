/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>

#include "base/buffer.h"
#include "base/text.h"

struct machine machine_new(void) {
    struct machine m = {
        .now = 1000 * NSEC_PER_SEC,
        .rules = worker_rules_default(),
    };

    m.rules.restart.mode = RESTART_ON_FAILURE;
    m.rules.backoff.jitter_permille = 0;
    worker_init(&m.worker, 0, 0, &m.ledger);
    return m;
}

static void describe(struct buffer *text, const struct machine *m, const struct action *action) {
    static const char *const kinds[] = {
        [ACTION_SPAWN] = "spawn",
        [ACTION_SPAWN_SIDE] = "spawn-side",
        [ACTION_KILL_SIDE] = "kill-side",
        [ACTION_SIGNAL] = "signal",
        [ACTION_KILL_TREE] = "kill-tree",
        [ACTION_CHECK_TREE] = "check-tree",
        [ACTION_SET_TIMER] = "timer",
        [ACTION_BROADCAST] = "broadcast",
        [ACTION_SHUT_DOWN] = "shut-down",
    };
    char duration[32];

    if (text->length > 0)
        buffer_add(text, " ", 1);
    if (action->kind == ACTION_REPORT) {
        buffer_add_text(text, report_kind_name(action->report.kind));
        return;
    }
    buffer_add_text(text, kinds[action->kind]);
    if (action->kind == ACTION_SIGNAL)
        buffer_add_format(text, "=%d", action->signal);
    else if (action->kind == ACTION_BROADCAST)
        buffer_add_text(text, action->event == EVENT_STOP ? "=stop" : "=?");
    else if (action->kind == ACTION_SET_TIMER)
        buffer_add_format(text, "=%s",
            action->timer.when == NSEC_NEVER
                ? "off"
                : text_format_duration(action->timer.when - m->now, duration));
}

const char *machine_said(const struct machine *m) {
    static char array[512];
    struct buffer text = BUFFER(array);

    array[0] = '\0';
    for (uint32_t i = 0; i < m->outbox.count; i++)
        describe(&text, m, &m->outbox.actions[i]);
    return array;
}

const struct report *machine_reported(const struct machine *m, enum report_kind kind) {
    for (uint32_t i = 0; i < m->outbox.count; i++)
        if (m->outbox.actions[i].kind == ACTION_REPORT && m->outbox.actions[i].report.kind == kind)
            return &m->outbox.actions[i].report;
    cr_assert_fail("no report '%s' in '%s'", report_kind_name(kind), machine_said(m));
    return NULL;
}

void machine_step(struct machine *m, struct worker_event event) {
    event.now = m->now;
    m->outbox.count = 0;
    worker_step(&m->worker, &event, &m->rules, &m->ledger, &m->outbox);
}

struct worker_event machine_event(const struct machine *m, enum worker_event_kind kind) {
    struct worker_event event = {
        .kind = kind,
        .generation = m->worker.generation,
        .token = m->worker.token,
    };

    if (kind == EVENT_SIDE_EXITED)
        event.token = m->worker.side_token;
    if (kind == EVENT_SPAWNED)
        event.pid = (pid_t)(100 + m->worker.generation);
    if (kind == EVENT_EXITED || kind == EVENT_SIDE_EXITED)
        event.cause = (struct cause){.kind = CAUSE_EXIT, .value = 1};
    if (kind == EVENT_SPAWN_FAILED)
        event.cause = (struct cause){.kind = CAUSE_SPAWN, .value = EAGAIN};
    return event;
}

void machine_feed(struct machine *m, enum worker_event_kind kind) {
    machine_step(m, machine_event(m, kind));
}

void machine_exit(struct machine *m, enum cause_kind kind, int value) {
    struct worker_event event = machine_event(m, EVENT_EXITED);

    event.cause = (struct cause){.kind = kind, .value = value};
    machine_step(m, event);
}

void machine_start(struct machine *m) {
    machine_feed(m, EVENT_START);
    machine_feed(m, EVENT_SPAWNED);
    machine_feed(m, EVENT_READY);
}

void machine_crash(struct machine *m) {
    machine_feed(m, EVENT_EXITED);
    if (m->worker.state == WORKER_STARTING) {
        struct outbox outbox = m->outbox;

        machine_feed(m, EVENT_SPAWNED);
        m->outbox = outbox;
    }
}

struct machine machine_in(enum worker_state state) {
    struct machine m = machine_new();

    m.rules.n_pre = state == WORKER_PREPARING;
    m.rules.n_stop_post = state == WORKER_CLEANING;

    if (state == WORKER_STOPPED)
        return m;
    machine_feed(&m, EVENT_START);
    machine_feed(&m, EVENT_SPAWNED);
    if (state != WORKER_STARTING && state != WORKER_PREPARING)
        machine_feed(&m, EVENT_READY);
    if (state == WORKER_DONE)
        machine_exit(&m, CAUSE_EXIT, 0);
    if (state == WORKER_CLEANING) {
        machine_feed(&m, EVENT_EXITED);
        machine_feed(&m, EVENT_SPAWNED);
    }
    if (state == WORKER_BACKOFF) {
        machine_crash(&m);
        machine_crash(&m);
    }
    if (state == WORKER_STOPPING || state == WORKER_KILLING || state == WORKER_DRAINING ||
        state == WORKER_FAILED)
        machine_feed(&m, EVENT_STOP);
    if (state == WORKER_DRAINING)
        machine_exit(&m, CAUSE_EXIT, 0);
    if (state == WORKER_KILLING || state == WORKER_FAILED)
        machine_feed(&m, EVENT_TIMER);
    if (state == WORKER_FAILED) /* unkillable: it still holds its process */
        machine_feed(&m, EVENT_TIMER);
    cr_assert_eq(m.worker.state, state, "%s", worker_state_name(m.worker.state));
    return m;
}
