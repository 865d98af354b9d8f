/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/engine_internal.h"

int engine_new(const struct engine_options *options, struct engine **ret_engine) {
    struct engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return -ENOMEM;
    engine->options = *options;
    int r = loop_new(options->backend, &engine->loop);
    if (r == 0)
        r = loop_timer_reserve(engine->loop, 1);
    if (r < 0) {
        engine_free(engine);
        return r;
    }
    spawner_init(&engine->spawner, process_probe(), !options->subreaper);
    engine->settle.fn = process_settle;
    engine->settle.data = engine;
    *ret_engine = engine;
    return 0;
}

static void pool_free(struct pool_runtime *pool) {
    if (!pool)
        return;
    for (uint32_t i = 0; pool->processes && i < pool->core.n_seats; i++) {
        struct process *process = &pool->processes[i];

        loop_remove(pool->engine->loop, process->source);
        if (process->pidfd >= 0)
            close(process->pidfd);
    }
    plan_free(pool->plan);
    free(pool->processes);
    free(pool->seats);
    free(pool->seat_pointers);
    free(pool->places);
    free(pool);
}

struct engine *engine_free(struct engine *engine) {
    if (!engine)
        return NULL;
    tree_forget(engine);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        pool_free(engine->pools[i]);
    free(engine->pools);
    spawner_finish(&engine->spawner);
    loop_free(engine->loop);
    free(engine);
    return NULL;
}

void engine_watch(struct engine *engine, engine_report_fn fn, void *data) {
    engine->report = fn;
    engine->report_data = data;
}

struct loop *engine_loop(struct engine *engine) {
    return engine->loop;
}

static void on_worker_timer(void *data, uint64_t value, nsec_t now) {
    struct pool_runtime *pool = data;
    uint32_t worker = (uint32_t)value;

    (void)now;
    engine_feed(pool, worker,
        (struct worker_event){
            .kind = EVENT_TIMER, .token = pool->core.seats[worker]->worker.token});
}

static struct pool_runtime *pool_new(struct engine *engine, const struct pool_settings *settings) {
    struct pool_runtime *pool = calloc(1, sizeof(*pool));
    uint32_t count = settings->plan->n_workers;

    if (!pool)
        return NULL;
    pool->engine = engine;
    pool->kill_mode = settings->kill_mode;
    pool->processes = calloc(count, sizeof(*pool->processes));
    pool->seats = calloc(count, sizeof(*pool->seats));
    pool->seat_pointers = calloc(count, sizeof(*pool->seat_pointers));
    pool->places = calloc(count, sizeof(*pool->places));
    if (!pool->processes || !pool->seats || !pool->seat_pointers || !pool->places) {
        pool_free(pool);
        return NULL;
    }
    pool->plan = settings->plan;
    pool_init(&pool->core, &settings->rules, 0, settings->seed);
    for (uint32_t i = 0; i < count; i++)
        pool->seat_pointers[i] = &pool->seats[i];
    pool_give(&pool->core, pool->seat_pointers, count, pool->places);
    pool_resize(&pool->core, count);
    for (uint32_t i = 0; i < count; i++)
        pool->processes[i] = (struct process){
            .pidfd = -1,
            .slot = SPAWN_NO_SLOT,
            .timer = {.fn = on_worker_timer, .data = pool, .value = i},
        };
    return pool;
}

static uint32_t total_workers(const struct engine *engine) {
    uint32_t total = 0;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        total += engine->pools[i]->core.n_seats;
    return total;
}

int engine_add_pool_take(struct engine *engine, const struct pool_settings *settings) {
    struct pool_runtime *pool = pool_new(engine, settings);
    struct pool_runtime **grown =
        reallocarray(engine->pools, engine->n_pools + 1, sizeof(struct pool_runtime *));

    if (grown)
        engine->pools = grown;
    if (!pool || !grown ||
        loop_timer_reserve(engine->loop, total_workers(engine) + settings->plan->n_workers + 1) <
            0) {
        if (!pool)
            plan_free(settings->plan);
        pool_free(pool);
        return -ENOMEM;
    }
    engine->pools[engine->n_pools++] = pool;
    return 0;
}

uint32_t engine_pools(const struct engine *engine) {
    return engine->n_pools;
}

const struct pool *engine_pool(const struct engine *engine, uint32_t number) {
    return &engine->pools[number]->core;
}

void engine_command(struct engine *engine, uint32_t number, enum worker_event_kind event) {
    struct pool_runtime *pool = engine->pools[number];

    if (event == EVENT_STOP || event == EVENT_KILL) {
        struct outbox outbox;

        outbox.count = 0;
        pool_roll_cancel(&pool->core, &outbox);
        engine_apply(pool, &outbox);
    }
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        engine_feed(pool, i, (struct worker_event){.kind = event});
}

void engine_command_all(struct engine *engine, enum worker_event_kind event) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        engine_command(engine, i, event);
}

void engine_roll(struct engine *engine, uint32_t number) {
    struct pool_runtime *pool = engine->pools[number];
    struct outbox outbox;

    outbox.count = 0;
    if (pool_roll(&pool->core, &outbox) < 0)
        pool_roll_again(&pool->core);
    engine_apply(pool, &outbox);
}

void engine_signal(struct engine *engine, uint32_t number, int signal) {
    const struct pool_runtime *pool = engine->pools[number];

    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool->processes[i].pidfd >= 0)
            process_signal(pool->processes[i].pidfd, signal);
}

void engine_signal_all(struct engine *engine, int signal) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        engine_signal(engine, i, signal);
}

bool engine_owns(const struct engine *engine, pid_t pid) {
    for (uint32_t p = 0; p < engine->n_pools; p++) {
        const struct pool_runtime *pool = engine->pools[p];

        for (uint32_t i = 0; i < pool->core.n_seats; i++)
            if (pool->processes[i].pidfd >= 0 && pool->processes[i].pid == pid)
                return true;
    }
    return false;
}

bool engine_ended(const struct engine *engine) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (!engine->pools[i]->core.ended)
            return false;
    return true;
}

bool engine_settled(const struct engine *engine) {
    return engine->spawner.in_flight == 0;
}

bool engine_shut_down_asked(const struct engine *engine) {
    return engine->shut_down;
}

int engine_turn(struct engine *engine, bool wait) {
    int r = loop_turn(engine->loop, wait);

    tree_run_checks(engine);
    return r;
}
