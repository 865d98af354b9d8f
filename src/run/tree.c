/* SPDX-License-Identifier: MIT */

/*
 * Everything below a worker. Its process group is reached with one kill; what has fled into a
 * session or group of its own is looked for:
 *   - while the worker's process lives, below it, through /proc/PID/task/TID/children;
 *   - after its end, among the orphans that the subreaper (this process) has adopted: by group, by
 *     session, or by BROOD_POOL and BROOD_WORKER in the environment it was started with.
 * What is found is held by a pidfd and watched until it has ended. Looking for orphans is done once
 * a turn for all workers that stop together. A library in somebody else's process adopts nothing:
 * there only the group and session count.
 *
 * A worker is gone when a look that has seen everything finds nothing of it. Where descriptors or
 * memory were short, or processes moved while we looked, the look is repeated.
 *
 * With CLONE_PARENT a worker makes a child not of its own but of the engine's thread. These are
 * looked for like orphans.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "run/strangers.h"
#include "run/tree_walk.h"

/* When to look again if something was missed: nothing else may wake the loop. */
#define LOOK_AGAIN (50 * NSEC_PER_MSEC)

/* To the group; before the child has made its group, to the child. */
static void signal_group(const struct process *process, int signal) {
    if (kill(-process->pid, signal) < 0)
        process_signal(process->pidfd, signal);
}

void tree_stop(struct pool_runtime *pool, uint32_t worker, int signal) {
    struct process *process = &pool->processes[worker];
    bool group = pool->kill_mode == KILL_GROUP;
    struct walk walk = {
        .engine = pool->engine,
        .pool = pool,
        .worker = worker,
        .spare_group = process->pid,
        .signal = group ? signal : 0,
    };

    walk_below(&walk, process->pid);
    if (group)
        signal_group(process, signal);
    else
        process_signal(process->pidfd, signal);
}

void tree_kill(struct pool_runtime *pool, uint32_t worker) {
    struct process *process = &pool->processes[worker];
    struct walk walk = {.engine = pool->engine, .pool = pool, .worker = worker, .signal = SIGKILL};

    if (process->pidfd < 0) {
        tree_check(pool, worker, true);
        return;
    }
    walk_below(&walk, process->pid);
    for (struct tree_member *m = pool->engine->members; m; m = m->next)
        if (member_belongs(m, pool, worker))
            process_signal(m->pidfd, SIGKILL);
    signal_group(process, SIGKILL);
}

void tree_check(struct pool_runtime *pool, uint32_t worker, bool kill) {
    struct process *process = &pool->processes[worker];

    if (!process->checking)
        pool->checks++;
    process->checking = true;
    process->killing = kill;
    for (struct tree_member *m = pool->engine->members; kill && m; m = m->next)
        if (member_belongs(m, pool, worker))
            process_signal(m->pidfd, SIGKILL);
}

/* An orphan and what is known of it, to find the worker that it comes from. */
struct orphan {
    pid_t pid;
    struct proc_stat stat;
    char pool[128];
    uint32_t worker; /* UINT32_MAX: its environment does not say */
};

static bool comes_from(
    const struct orphan *orphan, const struct pool_runtime *pool, uint32_t worker) {
    pid_t leader = pool->processes[worker].pid;

    if (orphan->stat.group == leader || orphan->stat.session == leader)
        return true;
    return orphan->worker == worker && strcmp(orphan->pool, pool->plan->pool) == 0;
}

/* Whether something of it was missed. */
static bool assign(struct engine *engine, struct pool_runtime *pool, const struct orphan *orphan) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++) {
        const struct process *process = &pool->processes[i];

        if (!process->checking || !comes_from(orphan, pool, i))
            continue;
        struct walk walk = {
            .engine = engine,
            .pool = pool,
            .worker = i,
            .signal = process->killing ? SIGKILL : pool->core.rules.stop_signal,
        };
        if (!member_find(engine, orphan->pid))
            walk_from(&walk, orphan->pid, orphan->stat.parent);
        return walk.missed;
    }
    return false;
}

static void read_environment(struct orphan *orphan) {
    char number[16];
    uint64_t worker;

    if (proc_variable(orphan->pid, "BROOD_POOL", orphan->pool, sizeof(orphan->pool)) == 0 &&
        proc_variable(orphan->pid, "BROOD_WORKER", number, sizeof(number)) == 0 &&
        text_parse_u64(number, 0, UINT32_MAX - 1, &worker) == 0)
        orphan->worker = (uint32_t)worker;
}

/* Whether something was missed. */
static bool visit_orphan(struct engine *engine, pid_t pid) {
    struct orphan orphan = {.pid = pid, .worker = UINT32_MAX};
    bool missed = false;
    int r = proc_stat(pid, &orphan.stat);

    if (r < 0 || orphan.stat.state == 'Z')
        return walk_is_blind(r);
    if (engine->options.subreaper)
        read_environment(&orphan);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (engine->pools[i]->checks > 0)
            missed = assign(engine, engine->pools[i], &orphan) || missed;
    return missed;
}

static int compare_pids(const void *a, const void *b) {
    pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

    return (left > right) - (left < right);
}

/* The workers' processes in the order of their numbers; fewer than there are only without memory.
 */
static struct proc_list list_workers(const struct engine *engine) {
    struct proc_list workers = {0};
    size_t total = 0;

    for (uint32_t p = 0; p < engine->n_pools; p++)
        total += engine->pools[p]->core.n_seats;
    workers.pids = calloc(total + 1, sizeof(pid_t));
    for (uint32_t p = 0; p < engine->n_pools && workers.pids; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_seats; i++)
            if (engine->pools[p]->processes[i].pidfd >= 0)
                workers.pids[workers.count++] = engine->pools[p]->processes[i].pid;
    if (workers.pids)
        qsort(workers.pids, workers.count, sizeof(pid_t), compare_pids);
    return workers;
}

/* Our thread's children without the workers, and the leader's; negative: some may be missing. */
static int list_adopted(const struct engine *engine, struct proc_list *orphans) {
    struct proc_list own = {0};
    struct proc_list workers = list_workers(engine);
    int r = workers.pids ? proc_children(getpid(), gettid(), &own) : -ENOMEM;
    size_t kept = 0;

    for (size_t i = 0; i < own.count; i++)
        if (!workers.pids ||
            !bsearch(&own.pids[i], workers.pids, workers.count, sizeof(pid_t), compare_pids))
            own.pids[kept++] = own.pids[i];
    own.count = kept;
    if (getpid() != gettid()) {
        int theirs = proc_children(getpid(), getpid(), &own);

        r = r < 0 ? r : theirs;
    }
    proc_list_finish(&workers);
    *orphans = own;
    return r;
}

/* Everything that may have been left by a worker. */
static int list_orphans(const struct engine *engine, struct proc_list *orphans) {
    *orphans = (struct proc_list){0};
    return engine->options.subreaper ? list_adopted(engine, orphans) : proc_all(orphans);
}

static void look_again(struct engine *engine) {
    if (!loop_timer_is_armed(&engine->settle))
        loop_timer_set(engine->loop, &engine->settle, nsec_add(loop_clock(), LOOK_AGAIN));
}

/* A worker that is no longer draining has been given up: its check goes with it. */
static void finish_checks(struct pool_runtime *pool, bool missed) {
    for (uint32_t i = 0; i < pool->core.n_seats && pool->checks > 0; i++) {
        struct process *process = &pool->processes[i];

        if (!process->checking || (missed && pool->core.seats[i]->worker.state == WORKER_DRAINING))
            continue;
        process->checking = false;
        pool->checks--;
        if (!member_any(pool, i))
            engine_feed(pool, i,
                (struct worker_event){
                    .kind = EVENT_TREE_GONE, .generation = pool->core.seats[i]->worker.generation});
    }
}

void tree_run_checks(struct engine *engine) {
    struct proc_list orphans;
    bool any = false;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        any = any || engine->pools[i]->checks > 0;
    if (!any)
        return;
    bool missed = walk_is_blind(list_orphans(engine, &orphans));
    for (size_t i = 0; i < orphans.count; i++)
        missed = visit_orphan(engine, orphans.pids[i]) || missed;
    proc_list_finish(&orphans);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        finish_checks(engine->pools[i], missed);
    if (missed)
        look_again(engine);
}

static bool is_worker(void *data, pid_t pid) {
    return engine_owns(data, pid);
}

void tree_reap(struct engine *engine) {
    if (engine->options.subreaper)
        strangers_reap_own(is_worker, engine);
}

static void name_member(const struct tree_member *member, struct buffer *names) {
    struct proc_stat stat;

    if (proc_stat(member->pid, &stat) == 0)
        buffer_add_format(names, "%s%s[%d]", names->length > 0 ? ", " : "", stat.name, member->pid);
}

const char *tree_names(
    const struct pool_runtime *pool, uint32_t worker, char *buffer, size_t size) {
    struct buffer names = {.data = buffer, .size = size};

    *buffer = '\0';
    for (const struct tree_member *m = pool->engine->members; m; m = m->next)
        if (member_belongs(m, pool, worker))
            name_member(m, &names);
    return buffer;
}

uint32_t engine_signal_leftovers(struct engine *engine, int signal, char *names, size_t size) {
    struct buffer list = {.data = names, .size = size};
    struct walk walk = {.engine = engine, .signal = signal};
    struct proc_list orphans;

    *names = '\0';
    tree_reap(engine);
    walk.missed = walk_is_blind(list_orphans(engine, &orphans));
    for (size_t i = 0; i < orphans.count; i++)
        walk_from(&walk, orphans.pids[i], getpid());
    proc_list_finish(&orphans);
    for (const struct tree_member *m = engine->members; m; m = m->next)
        name_member(m, &list);
    /* Without descriptors /proc tells nothing; that there is nobody at all can still be told. */
    bool left = walk.count > 0 || (walk.missed && process_has_children());
    if (left && walk.missed)
        look_again(engine);
    return walk.count > 0 ? walk.count : left;
}

void engine_abandon(struct engine *engine) {
    char names[8];

    for (uint32_t p = 0; p < engine->n_pools; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_seats; i++)
            if (engine->pools[p]->processes[i].pidfd >= 0)
                tree_kill(engine->pools[p], i);
    if (engine->options.subreaper)
        engine_signal_leftovers(engine, SIGKILL, names, sizeof(names));
}
