/* SPDX-License-Identifier: MIT */

/*
 * Memory for the seats of a pool. Timers, sources and slots point into them, so a seat never moves:
 * seats come in blocks, and only the arrays of pointers to them grow. None is given back before
 * the pool is.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine_internal.h"

static void on_worker_timer(void *data, uint64_t value, nsec_t now) {
    struct engine_seat *seat = data;

    (void)value, (void)now;
    engine_feed(seat, (struct worker_event){.kind = EVENT_TIMER, .token = seat->core.worker.token});
}

static struct seat_block *block_new(struct engine_pool *pool, uint32_t first, uint32_t count) {
    struct seat_block *block = calloc(1, sizeof(*block) + count * sizeof(block->seats[0]));

    for (uint32_t i = 0; block && i < count; i++) {
        struct engine_seat *seat = &block->seats[i];

        seat->pool = pool;
        seat->number = first + i;
        seat->task = (struct task){.seat = seat, .pidfd = -1, .slot = SPAWN_NO_SLOT};
        seat->timer = (struct loop_timer){.fn = on_worker_timer, .data = seat};
        seat->group = -1;
    }
    return block;
}

int engine_make_timer_room(struct engine *engine, uint32_t more) {
    uint32_t total = ENGINE_TIMERS + engine->timers_of_caller + more;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        total += engine->pools[i]->core.n_seats;
    return loop_timer_reserve(engine->loop, total);
}

/* A copy with room for more, the rest zeroed. */
static void *grown_copy(const void *old, size_t old_count, size_t count, size_t size) {
    void *grown = calloc(count, size);

    if (grown && old_count > 0)
        memcpy(grown, old, old_count * size);
    return grown;
}

/* The stores of descriptors do not move, but are few and made when they are needed. */
static int grow_stores(struct engine_pool *pool, uint32_t n_places) {
    if (n_places <= pool->n_stores)
        return 0;
    struct fdstore **grown = grown_copy(pool->stores, pool->n_stores, n_places, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    free(pool->stores);
    pool->stores = grown;
    pool->n_stores = n_places;
    return 0;
}

static int add_seats(struct engine_pool *pool, uint32_t n_seats, uint32_t n_places) {
    struct pool *core = &pool->core;
    uint32_t more = n_seats - core->n_seats;
    struct seat_block *block = block_new(pool, core->n_seats, more);
    struct seat **seats = grown_copy(core->seats, core->n_seats, n_seats, sizeof(*seats));
    struct place *places = grown_copy(core->places, core->n_places, n_places, sizeof(*places));

    if (!block || !seats || !places || engine_make_timer_room(pool->engine, n_seats) < 0) {
        free(block);
        free(seats);
        free(places);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < more; i++)
        seats[core->n_seats + i] = &block->seats[i].core;
    block->next = pool->blocks;
    pool->blocks = block;

    struct seat **old_seats = core->seats;
    struct place *old_places = core->places;
    pool_give(core, seats, n_seats, places);
    free(old_seats);
    free(old_places);
    return 0;
}

int pool_grow(struct engine_pool *pool, uint32_t n_places) {
    uint32_t needed = MAX(pool_seats_for(&pool->core, n_places), pool->core.n_seats);
    uint32_t room = MAX(n_places, pool->room);
    int r = grow_stores(pool, room);

    if (r < 0 || (needed == pool->core.n_seats && room == pool->room && pool->core.places))
        return r;
    r = add_seats(pool, needed, room);
    if (r == 0)
        pool->room = room;
    return r;
}

static void seat_finish(struct engine_seat *seat) {
    loop_timer_set(seat->pool->engine->loop, &seat->timer, NSEC_NEVER);
    task_finish(&seat->task);
    voice_free(seat);
    group_close(seat);
    version_unref(seat->version);
    free(seat->detail);
    free(seat->words);
}

void pool_drop_stores(struct engine_pool *pool) {
    for (uint32_t i = 0; i < pool->n_stores; i++)
        if (pool->stores[i]) {
            fdstore_finish(pool->stores[i]);
            free(pool->stores[i]);
            pool->stores[i] = NULL;
        }
}

void pool_free_seats(struct engine_pool *pool) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        seat_finish(pool_seat(pool, i));
    pool_drop_stores(pool);
    while (pool->blocks) {
        struct seat_block *block = pool->blocks;

        pool->blocks = block->next;
        free(block);
    }
    free(pool->stores);
    free(pool->core.seats);
    free(pool->core.places);
}
