/* SPDX-License-Identifier: MIT */

/*
 * The walk. How deep and how wide a tree is, its processes decide: so the walk keeps its place on
 * the heap, has one descriptor open at a time, and first lists everything, then touches it, from
 * the end. What forks while it looks is found by the next look, among the orphans.
 *
 * Holding takes descriptors and memory. Where they are used up, a process is signalled by its
 * number, nothing tells its end, and the walk says that it has missed something.
 */

#include "run/tree_walk.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/process.h"

/* Who forks as fast as we look would keep us looking: the rest is for the next look. */
#define WALK_MAX 65536

struct tree_member *member_find(const struct engine *engine, pid_t pid) {
    struct tree_member *member = engine->members;

    while (member && member->pid != pid)
        member = member->next;
    return member;
}

bool member_any(const struct engine_seat *seat) {
    const struct tree_member *member = seat->pool->engine->members;

    while (member && member->seat != seat)
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

void tree_forget_pool(const struct engine_pool *pool) {
    struct tree_member *next;

    for (struct tree_member *member = pool->engine->members; member; member = next) {
        next = member->next;
        if (member->seat && member->seat->pool == pool)
            drop(member);
    }
}

/* The last of a drained worker's tree may have left something in its turn: look again. */
static void on_member_exit(void *data, uint64_t value, int fd, unsigned events) {
    struct tree_member *member = data;
    struct engine_seat *seat = member->seat;

    (void)value, (void)fd, (void)events;
    drop(member);
    if (seat && seat->core.worker.state == WORKER_DRAINING && !member_any(seat))
        tree_check(seat, seat->core.worker.forced);
}

bool walk_is_blind(int error) {
    return error < 0 && error != -ENOENT && error != -ESRCH && error != -EACCES && error != -EPERM;
}

/* Takes the pidfd into a new member; false, and nothing taken: no memory. */
static bool keep(const struct walk *walk, pid_t pid, int pidfd) {
    struct engine *engine = walk->engine;
    struct tree_member *member = calloc(1, sizeof(*member));

    if (!member)
        return false;
    *member =
        (struct tree_member){.engine = engine, .seat = walk->seat, .pid = pid, .pidfd = pidfd};

    struct loop_watch watch = {
        .fd = pidfd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .once = true,
        .fn = on_member_exit,
        .data = member,
    };
    if (loop_add(engine->loop, &watch, &member->source) < 0) {
        free(member);
        return false;
    }
    member->next = engine->members;
    engine->members = member;
    return true;
}

/* A process and the parent under which it was found. */
struct found {
    pid_t pid;
    pid_t parent;
};

enum sight { GONE, SPARED, MOVED, THERE, UNSEEN };

/*
 * Looks whether the number still means the process that was found: one with the same parent, or
 * adopted by us since. With another parent it may be either, which the next look will tell.
 */
static enum sight look(const struct walk *walk, struct found found) {
    struct proc_stat stat;
    int r = proc_stat(found.pid, &stat);

    if (r < 0)
        return walk_is_blind(r) ? UNSEEN : GONE;
    if (stat.state == 'Z' || stat.state == 'X')
        return GONE;
    if (stat.parent != found.parent && stat.parent != getpid())
        return MOVED;
    return walk->spare_group != 0 && stat.group == walk->spare_group ? SPARED : THERE;
}

/* Signals and keeps a process that is new to us. Without a pidfd its number has to do. */
static void take(struct walk *walk, struct found found) {
    int pidfd = -1;
    int r = process_open(found.pid, &pidfd);

    if (r == -ESRCH)
        return;
    enum sight sight = look(walk, found);
    /* The last descriptor is for looking: the pidfd of one more process would make us blind. */
    if (sight == UNSEEN && pidfd >= 0) {
        close(pidfd);
        pidfd = -1;
        sight = look(walk, found);
    }
    walk->missed = walk->missed || sight == MOVED || sight == UNSEEN;
    if (sight == THERE) {
        walk->count++;
        if (walk->signal != 0 && pidfd >= 0)
            process_signal(pidfd, walk->signal);
        else if (walk->signal != 0)
            kill(found.pid, walk->signal);
        if (pidfd >= 0 && keep(walk, found.pid, pidfd))
            return;
        walk->missed = true;
    }
    if (pidfd >= 0)
        close(pidfd);
}

static void touch(struct walk *walk, struct found found) {
    const struct tree_member *member = member_find(walk->engine, found.pid);

    if (!member) {
        take(walk, found);
        return;
    }
    walk->count++;
    if (walk->signal == SIGKILL)
        process_signal(member->pidfd, SIGKILL);
}

struct listing {
    struct found *found;
    size_t count;
    size_t capacity;
};

static bool list_one(struct listing *listing, struct found found) {
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? 64 : 2 * listing->capacity;
        struct found *grown = NULL;

        if (capacity <= WALK_MAX)
            grown = reallocarray(listing->found, capacity, sizeof(*grown));
        if (!grown)
            return false;
        listing->found = grown;
        listing->capacity = capacity;
    }
    listing->found[listing->count++] = found;
    return true;
}

static void list_children(struct walk *walk, struct listing *listing, pid_t parent) {
    struct proc_list children = {0};
    bool room = true;

    if (walk_is_blind(proc_children(parent, 0, &children)))
        walk->missed = true;
    for (size_t i = 0; i < children.count && room; i++)
        room = list_one(listing, (struct found){children.pids[i], parent});
    walk->missed = walk->missed || !room;
    proc_list_finish(&children);
}

/* What is listed so far is followed down, level by level; then all of it is touched. */
static void walk_listed(struct walk *walk, struct listing *listing) {
    for (size_t i = 0; i < listing->count; i++)
        list_children(walk, listing, listing->found[i].pid);
    for (size_t i = listing->count; i > 0; i--)
        touch(walk, listing->found[i - 1]);
    free(listing->found);
}

void walk_below(struct walk *walk, pid_t pid) {
    struct listing listing = {0};

    list_children(walk, &listing, pid);
    walk_listed(walk, &listing);
}

void walk_from(struct walk *walk, pid_t pid, pid_t parent) {
    struct listing listing = {0};

    if (!list_one(&listing, (struct found){pid, parent}))
        walk->missed = true;
    walk_listed(walk, &listing);
}
