/* SPDX-License-Identifier: MIT */

/* What is done to a group and all below it. */

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/cgroup_internal.h"

/* Rounds of a kill one after another; who makes processes faster than that is met again. */
#define KILL_ROUNDS 8

struct walk {
    int (*enter)(const char *path, void *data); /* before what is below it; may be NULL */
    int (*leave)(const char *path, void *data); /* … after it */
    void *data;
};

static int visit(const struct walk *walk, const FTSENT *entry) {
    switch (entry->fts_info) {
    case FTS_D:
        return walk->enter ? walk->enter(entry->fts_path, walk->data) : 0;
    case FTS_DP:
        return walk->leave ? walk->leave(entry->fts_path, walk->data) : 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return entry->fts_errno == ENOENT ? 0 : -entry->fts_errno;
    default:
        return 0;
    }
}

/* The whole tree, whatever fails in it; returns the first error. */
static int walk_tree(const char *path, const struct walk *walk) {
    char *const paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    const FTSENT *entry;
    int first = 0, r;

    if (!tree)
        return -errno;
    while ((entry = fts_read(tree))) {
        r = visit(walk, entry);
        first = first < 0 ? first : r;
    }
    fts_close(tree);
    return first;
}

/* Those that are not visible from here are 0, and are passed over. */
static int add_procs(const char *path, void *data) {
    char file[PATH_MAX];
    int fd, r;

    if ((size_t)snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= sizeof(file))
        return -ENAMETOOLONG;
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    r = proc_list_read(data, fd);
    close(fd);
    return r;
}

int cgroup_procs(int group, struct proc_list *list) {
    const struct walk walk = {.enter = add_procs, .data = list};
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d/.", group);
    return walk_tree(path, &walk);
}

static int kill_one_by_one(int group) {
    int r = -EAGAIN;

    for (int round = 0; round < KILL_ROUNDS && r == -EAGAIN; round++) {
        struct proc_list list = {0};
        int listed = cgroup_procs(group, &list);

        for (size_t i = 0; i < list.count; i++)
            kill(list.pids[i], SIGKILL);
        if (list.count == 0)
            r = listed;
        proc_list_finish(&list);
    }
    return r;
}

int cgroup_kill(int group) {
    int r = cgroup_write(group, "cgroup.kill", "1");

    return r == -ENOENT ? kill_one_by_one(group) : r;
}

static int remove_one(const char *path, void *data) {
    (void)data;
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_remove_tree(const char *path) {
    const struct walk walk = {.leave = remove_one};

    return walk_tree(path, &walk);
}

int cgroup_remove(int parent, const char *name) {
    char escaped[NAME_MAX + 1], path[NAME_MAX + 64];
    int r = cgroup_escape(name, escaped);

    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", parent, escaped);
    return cgroup_remove_tree(path);
}
