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
static void signal_group(const struct task *task, int signal) {
    if (kill(-task->pid, signal) < 0)
        process_signal(task->pidfd, signal);
}

/* By hand of the administrator, nothing but the process itself is ours to end, or not even that. */
static bool is_tree_spared(const struct engine_seat *seat) {
    return seat->pool->kill_mode == KILL_PROCESS || seat->pool->kill_mode == KILL_NONE;
}

static void signal_group_and_below(struct engine_seat *seat, int signal) {
    struct walk walk = {
        .engine = seat->pool->engine,
        .seat = seat,
        .spare_group = seat->task.pid,
        .signal = signal,
    };

    walk_below(&walk, seat->task.pid);
    signal_group(&seat->task, signal);
}

/* What has left the group is held all the same, while it can still be found below the process. */
static void signal_process(struct engine_seat *seat, int signal) {
    struct walk walk = {.engine = seat->pool->engine, .seat = seat, .spare_group = seat->task.pid};

    if (!is_tree_spared(seat) && seat->group < 0)
        walk_below(&walk, seat->task.pid);
    if (seat->pool->kill_mode != KILL_NONE)
        process_signal(seat->task.pidfd, signal);
}

void tree_stop(struct engine_seat *seat, int signal) {
    if (seat->pool->kill_mode != KILL_GROUP)
        signal_process(seat, signal);
    else if (seat->group >= 0)
        group_signal(seat, signal);
    else
        signal_group_and_below(seat, signal);
}

static void signal_members(const struct engine_seat *seat, int signal) {
    for (struct tree_member *m = seat->pool->engine->members; m; m = m->next)
        if (m->seat == seat)
            process_signal(m->pidfd, signal);
}

void tree_kill(struct engine_seat *seat) {
    int signal = seat->pool->final_signal;
    struct walk walk = {.engine = seat->pool->engine, .seat = seat, .signal = signal};

    if (seat->task.pidfd < 0) {
        tree_check(seat, true);
        return;
    }
    if (is_tree_spared(seat)) {
        signal_process(seat, signal);
        return;
    }
    if (seat->group >= 0)
        group_signal(seat, signal);
    else
        walk_below(&walk, seat->task.pid);
    signal_members(seat, signal);
    signal_group(&seat->task, signal);
}

void tree_check(struct engine_seat *seat, bool kill) {
    if (!seat->checking)
        seat->pool->checks++;
    seat->pool->engine->check_due = true;
    seat->checking = true;
    seat->killing = kill;
    if (kill)
        signal_members(seat, seat->pool->final_signal);
}

/* One read tells whether a group has somebody left; without one it takes the search of a check. */
bool tree_goes_first(const struct engine_seat *seat) {
    return seat->pool->ends_leftovers && !is_tree_spared(seat) &&
           (seat->group < 0 || cgroup_is_populated(seat->group) == 1);
}

/* An orphan and what is known of it, to find the worker that it comes from. */
struct orphan {
    pid_t pid;
    struct proc_stat stat;
    char pool[128];
    uint32_t worker;     /* UINT32_MAX: its environment does not say */
    uint32_t generation; /* what an earlier one has left is the later one's to end */
};

static bool comes_from(const struct orphan *orphan, const struct engine_seat *seat) {
    pid_t leader = seat->task.pid;

    if (orphan->stat.group == leader || orphan->stat.session == leader)
        return true;
    return orphan->worker == seat->core.worker.number &&
           orphan->generation <= seat->core.worker.generation &&
           strcmp(orphan->pool, seat->pool->name) == 0;
}

static int signal_for(const struct engine_seat *seat) {
    return seat->killing ? seat->pool->final_signal : seat->pool->core.rules.stop_signal;
}

static bool is_searched_for(const struct engine_seat *seat) {
    return seat->checking && seat->group < 0 && !is_tree_spared(seat);
}

/* Whether something of it was missed. */
static bool assign(struct engine *engine, struct engine_pool *pool, const struct orphan *orphan) {
    for (uint32_t i = 0; i < pool->core.n_seats; i++) {
        struct engine_seat *seat = pool_seat(pool, i);

        if (!is_searched_for(seat) || !comes_from(orphan, seat))
            continue;
        struct walk walk = {.engine = engine, .seat = seat, .signal = signal_for(seat)};
        if (!member_find(engine, orphan->pid))
            walk_from(&walk, orphan->pid, orphan->stat.parent);
        return walk.missed;
    }
    return false;
}

static uint32_t read_number(pid_t pid, const char *name, uint32_t otherwise) {
    char text[16];
    uint64_t number;

    if (proc_variable(pid, name, text, sizeof(text)) < 0 ||
        text_parse_u64(text, 0, UINT32_MAX - 1, &number) < 0)
        return otherwise;
    return (uint32_t)number;
}

static void read_environment(struct orphan *orphan) {
    if (proc_variable(orphan->pid, "BROOD_POOL", orphan->pool, sizeof(orphan->pool)) < 0)
        return;
    orphan->worker = read_number(orphan->pid, "BROOD_WORKER", UINT32_MAX);
    orphan->generation = read_number(orphan->pid, "BROOD_GENERATION", 0);
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

/* Our own children in the order of their numbers; fewer than there are only without memory.
 */
static struct proc_list list_workers(const struct engine *engine) {
    struct proc_list workers = {0};
    size_t total = 0;

    for (const struct side *side = engine->sides; side; side = side->next)
        total++;
    for (uint32_t p = 0; p < engine->n_pools; p++)
        total += engine->pools[p]->core.n_seats;
    workers.pids = calloc(total + 1, sizeof(pid_t));
    if (!workers.pids)
        return workers;
    for (const struct side *side = engine->sides; side; side = side->next)
        workers.pids[workers.count++] = side->task.pid;
    for (uint32_t p = 0; p < engine->n_pools; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_seats; i++) {
            const struct task *task = &pool_seat(engine->pools[p], i)->task;

            if (task->pidfd >= 0)
                workers.pids[workers.count++] = task->pid;
        }
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

/* What lives in a group is signalled and waited for there. Whether somebody is left. */
static bool drain_group(struct engine_seat *seat, bool *missed) {
    int r = group_check(seat);

    if (r == 0)
        return false;
    group_signal(seat, signal_for(seat));
    *missed = *missed || r < 0;
    return true;
}

/* A worker that is no longer draining has been given up: its check goes with it. */
static void finish_check(struct engine_seat *seat, bool *missed) {
    bool blind = *missed && seat->group < 0, left = false;

    if (seat->group >= 0 && !is_tree_spared(seat))
        left = drain_group(seat, &blind);
    *missed = *missed || blind;
    if (blind && !is_tree_spared(seat) && seat->core.worker.state == WORKER_DRAINING)
        return;
    seat->checking = false;
    seat->pool->checks--;
    if (!left && !member_any(seat))
        engine_feed(seat, (struct worker_event){
                              .kind = EVENT_TREE_GONE, .generation = seat->core.worker.generation});
}

static void finish_checks(struct engine_pool *pool, bool *missed) {
    for (uint32_t i = 0; i < pool->core.n_seats && pool->checks > 0; i++)
        if (pool_seat(pool, i)->checking)
            finish_check(pool_seat(pool, i), missed);
}

static bool search_orphans(struct engine *engine) {
    struct proc_list orphans;
    bool missed = walk_is_blind(list_orphans(engine, &orphans));

    for (size_t i = 0; i < orphans.count; i++)
        missed = visit_orphan(engine, orphans.pids[i]) || missed;
    proc_list_finish(&orphans);
    return missed;
}

idle_path void tree_run_checks(struct engine *engine) {
    bool any = false, search = false, missed = false;

    engine->check_due = false;
    for (uint32_t p = 0; p < engine->n_pools; p++) {
        const struct engine_pool *pool = engine->pools[p];

        any = any || pool->checks > 0;
        for (uint32_t i = 0; i < pool->core.n_seats && pool->checks > 0 && !search; i++)
            search = is_searched_for(pool_seat(pool, i));
    }
    if (!any)
        return;
    if (search)
        missed = search_orphans(engine) && (!engine->options.subreaper || process_has_children());
    for (uint32_t i = 0; i < engine->n_pools; i++)
        finish_checks(engine->pools[i], &missed);
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

static void name_process(pid_t pid, struct buffer *names) {
    struct proc_stat stat;

    if (proc_stat(pid, &stat) == 0)
        buffer_add_format(names, "%s%s[%d]", names->length > 0 ? ", " : "", stat.name, pid);
}

static void name_group(const struct engine_seat *seat, struct buffer *names) {
    struct proc_list list = {0};

    cgroup_procs(seat->group, &list);
    for (size_t i = 0; i < list.count; i++)
        name_process(list.pids[i], names);
    proc_list_finish(&list);
}

const char *tree_names(const struct engine_seat *seat, char *buffer, size_t size) {
    struct buffer names = {.data = buffer, .size = size};

    *buffer = '\0';
    if (seat->group >= 0)
        name_group(seat, &names);
    for (const struct tree_member *m = seat->pool->engine->members; m; m = m->next)
        if (m->seat == seat)
            name_process(m->pid, &names);
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
        if (signal != SIGKILL && member_find(engine, orphans.pids[i]))
            walk.count++; /* told already; what it starts now is a part of how it ends */
        else
            walk_from(&walk, orphans.pids[i], getpid());
    proc_list_finish(&orphans);
    for (const struct tree_member *m = engine->members; m; m = m->next)
        name_process(m->pid, &list);
    /* Without descriptors /proc tells nothing; that there is nobody at all can still be told. */
    bool left = walk.count > 0 || (walk.missed && process_has_children());
    if (left && walk.missed)
        look_again(engine);
    return walk.count > 0 ? walk.count : left;
}

void engine_abandon(struct engine *engine) {
    char names[8];

    for (const struct side *side = engine->sides; side; side = side->next)
        signal_group(&side->task, SIGKILL);
    for (uint32_t p = 0; p < engine->n_pools; p++)
        for (uint32_t i = 0; i < engine->pools[p]->core.n_seats; i++)
            if (pool_seat(engine->pools[p], i)->task.pidfd >= 0)
                tree_kill(pool_seat(engine->pools[p], i));
    if (engine->options.subreaper)
        engine_signal_leftovers(engine, SIGKILL, names, sizeof(names));
}
