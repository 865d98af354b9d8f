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
    engine->group_watch = -1;
    int r = loop_new(options->backend, &engine->loop);
    if (r == 0)
        r = engine_make_timer_room(engine, 0);
    if (r < 0) {
        engine_free(engine);
        return r;
    }
    spawner_init(&engine->spawner, process_probe(), !options->subreaper);
    engine->settle = (struct loop_timer){.fn = task_settle, .data = engine};
    engine->usage = (struct loop_timer){.fn = usage_on_timer, .data = engine};
    *ret_engine = engine;
    return 0;
}

struct engine *engine_free(struct engine *engine) {
    if (!engine)
        return NULL;
    tree_forget(engine);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        pool_free(engine->pools[i]);
    free(engine->pools);
    group_finish(engine);
    spawner_finish(&engine->spawner);
    loop_free(engine->loop);
    free(engine);
    return NULL;
}

int engine_watch(struct engine *engine, engine_report_fn fn, void *data) {
    int i = 0;

    while (i < ENGINE_WATCHERS && engine->watchers[i].fn)
        i++;
    if (i == ENGINE_WATCHERS)
        return -ENOSPC;
    engine->watchers[i].fn = fn;
    engine->watchers[i].data = data;
    return 0;
}

void engine_unwatch(struct engine *engine, engine_report_fn fn, void *data) {
    for (int i = 0; i < ENGINE_WATCHERS; i++)
        if (engine->watchers[i].fn == fn && engine->watchers[i].data == data)
            engine->watchers[i].fn = NULL;
}

struct loop *engine_loop(struct engine *engine) {
    return engine->loop;
}

int engine_reserve_timers(struct engine *engine, uint32_t count) {
    engine->timers_of_caller = count;
    return engine_make_timer_room(engine, 0);
}

bool engine_owns(const struct engine *engine, pid_t pid) {
    for (const struct side *side = engine->sides; side; side = side->next)
        if (side->task.pid == pid)
            return true;
    for (uint32_t p = 0; p < engine->n_pools; p++) {
        const struct engine_pool *pool = engine->pools[p];

        for (uint32_t i = 0; i < pool->core.n_seats; i++) {
            const struct task *task = &pool_seat(pool, i)->task;

            if (task->pidfd >= 0 && task->pid == pid)
                return true;
        }
    }
    return false;
}

idle_path bool engine_ended(const struct engine *engine) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (!engine->pools[i]->core.ended)
            return false;
    return true;
}

idle_path bool engine_settled(const struct engine *engine) {
    return engine->spawner.in_flight == 0;
}

bool engine_shut_down_asked(const struct engine *engine) {
    return engine->shut_down;
}

idle_path int engine_turn(struct engine *engine, bool wait) {
    /* A check that was asked for between two turns wakes nobody. */
    int r = loop_turn(engine->loop, wait && !engine->check_due);

    tree_run_checks(engine);
    return r;
}
