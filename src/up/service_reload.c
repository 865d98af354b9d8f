/* SPDX-License-Identifier: MIT */

/*
 * From one configuration to the next. First everything that can fail, for all pools: reading,
 * plans, directories, sockets. Only then the pools are touched; so what is wrong changes nothing.
 */

#include <errno.h>
#include <stdlib.h>

#include "up/control_internal.h"
#include "up/directories.h"
#include "up/service_internal.h"
#include "up/settings.h"

/* What becomes of one pool of the new configuration. */
struct step {
    const struct conf_pool *conf;
    struct service_pool *pool; /* NULL: it is new */
    unsigned changes;          /* enum conf_change; of a new pool all */
    struct pool_settings settings;
    struct capture_settings capture;
    struct listen_spec *specs;
    struct listen_set sockets; /* of a new pool */
    uint64_t made;             /* runtime directories that were not there */
    bool has_opened;           /* the sockets are as the new configuration has them */
};

struct reload {
    struct service *service;
    struct conf_messages *messages;
    struct step *steps;
    size_t count;
};

static bool needs_settings(const struct step *step) {
    return !step->pool || step->changes & ~(unsigned)CONF_CHANGE_WORKERS;
}

static bool needs_processes(const struct step *step) {
    return step->changes & (CONF_CHANGE_PROCESS | CONF_CHANGE_SOCKETS);
}

static struct listen_set *sockets_of(struct step *step) {
    return step->pool ? &step->pool->sockets : &step->sockets;
}

static void plan_steps(struct reload *reload, const struct conf *conf) {
    for (size_t i = 0; i < reload->count; i++) {
        struct step *step = &reload->steps[i];

        step->conf = conf_pool_at(conf, i);
        step->pool = service_find(reload->service, step->conf->name);
        step->changes =
            step->pool && step->pool->conf ? conf_pool_compare(step->pool->conf, step->conf) : ~0U;
        /* What does not run yet is no less of a change for having been asked for before. */
        if (step->pool && engine_pool_was_put_back(step->pool->pool))
            step->changes |= CONF_CHANGE_PROCESS;
    }
}

/* Negative for what cannot go on; -EBADMSG after all have been looked at. */
static int prepare(struct reload *reload) {
    int result = 0;

    for (size_t i = 0; i < reload->count; i++) {
        struct step *step = &reload->steps[i];
        int r = settings_listen(step->conf, &step->specs, reload->messages);

        if (r == 0 && needs_settings(step))
            r = settings_make(step->conf, &reload->service->options.surroundings, &step->settings,
                &step->capture, reload->messages);
        if (r == 0 && needs_settings(step))
            r = groups_check(reload->service, step->conf, reload->messages);
        if (r == 0 && needs_settings(step))
            r = directories_make(step->conf, reload->messages, &step->made);
        if (r < 0 && r != -EBADMSG)
            return r;
        result = result < 0 ? result : r;
    }
    return result;
}

/* How many places there will be; a number that was changed by hand stays. */
static uint32_t places_of(const struct step *step) {
    return step->changes & CONF_CHANGE_WORKERS ? step->conf->workers
                                               : engine_pool_workers(step->pool->pool);
}

static int open_sockets(struct reload *reload) {
    char reason[LISTEN_TEXT_SIZE];
    int result = 0;

    for (size_t i = 0; i < reload->count; i++) {
        struct step *step = &reload->steps[i];
        const struct conf_listens *listens = &step->conf->listens;
        int r = listen_set_change(
            sockets_of(step), step->specs, listens->count, places_of(step), reason);

        struct conf_origin origin =
            listens->count > 0 ? listens->list[0].origin : step->conf->origin;
        step->has_opened = r == 0;
        if (r < 0 && conf_message_add(reload->messages, CONF_ERROR, origin.file, origin.line,
                         "pool %s: %s", step->conf->name, reason) < 0)
            return -ENOMEM;
        result = result < 0 || r == 0 ? result : -EBADMSG;
    }
    return result;
}

/* The sockets of before are opened again where that is needed; what cannot be is beyond help. */
static void close_again(struct step *step) {
    const struct conf_pool *before = step->pool ? step->pool->conf : NULL;
    struct conf_messages unheard = {0};
    char reason[LISTEN_TEXT_SIZE];
    struct listen_spec *specs;

    if (!step->has_opened || !before)
        return;
    if (settings_listen(before, &specs, &unheard) == 0) {
        listen_set_change(&step->pool->sockets, specs, before->listens.count,
            engine_pool_workers(step->pool->pool), reason);
        free(specs);
    }
    conf_messages_finish(&unheard);
}

static void undo(struct reload *reload) {
    for (size_t i = 0; i < reload->count; i++) {
        struct step *step = &reload->steps[i];

        close_again(step);
        listen_set_finish(&step->sockets); /* they may lie in the directories */
        directories_unmake(step->conf, step->made);
    }
}

static int add(struct reload *reload, struct step *step) {
    struct service *service = reload->service;
    int r = service_pool_add(service, step->conf, &step->settings, &step->sockets);

    if (r == 0)
        service_pool_start(service_find(service, step->conf->name));
    return r;
}

/* A roll would pass over all of its workers. */
static bool is_given_up(const struct engine_pool *pool) {
    const struct pool *core = engine_pool_core(pool);

    return engine_pool_is_up(pool) && pool_alive(core) == 0 &&
           core->ledger.states[WORKER_FAILED] > 0;
}

/* What is new may be what was missing. */
static void start_failed(struct engine_pool *pool) {
    struct worker_facts facts;

    for (uint32_t i = 0; i < engine_pool_workers(pool); i++)
        if (engine_worker(pool, i, &facts) == 0 && status_worker_state(&facts) == WORKER_FAILED)
            engine_worker_command(pool, i, EVENT_START);
}

/* Where one is under way, once more after it. */
static void roll(const struct service_pool *pool) {
    if (!engine_pool_is_up(pool->pool))
        return;
    engine_pool_roll_again(pool->pool);
    start_failed(pool->pool);
}

static int change(struct step *step) {
    struct service_pool *pool = step->pool;
    bool was_leaving = !pool->conf;
    int r = 0;

    if (needs_settings(step)) {
        r = engine_change_pool_take(pool->pool, &step->settings);
        step->settings.version = NULL;
    }
    if (r == 0)
        r = service_pool_offer(pool);
    if (r == 0 && step->changes & CONF_CHANGE_WORKERS)
        r = engine_pool_scale(pool->pool, step->conf->workers);
    demand_stop(pool);
    if (was_leaving || (demand_wanted(pool) && !engine_pool_is_up(pool->pool)))
        service_pool_start(pool);
    else if (needs_processes(step))
        roll(pool);
    else
        engine_pool_keep_change(pool->pool);
    return r;
}

static enum control_change name_change(const struct step *step) {
    if (!step->pool || !step->pool->conf)
        return CHANGE_ADDED;
    if (needs_processes(step))
        return is_given_up(step->pool->pool) ? CHANGE_STARTED : CHANGE_ROLLED;
    if (step->changes & CONF_CHANGE_RULES)
        return CHANGE_UPDATED;
    return step->changes & CONF_CHANGE_WORKERS ? CHANGE_SCALED : CHANGE_UNCHANGED;
}

static void remove_others(
    struct reload *reload, const struct conf *conf, struct control_changes *changes) {
    for (struct service_pool *pool = reload->service->pools; pool; pool = pool->next) {
        const char *name = engine_pool_name(pool->pool);

        if (!pool->conf || conf_find_pool(conf, name))
            continue;
        demand_stop(pool);
        directories_remove(pool->conf);
        pool->conf = NULL;
        engine_pool_command(pool->pool, EVENT_STOP);
        if (changes)
            control_changed(changes, name, CHANGE_REMOVED, NULL);
    }
}

/* From here on nothing is refused; without memory a pool stays what it was, and that is said. */
static void commit(
    struct reload *reload, const struct conf *conf, struct control_changes *changes) {
    remove_others(reload, conf, changes);
    for (size_t i = 0; i < reload->count; i++) {
        struct step *step = &reload->steps[i];
        enum control_change what = name_change(step);
        int r = 0;

        if (!step->pool)
            r = add(reload, step);
        else if (step->changes)
            r = change(step);
        if (step->pool)
            step->pool->conf = step->conf;
        if (r < 0)
            supervisor_note(reload->service->supervisor, NOTE_OUT_OF_MEMORY, step->conf->name);
        if (changes)
            control_changed(changes, step->conf->name, what, NULL);
    }
}

static void finish(struct reload *reload) {
    for (size_t i = 0; i < reload->count; i++) {
        settings_drop(&reload->steps[i].settings);
        listen_set_finish(&reload->steps[i].sockets);
        free(reload->steps[i].specs);
    }
    free(reload->steps);
}

int service_apply(struct service *service, const struct conf *conf, struct conf_messages *messages,
    struct control_changes *changes) {
    struct reload reload = {
        .service = service,
        .messages = messages,
        .count = conf_n_pools(conf),
    };

    reload.steps = calloc(reload.count + 1, sizeof(*reload.steps));
    if (!reload.steps)
        return -ENOMEM;
    plan_steps(&reload, conf);
    int r = prepare(&reload);
    if (r == 0)
        r = open_sockets(&reload);
    if (r < 0)
        undo(&reload);
    else
        commit(&reload, conf, changes);
    finish(&reload);
    service->generation += r == 0;
    return r;
}

int service_reload(
    struct service *service, struct conf_messages *messages, struct control_changes *changes) {
    struct conf *conf;
    int r = conf_load(&service->options.sources, &conf, messages);

    if (r < 0)
        return r;
    r = service_apply(service, conf, messages, changes);
    struct conf *before = service->conf;
    if (r == 0)
        service->conf = conf;
    conf_free(r == 0 ? before : conf);
    return r;
}
