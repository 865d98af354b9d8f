/* SPDX-License-Identifier: MIT */

/*
 * Recycling by memory: every few seconds some workers of the pools that ask for it are looked at.
 * Where a worker has a control group with a memory controller, the kernel knows; else its tree is
 * walked, and what processes share is counted once, with the main one.
 */

#include "run/engine_internal.h"
#include "sys/proc.h"

#define USAGE_INTERVAL (5 * NSEC_PER_SEC)

/* How many workers of a pool are looked at in one turn of the loop. */
#define USAGE_BATCH 32U

/* Whoever has more processes than this is known by these. */
#define USAGE_PROCESSES 1024

void usage_arm(struct engine *engine) {
    if (!loop_timer_is_armed(&engine->usage))
        loop_timer_set(engine->loop, &engine->usage, nsec_add(loop_clock(), USAGE_INTERVAL));
}

static uint64_t memory_of_tree(pid_t pid) {
    struct proc_list tree = {0};
    struct proc_memory memory;
    uint64_t total = proc_memory(pid, &memory) == 0 ? memory.resident : 0;

    proc_children(pid, 0, &tree);
    for (size_t i = 0; i < tree.count; i++) {
        if (proc_memory(tree.pids[i], &memory) == 0)
            total += memory.resident - memory.shared;
        if (tree.count < USAGE_PROCESSES)
            proc_children(tree.pids[i], 0, &tree);
    }
    proc_list_finish(&tree);
    return total;
}

static uint64_t memory_of(const struct engine_seat *seat) {
    uint64_t memory = seat->group >= 0 ? cgroup_usage(seat->group).memory : UINT64_MAX;

    return memory != UINT64_MAX ? memory : memory_of_tree(seat->task.pid);
}

static void look_at(struct engine_pool *pool, uint32_t place) {
    const struct engine_seat *seat = pool_seat(pool, pool->core.places[place].holder);
    struct outbox outbox;

    if (seat->core.worker.state != WORKER_READY || memory_of(seat) <= pool->recycle_memory)
        return;
    outbox.count = 0;
    pool_recycle(&pool->core, place, "memory", &outbox);
    engine_apply(pool, &outbox);
}

/* The next few; a large pool takes several turns. */
static void look_on(struct engine_pool *pool) {
    uint32_t count = MIN(pool->core.n_places, USAGE_BATCH);

    for (uint32_t i = 0; i < count; i++) {
        pool->usage_cursor = (pool->usage_cursor + 1) % pool->core.n_places;
        look_at(pool, pool->usage_cursor);
    }
}

void usage_on_timer(void *data, uint64_t value, nsec_t now) {
    struct engine *engine = data;

    (void)value, (void)now;
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (engine->pools[i]->recycle_memory > 0) {
            look_on(engine->pools[i]);
            usage_arm(engine);
        }
}
