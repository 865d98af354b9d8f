/* SPDX-License-Identifier: MIT */

/* What the core decided, done: one switch, without a default. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine_internal.h"

static bool is_fault(struct cause cause) {
    return cause.kind == CAUSE_EXEC || cause.kind == CAUSE_SPAWN;
}

/* NULL: the cause says it all. */
static char *describe_end(const struct engine_report *told) {
    char buffer[80], *text;

    if (told->report->role != ROLE_PRE)
        return told->detail ? strdup(told->detail) : NULL;
    const char *cause = told->detail ? told->detail : cause_format(told->report->cause, buffer);
    return asprintf(&text, "ExecStartPre=: %s", cause) < 0 ? NULL : text;
}

/* What is shown of the last end, for as long as there is no newer one. */
static void remember_end(struct engine_seat *seat, const struct engine_report *told) {
    struct cause cause = told->report->cause;

    if (told->report->role == ROLE_STOP_POST ||
        (told->report->role == ROLE_PRE && cause.kind == CAUSE_EXIT && cause.value == 0))
        return;
    free(seat->detail);
    seat->cause = cause;
    seat->detail = describe_end(told);
    free(seat->words);
    seat->words = told->words ? strdup(told->words) : NULL;
}

static void tell_watchers(const struct engine *engine, const struct engine_report *told) {
    for (int i = 0; i < ENGINE_WATCHERS; i++)
        if (engine->watchers[i].fn)
            engine->watchers[i].fn(engine->watchers[i].data, told);
}

void engine_tell(struct engine_pool *pool, const struct report *report) {
    struct engine *engine = pool->engine;
    struct engine_report told = {
        .from = pool,
        .pool = pool->name,
        .report = report,
        .detail = is_fault(report->cause) ? engine->detail : NULL,
        .usage = report->kind == REPORT_EXITED ? engine->rusage : NULL,
    };
    char names[256], words[ENGINE_WORDS + 1];

    if (report->kind == REPORT_EXITED)
        told.words = output_end(engine, words);
    if (report->kind < REPORT_FIRST_OF_POOL) {
        struct engine_seat *seat = pool_seat(pool, report->seat);

        if (report->kind == REPORT_EXITED || report->kind == REPORT_SPAWN_FAILED)
            remember_end(seat, &told);
        if ((report->kind == REPORT_LEFTOVER || report->kind == REPORT_KILLING) &&
            *tree_names(seat, names, sizeof(names)) != '\0')
            told.detail = names;
    }
    tell_watchers(engine, &told);
    if (report->kind == REPORT_ENDED)
        pool_drop_stores(pool);
    if (report->kind == REPORT_ROLL_DONE || report->kind == REPORT_ROLL_FAILED)
        pool_settle_change(pool, report->kind == REPORT_ROLL_FAILED);
}

static void broadcast(struct engine_pool *pool, enum worker_event_kind event) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool->core.seats[i]->role != SEAT_FREE)
            engine_feed(pool_seat(pool, i), (struct worker_event){.kind = event});
}

static void apply_one(struct engine_pool *pool, const struct action *action) {
    struct engine_seat *seat =
        action->worker < pool->core.n_seats ? pool_seat(pool, action->worker) : NULL;

    switch (action->kind) {
    case ACTION_SPAWN_SIDE:
        side_start(seat, action->spawn.role, action->spawn.step, action->spawn.token);
        break;
    case ACTION_KILL_SIDE:
        side_kill(seat);
        break;
    case ACTION_SIGNAL:
        tree_stop(seat, action->signal);
        break;
    case ACTION_KILL_TREE:
        tree_kill(seat);
        break;
    case ACTION_CHECK_TREE:
        tree_check(seat, pool->kill_mode == KILL_MIXED);
        break;
    case ACTION_SET_TIMER:
        loop_timer_set(pool->engine->loop, &seat->timer, action->timer.when);
        break;
    case ACTION_REPORT:
        engine_tell(pool, &action->report);
        break;
    case ACTION_BROADCAST:
        broadcast(pool, (enum worker_event_kind)action->event);
        break;
    case ACTION_FEED:
        engine_feed(seat, (struct worker_event){.kind = (enum worker_event_kind)action->event});
        break;
    case ACTION_SHUT_DOWN:
        pool->engine->shut_down = true;
        engine_command_all(pool->engine, EVENT_STOP);
        break;
    case ACTION_SPAWN:   /* done before the others */
    case ACTION_ROLL_ON: /* … and after them */
    case ACTION_ENDED:   /* whoever waits for it asks engine_ended() after the turn */
        break;
    }
}

/* The answer to a spawn, which the core has been promised before any other event. */
static void answer(struct engine_seat *seat, int result, struct child_fault fault) {
    struct engine *engine = seat->pool->engine;
    char detail[512];

    if (result == 0) {
        engine_feed(seat, (struct worker_event){.kind = EVENT_SPAWNED, .pid = seat->task.pid});
        return;
    }
    engine->detail = task_explain(&seat->task, fault, detail, sizeof(detail));
    engine_feed(seat, (struct worker_event){
                          .kind = EVENT_SPAWN_FAILED,
                          .cause = {CAUSE_SPAWN, 0, -result},
                      });
    engine->detail = NULL;
}

/* Whoever comes into a seat anew has no past of its own. */
static void forget_tenant(struct engine_seat *seat) {
    seat->cause = (struct cause){0};
    free(seat->detail);
    seat->detail = NULL;
    free(seat->words);
    seat->words = NULL;
}

/* The version changes only by hand or by a roll. */
static int start(struct engine_seat *seat, const struct action *action, struct child_fault *fault) {
    struct engine_pool *pool = seat->pool;
    const struct worker *worker = &seat->core.worker;

    if (worker->generation == worker->past + 1 && action->spawn.role != ROLE_STOP_POST)
        forget_tenant(seat);
    if (!seat->version || (action->spawn.fresh && seat->version != pool->version)) {
        version_unref(seat->version);
        seat->version = version_ref(pool->version);
    }
    seat->task.role = action->spawn.role;
    seat->task.step = action->spawn.step;
    return task_start(&seat->task, fault);
}

void engine_apply(struct engine_pool *pool, const struct outbox *outbox) {
    struct child_fault fault = {0};
    const struct action *spawn = NULL;
    bool roll_on = false;
    int result = 0;

    for (uint32_t i = 0; i < outbox->count && !spawn; i++)
        if (outbox->actions[i].kind == ACTION_SPAWN) {
            spawn = &outbox->actions[i];
            result = start(pool_seat(pool, spawn->worker), spawn, &fault);
        }
    for (uint32_t i = 0; i < outbox->count; i++) {
        apply_one(pool, &outbox->actions[i]);
        roll_on = roll_on || outbox->actions[i].kind == ACTION_ROLL_ON;
    }
    if (spawn)
        answer(pool_seat(pool, spawn->worker), result, fault);
    if (roll_on) {
        struct outbox more;

        more.count = 0;
        pool_roll_on(&pool->core, &more);
        engine_apply(pool, &more);
    }
}

void engine_feed(struct engine_seat *seat, struct worker_event event) {
    struct outbox outbox; /* large: only its count is cleared */
    enum worker_state before = seat->core.worker.state;

    outbox.count = 0;
    event.now = loop_clock();
    pool_step(&seat->pool->core, seat->number, &event, &outbox);
    if (seat->core.worker.state != before)
        seat->since = event.now;
    engine_apply(seat->pool, &outbox);
}
