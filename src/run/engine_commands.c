/* SPDX-License-Identifier: MIT */

/* Commands by hand: to a pool, to one worker of it, to all. */

#include <errno.h>

#include "run/engine_internal.h"

static struct engine_seat *holder(const struct engine_pool *pool, uint32_t place) {
    return pool_seat(pool, pool->core.places[place].holder);
}

static void cancel_roll(struct engine_pool *pool) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_cancel(&pool->core, &outbox);
    engine_apply(pool, &outbox);
}

/* Down goes everybody, whatever they are for. */
static void command_down(struct engine_pool *pool, enum worker_event_kind event) {
    cancel_roll(pool);
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool->core.seats[i]->role != SEAT_FREE)
            engine_feed(pool_seat(pool, i), (struct worker_event){.kind = event});
}

void engine_pool_command(struct engine_pool *pool, enum worker_event_kind event) {
    bool down = event == EVENT_STOP || event == EVENT_KILL;

    if (down || event == EVENT_START || event == EVENT_RESTART) {
        pool->is_up = !down;
        pool_settle_change(pool, false);
    }
    if (down) {
        command_down(pool, event);
        return;
    }
    for (uint32_t i = 0; i < pool->core.n_places; i++)
        engine_feed(holder(pool, i), (struct worker_event){.kind = event});
}

void engine_command_all(struct engine *engine, enum worker_event_kind event) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        engine_pool_command(engine->pools[i], event);
}

int engine_worker_command(struct engine_pool *pool, uint32_t number, enum worker_event_kind event) {
    if (number >= pool->core.n_places)
        return -ENOENT;
    engine_feed(holder(pool, number), (struct worker_event){.kind = event});
    return 0;
}

/* -ESRCH: no main process runs in it. */
static int signal_seat(const struct engine_seat *seat, int signal) {
    if (seat->task.pidfd < 0 || seat->task.role != ROLE_MAIN)
        return -ESRCH;
    return process_signal(seat->task.pidfd, signal);
}

void engine_pool_signal(struct engine_pool *pool, int signal) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        signal_seat(pool_seat(pool, i), signal);
}

void engine_signal_all(struct engine *engine, int signal) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        engine_pool_signal(engine->pools[i], signal);
}

int engine_worker_signal(struct engine_pool *pool, uint32_t number, int signal) {
    if (number >= pool->core.n_places)
        return -ENOENT;
    return signal_seat(holder(pool, number), signal);
}

int engine_pool_roll(struct engine_pool *pool) {
    struct outbox outbox;

    outbox.count = 0;
    int r = pool_roll(&pool->core, &outbox);
    engine_apply(pool, &outbox);
    return r;
}

void engine_pool_roll_again(struct engine_pool *pool) {
    if (engine_pool_roll(pool) == -EBUSY)
        pool_roll_again(&pool->core);
}
