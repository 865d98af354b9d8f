/* SPDX-License-Identifier: MIT */

/* Pools of the engine: made, changed, asked about. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine_internal.h"

/* --- settings */

/* Words that only make sense when somebody listens for them. */
static bool needs_a_voice(const struct pool_settings *settings) {
    return settings->ready == READY_NOTIFY || settings->rules.watchdog > 0 ||
           settings->fdstore_max > 0;
}

static void fill_version(const struct pool_settings *settings) {
    struct version *version = settings->version;

    version->ready = settings->ready;
    version->ready_descriptor = settings->ready_descriptor;
    version->fdstore_max = settings->fdstore_max;
    version->notify_access = settings->notify_access;
    if (version->notify_access == NOTIFY_NONE && needs_a_voice(settings))
        version->notify_access = NOTIFY_MAIN;
}

/* The core's rules, with what the version knows of its commands. */
static struct worker_rules rules_of(const struct pool_settings *settings) {
    const struct version_commands *commands = settings->version->commands;
    struct worker_rules rules = settings->rules;

    rules.n_pre = commands[ROLE_PRE].count;
    rules.n_post = commands[ROLE_POST].count;
    rules.n_stop_post = commands[ROLE_STOP_POST].count;
    rules.n_reload = commands[ROLE_RELOAD].count;
    rules.pre_tolerated = commands[ROLE_PRE].tolerated;
    rules.post_tolerated = commands[ROLE_POST].tolerated;
    rules.reload_tolerated = commands[ROLE_RELOAD].tolerated;
    rules.must_be_ready = settings->ready != READY_EXEC;
    rules.send_kill = rules.send_kill && settings->kill_mode != KILL_NONE;
    return rules;
}

static void take_settings(struct engine_pool *pool, const struct pool_settings *settings) {
    fill_version(settings);
    pool->version = settings->version;
    pool->kill_mode = settings->kill_mode;
    pool->ends_leftovers = settings->ends_leftovers;
    pool->final_signal = settings->final_signal != 0 ? settings->final_signal : SIGKILL;
    pool->recycle_memory = settings->recycle_memory;
    pool->limits = settings->limits ? *settings->limits : (struct cgroup_limits){0};
    if (pool->recycle_memory > 0)
        usage_arm(pool->engine);
}

/* --- made and freed */

struct engine_pool *pool_free(struct engine_pool *pool) {
    if (!pool)
        return NULL;
    side_drop_all(pool);
    pool_free_seats(pool);
    group_close_pool(pool);
    version_unref(pool->version);
    version_unref(pool->former.version);
    free(pool->sockets);
    free(pool->name);
    free(pool);
    return NULL;
}

/* Takes the version only when all went well. */
static int pool_new(
    struct engine *engine, const struct pool_settings *settings, struct engine_pool **ret_pool) {
    struct worker_rules rules = rules_of(settings);
    struct engine_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return -ENOMEM;
    pool->engine = engine;
    pool->serial = engine->n_pools_ever++;
    pool->group = -1;
    pool->name = strdup(settings->name);
    pool_init(&pool->core, &rules, settings->surge, settings->seed);
    if (!pool->name || pool_grow(pool, settings->n_workers) < 0) {
        pool_free(pool);
        return -ENOMEM;
    }
    int r = output_open_pool(engine, settings, NULL);
    if (r < 0) {
        pool_free(pool);
        return r;
    }
    pool_resize(&pool->core, settings->n_workers);
    take_settings(pool, settings);
    group_open_pool(pool);
    *ret_pool = pool;
    return 0;
}

static int add(
    struct engine *engine, const struct pool_settings *settings, struct engine_pool **ret_pool) {
    if (engine_find_pool(engine, settings->name))
        return -EEXIST;
    struct engine_pool **grown =
        reallocarray(engine->pools, engine->n_pools + 1, sizeof(*engine->pools));
    if (!grown)
        return -ENOMEM;
    engine->pools = grown;
    int r = pool_new(engine, settings, ret_pool);
    if (r < 0)
        return r;
    grown[engine->n_pools++] = *ret_pool;
    return 0;
}

int engine_add_pool_take(
    struct engine *engine, const struct pool_settings *settings, struct engine_pool **ret_pool) {
    int r = add(engine, settings, ret_pool);

    if (r < 0)
        version_unref(settings->version);
    return r;
}

int engine_remove_pool(struct engine_pool *pool) {
    struct engine *engine = pool->engine;
    uint32_t number = 0;

    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool_seat(pool, i)->task.pidfd >= 0)
            return -EBUSY;
    if (!pool->core.ended || side_any(pool))
        return -EBUSY;
    while (engine->pools[number] != pool)
        number++;
    engine->n_pools--;
    memmove(&engine->pools[number], &engine->pools[number + 1],
        (engine->n_pools - number) * sizeof(*engine->pools));
    tree_forget_pool(pool);
    pool_free(pool);
    return 0;
}

/* --- changed */

/* Seats without a process would start the failed version again by themselves. */
static void replace_version(struct engine_pool *pool, const struct version *failed) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++) {
        struct engine_seat *seat = pool_seat(pool, i);

        if (seat->version != failed || seat->task.pidfd >= 0)
            continue;
        version_unref(seat->version);
        seat->version = version_ref(pool->version);
    }
}

void pool_settle_change(struct engine_pool *pool, bool failed) {
    struct former *former = &pool->former;

    if (!former->version)
        return;
    if (failed) {
        struct version *bad = pool->version;

        pool->version = TAKE(former->version);
        pool_set_rules(&pool->core, &former->rules, pool->core.surge);
        replace_version(pool, bad);
        version_unref(bad);
        pool->put_back = true;
    }
    former->version = version_unref(former->version);
}

/* What is put back is the last version that was ever asked to run, not one that was overtaken. */
static void keep_former(struct engine_pool *pool) {
    if (pool->former.version) {
        version_unref(pool->version);
        return;
    }
    pool->former = (struct former){.version = pool->version, .rules = pool->core.rules};
}

int engine_change_pool_take(struct engine_pool *pool, const struct pool_settings *settings) {
    uint32_t surge = pool->core.surge;

    pool->core.surge = settings->surge;
    int r = pool_grow(pool, pool->core.n_places);
    if (r == 0)
        r = output_open_pool(pool->engine, settings, pool->version);
    if (r < 0) {
        pool->core.surge = surge;
        version_unref(settings->version);
        return r;
    }
    uint32_t limits = pool->limits.set;
    keep_former(pool);
    pool->put_back = false;
    struct worker_rules rules = rules_of(settings);
    take_settings(pool, settings);
    pool_set_rules(&pool->core, &rules, settings->surge);
    group_limit_pool(pool, limits);
    return 0;
}

void engine_pool_keep_change(struct engine_pool *pool) {
    pool_settle_change(pool, false);
}

static void feed_retiring(struct engine_pool *pool) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool->core.seats[i]->role == SEAT_RETIRING)
            engine_feed(pool_seat(pool, i), (struct worker_event){.kind = EVENT_STOP});
}

int engine_pool_scale(struct engine_pool *pool, uint32_t n_workers) {
    uint32_t before = pool->core.n_places;

    if (n_workers == before)
        return 0;
    if (pool_grow(pool, n_workers) < 0)
        return -ENOMEM;
    pool_resize(&pool->core, n_workers);
    engine_tell(pool, &(struct report){.kind = REPORT_SCALED, .worker = n_workers});
    feed_retiring(pool);
    for (uint32_t i = before; i < n_workers && pool->is_up; i++)
        engine_worker_command(pool, i, EVENT_START);
    struct outbox outbox;
    outbox.count = 0;
    pool_roll_on(&pool->core, &outbox);
    engine_apply(pool, &outbox);
    return 0;
}

int engine_pool_set_sockets(
    struct engine_pool *pool, const struct engine_socket *sockets, size_t count) {
    size_t names = 0;

    for (size_t i = 0; i < count; i++)
        names += strlen(sockets[i].name) + 1;
    struct engine_socket *copy = malloc(count * sizeof(*copy) + names + 1);
    if (!copy)
        return -ENOMEM;
    char *name = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = sockets[i];
        copy[i].name = name;
        name = stpcpy(name, sockets[i].name) + 1;
    }
    free(pool->sockets);
    pool->sockets = copy;
    pool->n_sockets = count;
    return 0;
}

/* --- asked about */

uint32_t engine_pools(const struct engine *engine) {
    return engine->n_pools;
}

struct engine_pool *engine_pool_at(const struct engine *engine, uint32_t number) {
    return engine->pools[number];
}

struct engine_pool *engine_find_pool(const struct engine *engine, const char *name) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (strcmp(engine->pools[i]->name, name) == 0)
            return engine->pools[i];
    return NULL;
}

const char *engine_pool_name(const struct engine_pool *pool) {
    return pool->name;
}

const struct pool *engine_pool_core(const struct engine_pool *pool) {
    return &pool->core;
}

uint32_t engine_pool_workers(const struct engine_pool *pool) {
    return pool->core.n_places;
}

bool engine_pool_was_put_back(const struct engine_pool *pool) {
    return pool->put_back;
}

bool engine_pool_is_up(const struct engine_pool *pool) {
    return pool->is_up;
}

uint32_t engine_pool_limits_refused(const struct engine_pool *pool) {
    return pool->limits_refused;
}

void *engine_pool_data(const struct engine_pool *pool) {
    return pool->data;
}

void engine_pool_set_data(struct engine_pool *pool, void *data) {
    pool->data = data;
}
