/* SPDX-License-Identifier: MIT */
#include "up/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "up/directories.h"
#include "up/service_internal.h"
#include "up/settings.h"

int service_new_take(
    const struct service_options *options, struct conf *conf, struct service **ret_service) {
    struct service *service = calloc(1, sizeof(*service));

    if (!service) {
        conf_free(conf);
        return -ENOMEM;
    }
    service->options = *options;
    service->conf = conf;
    service->groups = CGROUP_ROOT_NULL;
    *ret_service = service;
    return 0;
}

static void pool_free(struct service_pool *pool) {
    demand_stop(pool);
    listen_set_finish(&pool->sockets);
    if (pool->conf)
        directories_remove(pool->conf);
    free(pool);
}

void service_end(struct service *service) {
    while (service->pools) {
        struct service_pool *pool = service->pools;

        service->pools = pool->next;
        pool_free(pool);
    }
}

struct service *service_free(struct service *service) {
    if (!service)
        return NULL;
    cgroup_root_finish(&service->groups);
    conf_free(service->conf);
    free(service);
    return NULL;
}

struct service_pool *service_find(const struct service *service, const char *name) {
    for (struct service_pool *pool = service->pools; pool; pool = pool->next)
        if (strcmp(engine_pool_name(pool->pool), name) == 0)
            return pool;
    return NULL;
}

static struct service_pool **last_link(struct service *service) {
    struct service_pool **link = &service->pools;

    while (*link)
        link = &(*link)->next;
    return link;
}

int service_pool_add(struct service *service, const struct conf_pool *conf,
    struct pool_settings *settings, struct listen_set *sockets) {
    struct service_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return -ENOMEM;
    *pool = (struct service_pool){.service = service, .conf = conf};
    int r = engine_add_pool_take(service->engine, settings, &pool->pool);
    settings->version = NULL;
    if (r < 0) {
        free(pool);
        return r;
    }
    pool->sockets = *sockets;
    *sockets = (struct listen_set){0};
    *last_link(service) = pool;
    return service_pool_offer(pool);
}

int service_pool_offer(struct service_pool *pool) {
    bool each = pool->conf->listens.reuse_port;
    size_t places = each ? pool->sockets.n_places : 1, count = 0;
    struct engine_socket *sockets = calloc(pool->sockets.count * places + 1, sizeof(*sockets));

    if (!sockets)
        return -ENOMEM;
    for (uint32_t place = 0; place < places; place++)
        for (size_t i = 0; i < pool->sockets.count; i++)
            sockets[count++] = (struct engine_socket){
                .fd = listen_set_fd(&pool->sockets, i, place),
                .name = listen_set_name(&pool->sockets, i),
                .worker = each ? place : ENGINE_EVERY_WORKER,
            };
    int r = engine_pool_set_sockets(pool->pool, sockets, count);
    free(sockets);
    return r;
}

int service_scale(struct service *service, struct engine_pool *engine_pool, uint32_t n_workers,
    char reason[LISTEN_TEXT_SIZE]) {
    struct service_pool *pool = service_find(service, engine_pool_name(engine_pool));
    bool waits = pool->demand != NULL;

    if (!pool->conf) {
        snprintf(reason, LISTEN_TEXT_SIZE, "the pool is being removed");
        return -EBUSY;
    }
    demand_stop(pool);
    int r = listen_set_scale(&pool->sockets, n_workers, reason);
    if (r == 0)
        r = service_pool_offer(pool);
    if (r == 0)
        r = engine_pool_scale(engine_pool, n_workers);
    if (waits)
        demand_wait(pool);
    return r;
}

void service_pool_start(struct service_pool *pool) {
    if (demand_wanted(pool))
        demand_wait(pool);
    else
        engine_pool_command(pool->pool, EVENT_START);
}

int service_begin(
    struct service *service, struct supervisor *supervisor, struct conf_messages *messages) {
    service->supervisor = supervisor;
    service->engine = supervisor_engine(supervisor);
    int r = groups_open(service, messages);
    return r < 0 ? r : service_apply(service, service->conf, messages, NULL);
}

uint32_t service_generation(const struct service *service) {
    return service->generation;
}

const struct conf *service_conf(const struct service *service) {
    return service->conf;
}

const struct conf_pool *service_pool_conf(
    const struct service *service, const struct engine_pool *pool) {
    const struct service_pool *found = service_find(service, engine_pool_name(pool));

    return found ? found->conf : NULL;
}

/* A pool that is no more in the configuration goes once its last process has ended. */
static bool has_left(const struct service_pool *pool) {
    return !pool->conf && engine_remove_pool(pool->pool) == 0;
}

static void go_on(struct service_pool *pool) {
    const struct pool *core = engine_pool_core(pool->pool);

    if (demand_wanted(pool) && !pool->demand && core->ended && engine_pool_is_up(pool->pool) &&
        core->ledger.states[WORKER_FAILED] == 0)
        demand_wait(pool);
}

void service_turned(struct service *service) {
    struct service_pool **link = &service->pools;

    while (*link) {
        struct service_pool *pool = *link;

        if (has_left(pool)) {
            *link = pool->next;
            pool_free(pool);
            continue;
        }
        go_on(pool);
        link = &pool->next;
    }
}

bool service_waits(const struct service *service) {
    for (const struct service_pool *pool = service->pools; pool; pool = pool->next)
        if (pool->demand || !pool->conf)
            return true;
    return false;
}

enum supervised_start service_started(const struct service *service) {
    for (const struct service_pool *pool = service->pools; pool; pool = pool->next) {
        const struct worker_ledger *ledger = &engine_pool_core(pool->pool)->ledger;

        if (ledger->states[WORKER_PREPARING] + ledger->states[WORKER_STARTING] > 0)
            return START_UNDER_WAY;
    }
    return START_DONE;
}

int service_status(const struct service *service) {
    for (const struct service_pool *pool = service->pools; pool; pool = pool->next)
        if (pool_exit_status(engine_pool_core(pool->pool)) != 0)
            return POOL_UNCLEAN;
    return 0;
}
