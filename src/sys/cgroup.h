/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Control groups, version 2 only: find the place where we may make some, make, limit, watch, kill,
 * remove. A group is a descriptor of its directory; that is also what CLONE_INTO_CGROUP takes.
 *
 * Where our groups go: below the group we are in (delegated by systemd with Delegate=, or the root
 * of a container), in one of this supervisor alone, "brood-PID". It is locked while the supervisor
 * lives, so that what a dead one has left can be told from it. The kernel gives controllers only to
 * the children of a group without processes, so cgroup_root_enable() moves this process into a leaf
 * ("supervisor") beside it where that is needed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"
#include "sys/proc.h"

#define CGROUP_CONTROLLERS(X)                                                                      \
    X(CPU, "cpu")                                                                                  \
    X(CPUSET, "cpuset")                                                                            \
    X(IO, "io")                                                                                    \
    X(MEMORY, "memory")                                                                            \
    X(PIDS, "pids")

enum cgroup_controller {
#define X(name, text) CGROUP_##name,
    CGROUP_CONTROLLERS(X)
#undef X
        CGROUP_CONTROLLER_MAX
};

/* Sets of controllers are masks of 1 << enum cgroup_controller. */
const char *cgroup_controller_name(enum cgroup_controller controller);

/* What can be limited: the word in the code, the file, the controller that has it. */
#define CGROUP_LIMITS(X)                                                                           \
    X(MEMORY_MIN, "memory.min", MEMORY)                                                            \
    X(MEMORY_LOW, "memory.low", MEMORY)                                                            \
    X(MEMORY_HIGH, "memory.high", MEMORY)                                                          \
    X(MEMORY_MAX, "memory.max", MEMORY)                                                            \
    X(MEMORY_SWAP_MAX, "memory.swap.max", MEMORY)                                                  \
    X(TASKS_MAX, "pids.max", PIDS)                                                                 \
    X(CPU_WEIGHT, "cpu.weight", CPU)                                                               \
    X(CPU_QUOTA, "cpu.max", CPU) /* thousandths of one processor */                                \
    X(IO_WEIGHT, "io.weight", IO)

enum cgroup_limit {
#define X(name, file, controller) CGROUP_LIMIT_##name,
    CGROUP_LIMITS(X)
#undef X
        CGROUP_LIMIT_MAX
};

#define CGROUP_NO_LIMIT UINT64_MAX /* "max", "infinity" */

struct cgroup_limits {
    uint32_t set; /* mask of 1 << enum cgroup_limit: those asked for */
    uint64_t values[CGROUP_LIMIT_MAX];
};

/* The controllers that these limits need. */
uint32_t cgroup_limits_controllers(const struct cgroup_limits *limits);

struct cgroup_root {
    int fd;               /* -1: none */
    char *path;           /* of its directory; heap */
    char *base;           /* above it: from there on down the tree is ours; heap */
    char *made;           /* the uppermost that we made on the way, to be removed; heap or NULL */
    uint32_t controllers; /* those that there are */
};

#define CGROUP_ROOT_NULL ((struct cgroup_root){.fd = -1})

#define CGROUP_TEXT_SIZE 512

/*
 * Makes the group that ours go below, and removes what dead supervisors have left beside it with
 * nobody living there. `name` says where it is made: NULL (as said above), a path from the root of
 * the hierarchy ("/web.slice") or one below our own group ("web"). Fails with a text for people in
 * `reason`: -EOPNOTSUPP: no cgroup v2 is mounted; -EACCES, -EROFS: it is not ours to write;
 * -EINVAL: no good name.
 */
int cgroup_open_root(const char *name, struct cgroup_root *ret_root, char reason[CGROUP_TEXT_SIZE]);

/* Removes it and what was made on the way, if nobody lives there. CGROUP_ROOT_NULL is fine. */
void cgroup_root_finish(struct cgroup_root *root);

/*
 * Enables controllers for the children of the root; before the first group is made in it. Moves
 * this process into the leaf "supervisor" where it stands in the way. Returns the mask of those
 * that could not be had, 0 when all are there.
 */
uint32_t cgroup_root_enable(struct cgroup_root *root, uint32_t controllers);

/* The same for any other group, which must not hold processes. */
uint32_t cgroup_enable(int group, uint32_t controllers);

/*
 * Makes the group `name` below `parent`, or opens the one that was left there. Returns its
 * descriptor (close-on-exec). The name is one of ours (a pool, a number): what could be a file of
 * the kernel's, or our own leaf, gets an '_' before it, as systemd does it, and a '/' becomes '_'.
 * -EACCES, -EROFS, -EAGAIN (cgroup.max.descendants), -EMFILE, -ENAMETOOLONG.
 */
int cgroup_make(int parent, const char *name);

/* Writes `text` to a file of the group. -ENOENT: there is no such file (no such controller). */
int cgroup_write(int group, const char *file, const char *text);

/* Writes one limit. */
int cgroup_limit(int group, enum cgroup_limit limit, uint64_t value);

/* Writes those that are set; returns the mask of those that could not be. */
uint32_t cgroup_limits_apply(int group, const struct cgroup_limits *limits);

const char *cgroup_limit_file(enum cgroup_limit limit);

/* Whether any process lives in it or below. 1, 0, -errno. */
int cgroup_is_populated(int group);

/*
 * SIGKILL to all in it and below, at once (Linux 5.14), or else one after another; then -EAGAIN
 * says that more have come meanwhile: to be called again. A zombie counts for nobody.
 *
 * The group is not to be used again, but removed and made anew: the kernel counts the kills of each
 * group, and a child that is cloned into one with another count than its parent's dies at once.
 */
int cgroup_kill(int group);

/* Adds the processes in it and below. -ENOMEM, -EMFILE: some may be missing. */
int cgroup_procs(int group, struct proc_list *list);

/* How many processes the kernel has killed in it for want of memory; 0 without the controller. */
uint64_t cgroup_oom_kills(int group);

/* What is used by it and below; UINT64_MAX: not known (no such controller). */
struct cgroup_usage {
    uint64_t memory; /* bytes */
    uint64_t tasks;
    nsec_t cpu;
};

struct cgroup_usage cgroup_usage(int group);

/*
 * Removes the group and all below it, none of which may hold a process. -EBUSY: one does;
 * -ENOENT is success.
 */
int cgroup_remove(int parent, const char *name);

/*
 * One descriptor (inotify) that becomes readable when a watched group has become empty or populated
 * or has been frozen; it can be waited for by the loop, and holds no descriptor for each group.
 */
int cgroup_watch_open(void);

/* Returns a number, > 0, by which cgroup_watch_next() names the group. -ENOSPC: too many. */
int cgroup_watch_add(int watch, int group);

/* To be called before the group is removed: the kernel does not forget it by itself. */
void cgroup_watch_remove(int watch, int number);

/*
 * The numbers of up to `max` groups that have changed; returns how many. 0: no more for now. One
 * may come twice, or be that of a group that has been removed; -1 says that some were lost: any may
 * have changed.
 */
size_t cgroup_watch_next(int watch, int *numbers, size_t max);
