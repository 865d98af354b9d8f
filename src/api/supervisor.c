/* SPDX-License-Identifier: MIT */

/* The embeddable supervisor: an engine, its descriptor, its callback, and questions about it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/supervisor.h"
#include "base/macro.h"

static void on_report(void *data, const struct engine_report *told) {
    struct brood_supervisor *supervisor = data;
    unsigned number = 0;

    if (!supervisor->on_event)
        return;
    while (strcmp(supervisor->names[number], told->pool) != 0)
        number++;
    supervisor->telling++;
    event_tell(supervisor->on_event, supervisor->data, number, told);
    supervisor->telling--;
}

static int find_backend(int loop, enum loop_backend *ret_backend) {
    static const enum loop_backend backends[] = {
        [BROOD_LOOP_AUTO] = LOOP_AUTO,
        [BROOD_LOOP_URING] = LOOP_URING,
        [BROOD_LOOP_EPOLL] = LOOP_EPOLL,
    };

    if (loop < 0 || loop >= (int)ELEMENTS(backends))
        return -EINVAL;
    *ret_backend = backends[loop];
    return 0;
}

int brood_supervisor_new(
    const struct brood_supervisor_options *given, struct brood_supervisor **ret_supervisor) {
    struct brood_supervisor_options options;
    struct engine_options engine_options = {0};
    int r = options_copy(&options, sizeof(options), given);

    if (r == 0)
        r = find_backend(options.loop, &engine_options.backend);
    if (r < 0)
        return r;
    if (process_discards_exits())
        return -ECHILD;
    struct brood_supervisor *supervisor = calloc(1, sizeof(*supervisor));
    if (!supervisor)
        return -ENOMEM;
    *supervisor = (struct brood_supervisor){
        .owner = getpid(),
        .on_event = options.on_event,
        .data = options.data,
        .later = {.fn = supervisor_run_waiting, .data = supervisor},
    };
    r = engine_new(&engine_options, &supervisor->engine);
    if (r == 0)
        r = engine_reserve_timers(supervisor->engine, 1);
    if (r == 0)
        r = engine_watch(supervisor->engine, on_report, supervisor);
    if (r < 0) {
        brood_supervisor_free(supervisor);
        return r;
    }
    *ret_supervisor = supervisor;
    return 0;
}

/* Ends every worker, by force. Each step of that has its deadline in the core. */
static void end_all(struct engine *engine) {
    engine_command_all(engine, EVENT_KILL);
    while (!engine_ended(engine) && engine_turn(engine, true) >= 0)
        continue;
}

struct brood_supervisor *brood_supervisor_free(struct brood_supervisor *supervisor) {
    if (!supervisor)
        return NULL;
    if (supervisor->telling > 0)
        return supervisor;
    supervisor->on_event = NULL;
    supervisor->n_waiting = 0;
    if (supervisor->engine) {
        if (supervisor->owner == getpid())
            end_all(supervisor->engine);
        for (uint32_t i = 0; i < engine_pools(supervisor->engine); i++)
            free(supervisor->names[i]);
    }
    engine_free(supervisor->engine);
    free(supervisor->names);
    free(supervisor->waiting);
    free(supervisor);
    return NULL;
}

static int add_name(struct brood_supervisor *supervisor, const char *name) {
    uint32_t count = engine_pools(supervisor->engine);
    char **grown = reallocarray(supervisor->names, count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    supervisor->names = grown;
    grown[count] = strdup(name);
    return grown[count] ? 0 : -ENOMEM;
}

static int add_pool_take(
    struct brood_supervisor *supervisor, const struct pool_settings *settings) {
    uint32_t number = engine_pools(supervisor->engine);
    struct engine_pool *pool;
    int r = add_name(supervisor, settings->name);

    if (r < 0) {
        version_unref(settings->version);
        return r;
    }
    r = engine_add_pool_take(supervisor->engine, settings, &pool);
    if (r < 0)
        free(supervisor->names[number]);
    return r;
}

int brood_supervisor_add_pool(struct brood_supervisor *supervisor,
    const struct brood_pool_options *given, unsigned *ret_pool) {
    struct brood_pool_options options;
    struct pool_settings settings;

    *supervisor->error = '\0';
    if (supervisor->owner != getpid())
        return -ECHILD;
    if (supervisor->telling > 0)
        return -EBUSY;
    int r = given ? options_copy(&options, sizeof(options), given) : -EINVAL;
    if (r == 0)
        r = supervisor_pool_settings(supervisor, &options, &settings);
    if (r == 0)
        r = add_pool_take(supervisor, &settings);
    if (r < 0) {
        if (*supervisor->error == '\0')
            strcpy(supervisor->error, strerrordesc_np(-r) ?: "unknown error");
        return r;
    }
    if (ret_pool)
        *ret_pool = engine_pools(supervisor->engine) - 1;
    return 0;
}

const char *brood_supervisor_error(const struct brood_supervisor *supervisor) {
    return supervisor->error;
}

int brood_supervisor_fd(struct brood_supervisor *supervisor) {
    return supervisor->owner == getpid() ? loop_fd(engine_loop(supervisor->engine)) : -ECHILD;
}

int brood_supervisor_dispatch(struct brood_supervisor *supervisor) {
    if (supervisor->telling > 0)
        return -EBUSY;
    return MIN(engine_turn(supervisor->engine, false), 0);
}

static bool is_pool(const struct brood_supervisor *supervisor, unsigned pool) {
    return pool == BROOD_ALL || pool < engine_pools(supervisor->engine);
}

int brood_supervisor_ended(const struct brood_supervisor *supervisor, unsigned pool) {
    if (!is_pool(supervisor, pool))
        return -EINVAL;
    if (pool == BROOD_ALL)
        return engine_ended(supervisor->engine);
    return engine_pool_core(engine_pool_at(supervisor->engine, pool))->ended;
}

int brood_supervisor_exit_status(const struct brood_supervisor *supervisor, unsigned pool) {
    int ended = brood_supervisor_ended(supervisor, pool), status = 0;

    if (ended <= 0)
        return ended < 0 ? ended : -EBUSY;
    if (pool != BROOD_ALL)
        return pool_exit_status(engine_pool_core(engine_pool_at(supervisor->engine, pool)));
    for (uint32_t i = 0; i < engine_pools(supervisor->engine) && status == 0; i++)
        status = pool_exit_status(engine_pool_core(engine_pool_at(supervisor->engine, i)));
    return status;
}

int brood_supervisor_workers(const struct brood_supervisor *supervisor, unsigned pool) {
    int count = 0;

    if (!is_pool(supervisor, pool))
        return -EINVAL;
    for (uint32_t i = 0; i < engine_pools(supervisor->engine); i++)
        if (pool == BROOD_ALL || pool == i)
            count += (int)engine_pool_workers(engine_pool_at(supervisor->engine, i));
    return count;
}

int brood_supervisor_worker(const struct brood_supervisor *supervisor, unsigned pool,
    unsigned number, struct brood_worker_info *info) {
    if (pool == BROOD_ALL || !is_pool(supervisor, pool) ||
        number >= engine_pool_workers(engine_pool_at(supervisor->engine, pool)))
        return -EINVAL;

    const struct worker *worker =
        pool_holder(engine_pool_core(engine_pool_at(supervisor->engine, pool)), number);
    struct brood_worker_info filled = {
        .state = worker_state_name(worker->state),
        .alive = worker_state_is_alive(worker->state),
        .pid = worker->pid,
        .generation = worker->generation,
        .restarts = worker->restarts,
        .exit_status = cause_exit_status(worker->cause),
    };
    if (worker->cause.kind != CAUSE_NONE)
        cause_format(worker->cause, filled.cause);
    return options_give(info, &filled, sizeof(filled));
}
