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
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "run/engine_internal.h"
#include "sys/proc.h"

struct tree_member {
    struct tree_member *next;
    struct engine *engine;
    struct pool_runtime *pool; /* NULL: nobody's, left at the very end */
    uint32_t worker;
    pid_t pid;
    int pidfd;
    loop_source_t source;
};

static bool belongs(
    const struct tree_member *member, const struct pool_runtime *pool, uint32_t worker) {
    return member->pool == pool && member->worker == worker;
}

static struct tree_member *find_member(const struct engine *engine, pid_t pid) {
    struct tree_member *member = engine->members;

    while (member && member->pid != pid)
        member = member->next;
    return member;
}

static bool has_members(const struct pool_runtime *pool, uint32_t worker) {
    const struct tree_member *member = pool->engine->members;

    while (member && !belongs(member, pool, worker))
        member = member->next;
    return member != NULL;
}

static void drop(struct tree_member *member) {
    struct tree_member **link = &member->engine->members;

    while (*link != member)
        link = &(*link)->next;
    *link = member->next;
    loop_remove(member->engine->loop, member->source);
    close(member->pidfd);
    free(member);
}

void tree_forget(struct engine *engine) {
    while (engine->members)
        drop(engine->members);
}

/* The last of a drained worker's tree may have left something in its turn: look again. */
static void on_member_exit(void *data, uint64_t value, int fd, unsigned events) {
    struct tree_member *member = data;
    struct pool_runtime *pool = member->pool;
    uint32_t worker = member->worker;

    (void)value, (void)fd, (void)events;
    drop(member);
    if (pool && pool->workers[worker].state == WORKER_DRAINING && !has_members(pool, worker))
        tree_check(pool, worker, pool->workers[worker].forced);
}

/*
 * Holds a process by pidfd. The number may have been given to somebody else between the reading of
 * it and the opening: only one that still has the parent it was found under is taken.
 */
static struct tree_member *hold(
    struct engine *engine, struct pool_runtime *pool, uint32_t worker, pid_t pid, pid_t parent) {
    struct proc_stat stat;
    struct tree_member *member = find_member(engine, pid);

    if (member)
        return member;
    member = calloc(1, sizeof(*member));
    if (!member)
        return NULL;
    *member = (struct tree_member){
        .engine = engine, .pool = pool, .worker = worker, .pid = pid, .pidfd = -1};
    if (process_open(pid, &member->pidfd) < 0 || proc_stat(pid, &stat) < 0 ||
        stat.parent != parent || stat.state == 'Z')
        goto gone;

    struct loop_watch watch = {
        .fd = member->pidfd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .once = true,
        .fn = on_member_exit,
        .data = member,
    };
    if (loop_add(engine->loop, &watch, &member->source) < 0)
        goto gone;
    member->next = engine->members;
    engine->members = member;
    return member;

gone:
    if (member->pidfd >= 0)
        close(member->pidfd);
    free(member);
    return NULL;
}

/* A walk down from one process, holding and signalling what it passes. */
struct walk {
    struct engine *engine;
    struct pool_runtime *pool;
    uint32_t worker;
    pid_t parent;
    pid_t spare_group; /* what is in this group is reached by other means; 0: nothing is spared */
    int signal;        /* 0: only hold */
    uint32_t count;
};

static void walk_below(const struct walk *walk, pid_t parent);

static void walk_one(void *data, pid_t pid) {
    struct walk *walk = data;
    struct proc_stat stat;

    if (proc_stat(pid, &stat) < 0 || stat.state == 'Z')
        return;
    walk_below(walk, pid);
    if (walk->spare_group != 0 && stat.group == walk->spare_group)
        return;
    bool known = find_member(walk->engine, pid) != NULL;
    struct tree_member *member = hold(walk->engine, walk->pool, walk->worker, pid, walk->parent);
    if (!member)
        return;
    walk->count++;
    if (walk->signal == SIGKILL || (walk->signal != 0 && !known))
        process_signal(member->pidfd, walk->signal);
}

static void walk_below(const struct walk *walk, pid_t parent) {
    struct walk below = *walk;

    below.parent = parent;
    proc_children(parent, 0, walk_one, &below);
}

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
        if (belongs(m, pool, worker))
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
        if (belongs(m, pool, worker))
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

static void assign(struct engine *engine, struct pool_runtime *pool, const struct orphan *orphan) {
    for (uint32_t i = 0; i < pool->core.n_workers; i++) {
        const struct process *process = &pool->processes[i];

        if (!process->checking || !comes_from(orphan, pool, i))
            continue;
        struct walk walk = {
            .engine = engine,
            .pool = pool,
            .worker = i,
            .parent = orphan->stat.parent,
            .signal = process->killing ? SIGKILL : pool->core.rules.stop_signal,
        };
        if (!find_member(engine, orphan->pid))
            walk_one(&walk, orphan->pid);
        return;
    }
}

static void read_environment(struct orphan *orphan) {
    char number[16];
    uint64_t worker;

    if (proc_variable(orphan->pid, "BROOD_POOL", orphan->pool, sizeof(orphan->pool)) == 0 &&
        proc_variable(orphan->pid, "BROOD_WORKER", number, sizeof(number)) == 0 &&
        text_parse_u64(number, 0, UINT32_MAX - 1, &worker) == 0)
        orphan->worker = (uint32_t)worker;
}

static void visit_orphan(void *data, pid_t pid) {
    struct engine *engine = data;
    struct orphan orphan = {.pid = pid, .worker = UINT32_MAX};

    if (proc_stat(pid, &orphan.stat) < 0 || orphan.stat.state == 'Z')
        return;
    if (engine->options.subreaper)
        read_environment(&orphan);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (engine->pools[i]->checks > 0)
            assign(engine, engine->pools[i], &orphan);
}

static void visit_orphans(struct engine *engine, proc_visit visit, void *data) {
    if (engine->options.subreaper)
        proc_children(getpid(), getpid(), visit, data);
    else
        proc_all(visit, data);
}

static void finish_checks(struct pool_runtime *pool) {
    for (uint32_t i = 0; i < pool->core.n_workers && pool->checks > 0; i++) {
        struct process *process = &pool->processes[i];

        if (!process->checking)
            continue;
        process->checking = false;
        pool->checks--;
        if (!has_members(pool, i))
            engine_feed(pool, i,
                (struct worker_event){
                    .kind = EVENT_TREE_GONE, .generation = pool->workers[i].generation});
    }
}

void tree_run_checks(struct engine *engine) {
    bool any = false;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        any = any || engine->pools[i]->checks > 0;
    if (!any)
        return;
    visit_orphans(engine, visit_orphan, engine);
    for (uint32_t i = 0; i < engine->n_pools; i++)
        finish_checks(engine->pools[i]);
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
        if (belongs(m, pool, worker))
            name_member(m, &names);
    return buffer;
}

uint32_t engine_signal_leftovers(struct engine *engine, int signal, char *names, size_t size) {
    struct buffer list = {.data = names, .size = size};
    struct walk walk = {.engine = engine, .parent = getpid(), .signal = signal};

    *names = '\0';
    visit_orphans(engine, walk_one, &walk);
    for (const struct tree_member *m = engine->members; m; m = m->next)
        name_member(m, &list);
    return walk.count;
}

void engine_abandon(struct engine *engine) {
    char names[8];

    for (uint32_t p = 0; p < engine->n_pools; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_workers; i++)
            if (engine->pools[p]->processes[i].pidfd >= 0)
                signal_group(&engine->pools[p]->processes[i], SIGKILL);
    if (engine->options.subreaper)
        engine_signal_leftovers(engine, SIGKILL, names, sizeof(names));
}
