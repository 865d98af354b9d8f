/* SPDX-License-Identifier: MIT */

/*
 * A process between spawn and reap. The way of an exit is the hot path of all: pidfd readable →
 * waitid → core → clone of the replacement; what can wait (closing the old pidfd, telling watchers)
 * comes after the clone.
 */

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "run/end.h"
#include "run/engine_internal.h"

/* How soon after a spawn its outcome is asked for, and how seldom when exec takes long. */
#define SETTLE_FIRST (10 * NSEC_PER_MSEC)
#define SETTLE_LAST  NSEC_PER_SEC

static void on_exit_readable(void *data, uint64_t value, int fd, unsigned events);

static void watch_exit(struct pool_runtime *pool, uint32_t worker) {
    struct process *process = &pool->processes[worker];
    struct loop_watch watch = {
        .fd = process->pidfd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .once = true,
        .fn = on_exit_readable,
        .data = pool,
        .value = worker,
    };

    /* Failing that (no memory), the settle timer tries again: the slot keeps it running. */
    if (loop_add(pool->engine->loop, &watch, &process->source) < 0)
        process->source = 0;
}

static void arm_settle(struct engine *engine) {
    if (loop_timer_is_armed(&engine->settle) && engine->settle_interval == SETTLE_FIRST)
        return;
    engine->settle_interval = SETTLE_FIRST;
    loop_timer_set(engine->loop, &engine->settle, nsec_add(loop_clock(), SETTLE_FIRST));
}

int process_start(struct pool_runtime *pool, uint32_t worker, struct child_fault *ret_fault) {
    struct process *process = &pool->processes[worker];
    struct spawn_owner owner = {pool, {worker, pool->core.seats[worker]->worker.generation}};
    struct spawned spawned;
    int r = spawn(&pool->engine->spawner, pool->plan, owner, &spawned);

    if (r < 0) {
        *ret_fault = (struct child_fault){.step = CHILD_CLONE, .error = -r};
        return r;
    }
    process->pidfd = spawned.pidfd;
    process->pid = spawned.pid;
    process->slot = spawned.slot;
    process->source = 0;
    watch_exit(pool, worker);
    arm_settle(pool->engine);
    return 0;
}

/* An exit is fed with the fault that the child left in its slot, if it never became its program. */
static void feed_exit(struct pool_runtime *pool, uint32_t worker, struct process_end end) {
    struct engine *engine = pool->engine;
    struct process *process = &pool->processes[worker];
    struct worker_event event = {
        .kind = EVENT_EXITED,
        .generation = pool->core.seats[worker]->worker.generation,
        .cause = end_cause(end),
    };
    struct child_fault fault = {0};
    char detail[512];

    if (process->slot != SPAWN_NO_SLOT &&
        spawn_outcome(&engine->spawner, process->slot, &fault) == SPAWN_FAULT) {
        struct incarnation incarnation = {worker, event.generation};

        engine->detail = plan_explain(pool->plan, incarnation, fault, detail, sizeof(detail));
        event.cause = (struct cause){CAUSE_EXEC, (unsigned)child_exit_status(fault), fault.error};
    }
    spawn_release(&engine->spawner, process->slot);
    process->slot = SPAWN_NO_SLOT;
    process->pidfd = -1;
    engine_feed(pool, worker, event);
    engine->detail = NULL;
}

static void on_exit_readable(void *data, uint64_t value, int fd, unsigned events) {
    struct pool_runtime *pool = data;
    uint32_t worker = (uint32_t)value;
    struct process_end end = {0};
    int r = process_reap(fd, &end);

    (void)events;
    pool->processes[worker].source = 0;
    if (r == 0) {
        watch_exit(pool, worker);
        return;
    }
    /* Somebody else in this process took the status: then it is lost, and that is said. */
    if (r < 0)
        end = (struct process_end){0};
    feed_exit(pool, worker, end);
    close(fd);
}

static void settle_one(void *data, struct spawn_owner owner, uint32_t slot) {
    struct engine *engine = data;
    struct pool_runtime *pool = owner.pool;
    uint32_t worker = owner.incarnation.worker;
    struct child_fault fault;

    if (pool->processes[worker].source == 0)
        watch_exit(pool, worker);
    if (spawn_outcome(&engine->spawner, slot, &fault) != SPAWN_BECAME ||
        pool->processes[worker].source == 0)
        return;
    spawn_release(&engine->spawner, slot);
    pool->processes[worker].slot = SPAWN_NO_SLOT;
    engine_feed(pool, worker,
        (struct worker_event){.kind = EVENT_READY, .generation = owner.incarnation.generation});
}

/*
 * How often, after restarts, to look for zombies among our own children. That walks over the
 * workers, so the more there are, the more seldom: a millisecond for each.
 */
static nsec_t sweep_interval(const struct engine *engine) {
    nsec_t interval = 0;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        interval += engine->pools[i]->core.n_seats * NSEC_PER_MSEC;
    return interval;
}

void process_settle(void *data, uint64_t value, nsec_t now) {
    struct engine *engine = data;

    (void)value;
    spawn_visit(&engine->spawner, settle_one, engine);
    if (engine->spawner.in_flight == 0) {
        spawner_trim(&engine->spawner);
        if (now >= engine->next_sweep) {
            engine->next_sweep = nsec_add(now, sweep_interval(engine));
            tree_reap(engine);
        }
        return;
    }
    engine->settle_interval = MIN(2 * engine->settle_interval, SETTLE_LAST);
    loop_timer_set(engine->loop, &engine->settle, nsec_add(now, engine->settle_interval));
}
