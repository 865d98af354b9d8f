/* SPDX-License-Identifier: MIT */

/* What the core decided, done: one switch, without a default. */

#include <errno.h>

#include "run/engine_internal.h"

static void tell(struct pool_runtime *pool, const struct report *report) {
    struct engine *engine = pool->engine;
    bool is_fault = report->cause.kind == CAUSE_EXEC || report->cause.kind == CAUSE_SPAWN;
    struct engine_report told = {
        .pool = pool->plan->pool,
        .report = report,
        .detail = is_fault ? engine->detail : NULL,
    };
    char names[256];

    if ((report->kind == REPORT_LEFTOVER || report->kind == REPORT_KILLING) &&
        *tree_names(pool, report->worker, names, sizeof(names)) != '\0')
        told.detail = names;
    if (engine->report)
        engine->report(engine->report_data, &told);
}

static void broadcast(struct pool_runtime *pool, enum worker_event_kind event) {
    struct engine *engine = pool->engine;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (engine->pools[i] == pool)
            engine_command(engine, i, event);
}

static void apply_one(struct pool_runtime *pool, const struct action *action) {
    uint32_t worker = action->worker;

    switch (action->kind) {
    case ACTION_SIGNAL:
        tree_stop(pool, worker, action->signal);
        break;
    case ACTION_KILL_TREE:
        tree_kill(pool, worker);
        break;
    case ACTION_CHECK_TREE:
        tree_check(pool, worker, false);
        break;
    case ACTION_SET_TIMER:
        loop_timer_set(pool->engine->loop, &pool->processes[worker].timer, action->timer.when);
        break;
    case ACTION_REPORT:
        tell(pool, &action->report);
        break;
    case ACTION_BROADCAST:
        broadcast(pool, (enum worker_event_kind)action->event);
        break;
    case ACTION_FEED:
        engine_feed(
            pool, worker, (struct worker_event){.kind = (enum worker_event_kind)action->event});
        break;
    case ACTION_SHUT_DOWN:
        pool->engine->shut_down = true;
        engine_command_all(pool->engine, EVENT_STOP);
        break;
    case ACTION_SPAWN_SIDE:
    case ACTION_KILL_SIDE:
    case ACTION_ROLL_ON: /* after the others */
    case ACTION_SPAWN:   /* done before the others */
    case ACTION_ENDED:   /* whoever waits for it asks engine_ended() after the turn */
        break;
    }
}

/* The answer to a spawn, which the core has been promised before any other event. */
static void answer(
    struct pool_runtime *pool, uint32_t worker, int result, struct child_fault fault) {
    struct engine *engine = pool->engine;
    struct incarnation incarnation = {worker, pool->core.seats[worker]->worker.generation};
    char detail[512];

    if (result == 0) {
        engine_feed(pool, worker,
            (struct worker_event){.kind = EVENT_SPAWNED, .pid = pool->processes[worker].pid});
        return;
    }
    engine->detail = plan_explain(pool->plan, incarnation, fault, detail, sizeof(detail));
    engine_feed(pool, worker,
        (struct worker_event){
            .kind = EVENT_SPAWN_FAILED,
            .cause = {CAUSE_SPAWN, 0, -result},
        });
    engine->detail = NULL;
}

static void roll_on(struct pool_runtime *pool) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_on(&pool->core, &outbox);
    engine_apply(pool, &outbox);
}

void engine_apply(struct pool_runtime *pool, const struct outbox *outbox) {
    struct child_fault fault = {0};
    const struct action *spawn = NULL;
    int result = 0;

    for (uint32_t i = 0; i < outbox->count && !spawn; i++)
        if (outbox->actions[i].kind == ACTION_SPAWN) {
            spawn = &outbox->actions[i];
            result = process_start(pool, spawn->worker, &fault);
        }
    for (uint32_t i = 0; i < outbox->count; i++)
        apply_one(pool, &outbox->actions[i]);
    if (spawn)
        answer(pool, spawn->worker, result, fault);
    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_ROLL_ON)
            roll_on(pool);
}

void engine_feed(struct pool_runtime *pool, uint32_t worker, struct worker_event event) {
    struct outbox outbox; /* large: only its count is cleared */

    outbox.count = 0;
    event.now = loop_clock();
    pool_step(&pool->core, worker, &event, &outbox);
    engine_apply(pool, &outbox);
}
