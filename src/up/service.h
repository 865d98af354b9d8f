/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The pools of a configuration, as one running service: each definition has its pool in the engine,
 * its sockets and its directories. A new configuration is applied as the difference to the one
 * before, or not at all.
 */

#include <stdbool.h>

#include "conf/conf.h"
#include "run/listen.h"
#include "up/control.h"
#include "up/settings.h"
#include "up/supervisor.h"

struct service;

struct service_options {
    struct conf_sources sources; /* also of each reload; what it points to outlives the service */
    struct surroundings surroundings;
};

/* Takes over a configuration that has been read. -ENOMEM. */
int service_new_take(
    const struct service_options *options, struct conf *conf, struct service **ret_service);

/* While the engine is there still, its pools at rest: closes sockets, removes directories. */
void service_end(struct service *service);

/* Once the engine is gone, which lives in our control groups. Accepts NULL; returns NULL. */
struct service *service_free(struct service *service);

/*
 * Makes directories, opens sockets, adds the pools to the engine and starts them. -EBADMSG, with
 * messages: something cannot be had; nothing was started.
 */
int service_begin(
    struct service *service, struct supervisor *supervisor, struct conf_messages *messages);

/*
 * Reads the configuration again and applies the difference; `changes`, which may be NULL, hears
 * what that is for each pool. It does not wait for what it has begun. -EBADMSG: it is wrong or
 * cannot be had, `messages` say why, and nothing has changed.
 */
int service_reload(
    struct service *service, struct conf_messages *messages, struct control_changes *changes);

/*
 * As engine_pool_scale(), with the sockets that further workers need. -EADDRINUSE and its like:
 * `reason` says which socket cannot be had.
 */
int service_scale(struct service *service, struct engine_pool *pool, uint32_t n_workers,
    char reason[LISTEN_TEXT_SIZE]);

/* How often a configuration has been taken over: 1 after the start. */
uint32_t service_generation(const struct service *service);
const struct conf *service_conf(const struct service *service);

/* The definition of a pool; NULL: it is no more in the configuration, and on its way out. */
const struct conf_pool *service_pool_conf(
    const struct service *service, const struct engine_pool *pool);

/* After each turn: goes on with what takes several. */
void service_turned(struct service *service);

/* Some pool waits for its first connection, or is on its way out. */
bool service_waits(const struct service *service);

/* What has come of the first starts. */
enum supervised_start service_started(const struct service *service);

/* The exit status that the pools amount to: 0, or 1 where some worker did not end cleanly. */
int service_status(const struct service *service);
