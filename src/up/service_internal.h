/* SPDX-License-Identifier: MIT */
#pragma once

/* Between service.c, service_reload.c and demand.c. */

#include "run/listen.h"
#include "up/service.h"

struct service_pool {
    struct service *service;
    struct service_pool *next;
    struct engine_pool *pool;
    const struct conf_pool *conf; /* NULL: leaving */
    struct listen_set sockets;
    loop_source_t *demand; /* one for each descriptor while a connection is waited for, else NULL */
    size_t n_demand;
};

struct service {
    struct service_options options;
    struct conf *conf;
    struct supervisor *supervisor;
    struct engine *engine;
    struct service_pool *pools;
    uint32_t generation;
    struct cgroup_root groups;
};

/* A pool with open sockets, in the engine, not started. */
int service_pool_add(struct service *service, const struct conf_pool *conf,
    struct pool_settings *settings, struct listen_set *sockets);

/* Tells the engine which sockets there are now. -ENOMEM. */
int service_pool_offer(struct service_pool *pool);

/* Starts its workers, or waits for the first connection. */
void service_pool_start(struct service_pool *pool);

struct service_pool *service_find(const struct service *service, const char *name);

/* service_reload.c: makes the pools what a configuration says; the first one, too. */
int service_apply(struct service *service, const struct conf *conf, struct conf_messages *messages,
    struct control_changes *changes);

/* groups.c: the control groups below which the pools' own go. */
int groups_open(struct service *service, struct conf_messages *messages);

/* Says which limits of a pool cannot be had here; -EBADMSG where it insists on them. */
int groups_check(
    const struct service *service, const struct conf_pool *pool, struct conf_messages *messages);

/* demand.c: the start with the first connection. */
bool demand_wanted(const struct service_pool *pool);
void demand_wait(struct service_pool *pool);
void demand_stop(struct service_pool *pool);
