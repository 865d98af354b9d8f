/* SPDX-License-Identifier: MIT */

/*
 * Control groups: one for each pool, one below it for each seat, made at its first start and kept.
 * Where a worker has one, its tree is what lives in it: nothing has to be searched for.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/engine_internal.h"

/* How often a kill is repeated at once where the kernel cannot kill a group as a whole. */
#define KILL_ATTEMPTS 8

/* Room in a name for a number. */
#define NUMBER_NAME 12

void engine_use_groups(struct engine *engine, const struct cgroup_root *root) {
    engine->groups = root;
}

/* --- made and removed */

void group_open_pool(struct engine_pool *pool) {
    const struct cgroup_root *root = pool->engine->groups;
    uint32_t needed = cgroup_limits_controllers(&pool->limits);

    pool->limits_refused = pool->limits.set;
    if (!root)
        return;
    pool->group = cgroup_make(root->fd, pool->name);
    if (pool->group < 0)
        return;
    if (pool->recycle_memory > 0)
        needed |= 1U << CGROUP_MEMORY;
    cgroup_enable(pool->group, needed & root->controllers);
    pool->limits_refused = 0;
}

void group_close_pool(struct engine_pool *pool) {
    if (pool->group < 0)
        return;
    close(pool->group);
    pool->group = -1;
    cgroup_remove(pool->engine->groups->fd, pool->name);
}

static void apply_limits(struct engine_seat *seat) {
    seat->pool->limits_refused |= cgroup_limits_apply(seat->group, &seat->pool->limits);
}

static const char *name_of(const struct engine_seat *seat, char name[NUMBER_NAME]) {
    snprintf(name, NUMBER_NAME, "%u", seat->number);
    return name;
}

/*
 * Without a group a worker runs all the same, in ours: what then is not in force is told. A group
 * that was killed is made anew once it is empty; see cgroup_kill().
 */
void group_open(struct engine_seat *seat) {
    struct engine_pool *pool = seat->pool;
    char name[NUMBER_NAME];

    if (seat->group >= 0 && seat->group_spent && cgroup_is_populated(seat->group) == 0)
        group_close(seat);
    if (pool->group < 0 || seat->group >= 0)
        return;
    seat->group_spent = false;
    seat->group = cgroup_make(pool->group, name_of(seat, name));
    if (seat->group < 0) {
        seat->group = -1;
        pool->limits_refused = pool->limits.set;
        return;
    }
    apply_limits(seat);
    seat->oom_kills = cgroup_oom_kills(seat->group);
}

/* Somebody else may have removed it: the next start makes it anew. */
void group_doubt(struct engine_seat *seat, int error) {
    if (error != -EAGAIN && error != -ENOMEM && error != -EMFILE && error != -ENFILE)
        group_close(seat);
}

void group_close(struct engine_seat *seat) {
    char name[NUMBER_NAME];

    if (seat->group < 0)
        return;
    group_unwatch(seat);
    close(seat->group);
    seat->group = -1;
    cgroup_remove(seat->pool->group, name_of(seat, name));
}

/* A weight has a middle to go back to, the others know no bounds by themselves. */
static uint64_t limit_of_nobody(enum cgroup_limit limit) {
    if (limit == CGROUP_LIMIT_CPU_WEIGHT || limit == CGROUP_LIMIT_IO_WEIGHT)
        return 100;
    return limit == CGROUP_LIMIT_MEMORY_MIN || limit == CGROUP_LIMIT_MEMORY_LOW ? 0
                                                                                : CGROUP_NO_LIMIT;
}

void group_limit_pool(struct engine_pool *pool, uint32_t before) {
    uint32_t gone = before & ~pool->limits.set;

    pool->limits_refused = pool->group < 0 ? pool->limits.set : 0;
    if (pool->group >= 0)
        cgroup_enable(pool->group,
            cgroup_limits_controllers(&pool->limits) & pool->engine->groups->controllers);
    for (uint32_t i = 0; i < pool->core.n_seats; i++) {
        struct engine_seat *seat = pool_seat(pool, i);

        if (seat->group < 0)
            continue;
        for (uint32_t left = gone; left != 0; left &= left - 1) {
            enum cgroup_limit limit = (enum cgroup_limit)__builtin_ctz(left);

            cgroup_limit(seat->group, limit, limit_of_nobody(limit));
        }
        apply_limits(seat);
    }
}

/* --- asked */

bool group_has_killed(struct engine_seat *seat) {
    if (seat->group < 0 || !(seat->pool->limits.set & 1U << CGROUP_LIMIT_MEMORY_MAX))
        return false;
    uint64_t before = seat->oom_kills;
    seat->oom_kills = cgroup_oom_kills(seat->group);
    return seat->oom_kills > before;
}

void group_path(const struct engine_seat *seat, char *buffer, size_t size) {
    char link[64];

    *buffer = '\0';
    if (seat->group < 0)
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", seat->group);
    ssize_t length = readlink(link, buffer, size - 1);
    buffer[MAX(length, 0)] = '\0';
}

/* --- ended */

static void signal_each(const struct engine_seat *seat, int signal) {
    struct proc_list list = {0};

    bool seen = false;

    cgroup_procs(seat->group, &list);
    for (size_t i = 0; i < list.count; i++) {
        seen = seen || list.pids[i] == seat->task.pid;
        kill(list.pids[i], signal);
    }
    proc_list_finish(&list);
    if (!seen && seat->task.pidfd >= 0)
        process_signal(seat->task.pidfd, signal);
}

void group_signal(struct engine_seat *seat, int signal) {
    if (signal != SIGKILL) {
        signal_each(seat, signal);
        return;
    }
    seat->group_spent = true;
    for (int i = 0; i < KILL_ATTEMPTS && cgroup_kill(seat->group) == -EAGAIN; i++)
        continue;
}

static struct engine_seat *find_watched(const struct engine *engine, int number) {
    for (uint32_t p = 0; p < engine->n_pools; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_seats; i++)
            if (pool_seat(engine->pools[p], i)->group_watch == number)
                return pool_seat(engine->pools[p], i);
    return NULL;
}

static void on_groups_changed(void *data, uint64_t value, int fd, unsigned events) {
    struct engine *engine = data;
    int numbers[16];
    int count = cgroup_watch_next(fd, numbers, ELEMENTS(numbers));

    (void)value, (void)events;
    for (int i = 0; i < count; i++) {
        struct engine_seat *seat = find_watched(engine, numbers[i]);

        if (!seat)
            continue;
        group_unwatch(seat);
        if (seat->core.worker.state == WORKER_DRAINING)
            tree_check(seat, seat->core.worker.forced);
    }
}

static int open_watch(struct engine *engine) {
    struct loop_watch watch = {
        .fd = cgroup_watch_open(),
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .fn = on_groups_changed,
        .data = engine,
    };

    if (watch.fd < 0)
        return watch.fd;
    int r = loop_add(engine->loop, &watch, &engine->group_source);
    if (r < 0) {
        close(watch.fd);
        return r;
    }
    engine->group_watch = watch.fd;
    return 0;
}

void group_finish(struct engine *engine) {
    if (engine->group_watch < 0)
        return;
    loop_remove(engine->loop, engine->group_source);
    close(engine->group_watch);
}

/* The watch comes first: what changes between it and the look is told. */
int group_check(struct engine_seat *seat) {
    struct engine *engine = seat->pool->engine;
    int r = engine->group_watch < 0 ? open_watch(engine) : 0;

    if (r == 0 && seat->group_watch == 0) {
        r = cgroup_watch_add(engine->group_watch, seat->group);
        seat->group_watch = MAX(r, 0);
    }
    int populated = cgroup_is_populated(seat->group);
    if (populated <= 0) {
        group_unwatch(seat);
        return populated;
    }
    return r < 0 ? r : 1;
}

void group_unwatch(struct engine_seat *seat) {
    if (seat->group_watch > 0)
        cgroup_watch_remove(seat->pool->engine->group_watch, seat->group_watch);
    seat->group_watch = 0;
}
