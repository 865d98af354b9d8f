/* SPDX-License-Identifier: MIT */

/*
 * Start on demand: the sockets are open, nobody serves them, and the first connection or datagram
 * starts the pool. Once its workers have ended by themselves, cleanly, it is waited for again.
 */

#include <stdlib.h>

#include "base/macro.h"
#include "up/service_internal.h"

bool demand_wanted(const struct service_pool *pool) {
    return pool->conf && pool->conf->on_demand && pool->sockets.count > 0;
}

void demand_stop(struct service_pool *pool) {
    struct loop *loop = engine_loop(pool->service->engine);

    /* The sockets may be others by now. */
    for (size_t i = 0; i < pool->n_demand; i++)
        loop_remove(loop, pool->demand[i]);
    free(pool->demand);
    pool->demand = NULL;
    pool->n_demand = 0;
}

static void on_connection(void *data, uint64_t value, int fd, unsigned events) {
    struct service_pool *pool = data;

    (void)value, (void)fd, (void)events;
    demand_stop(pool);
    supervisor_note(pool->service->supervisor, NOTE_DEMAND, engine_pool_name(pool->pool));
    engine_pool_command(pool->pool, EVENT_START);
}

void demand_wait(struct service_pool *pool) {
    struct loop_watch watch = {
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_CONTROL,
        .fn = on_connection,
        .data = pool,
    };

    if (pool->demand)
        return;
    size_t places = pool->conf->listens.reuse_port ? MAX(pool->sockets.n_places, 1U) : 1;
    size_t count = pool->sockets.count * places;
    pool->demand = calloc(count, sizeof(*pool->demand));
    for (size_t i = 0; pool->demand && i < count; i++) {
        watch.fd = listen_set_fd(&pool->sockets, i / places, (uint32_t)(i % places));
        /* Also beside ReusePort= a path has one socket for all places. */
        if (i % places > 0 && watch.fd == listen_set_fd(&pool->sockets, i / places, 0))
            continue;
        /* Without memory to wait for the first one, it is served as if it had come. */
        if (loop_add(engine_loop(pool->service->engine), &watch, &pool->demand[pool->n_demand]) <
            0) {
            on_connection(pool, 0, watch.fd, 0);
            return;
        }
        pool->n_demand++;
    }
    if (!pool->demand)
        engine_pool_command(pool->pool, EVENT_START);
}
