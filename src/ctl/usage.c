/* SPDX-License-Identifier: MIT */
#include "ctl/usage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/ctl.h"
#include "sys/proc.h"

/* A process, or one whose tree is known: both are found by pid. */
struct node {
    pid_t pid;
    size_t tree;
    struct proc_usage used;
};

static int compare(const void *a, const void *b) {
    pid_t x = ((const struct node *)a)->pid, y = ((const struct node *)b)->pid;

    return (x > y) - (x < y);
}

static const struct node *find(const struct node *nodes, size_t count, pid_t pid) {
    struct node key = {.pid = pid};

    return count > 0 ? bsearch(&key, nodes, count, sizeof(key), compare) : NULL;
}

/* The roots of all trees, and the members of all cgroups. */
struct members {
    struct node *nodes;
    size_t count, capacity;
};

static void add_member(struct members *members, pid_t pid, size_t tree) {
    if (members->count == members->capacity) {
        members->capacity = MAX(2 * members->capacity, (size_t)64);
        members->nodes =
            ctl_must(reallocarray(members->nodes, members->capacity, sizeof(*members->nodes)));
    }
    members->nodes[members->count++] = (struct node){.pid = pid, .tree = tree};
}

static void add_cgroup(struct members *members, const char *directory, size_t tree) {
    char path[PATH_MAX];
    int pid;

    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (fscanf(file, "%d", &pid) == 1)
        add_member(members, pid, tree);
    fclose(file);
}

static struct members find_members(const struct usage_tree *trees, size_t n_trees) {
    struct members members = {0};

    for (size_t i = 0; i < n_trees; i++) {
        if (trees[i].root > 0)
            add_member(&members, trees[i].root, i);
        if (trees[i].cgroup)
            add_cgroup(&members, trees[i].cgroup, i);
    }
    if (members.count > 0)
        qsort(members.nodes, members.count, sizeof(*members.nodes), compare);
    return members;
}

static struct node *look_around(size_t *ret_count) {
    struct proc_list all = {0};

    proc_all(&all);
    struct node *nodes = ctl_must(calloc(all.count + 1, sizeof(*nodes)));
    size_t count = 0;
    for (size_t i = 0; i < all.count; i++) {
        nodes[count].pid = all.pids[i];
        if (proc_usage(all.pids[i], &nodes[count].used) == 0)
            count++;
    }
    proc_list_finish(&all);
    qsort(nodes, count, sizeof(*nodes), compare);
    *ret_count = count;
    return nodes;
}

/*
 * The first member at a process or above it. The snapshot was not taken in one moment: with
 * recycled pids it may even hold a circle, so the climb is bounded.
 */
static const struct node *member_above(const struct node *node, const struct node *nodes,
    size_t count, const struct members *members) {
    for (size_t steps = 0; node && steps <= count; steps++) {
        const struct node *member = find(members->nodes, members->count, node->pid);

        if (member)
            return member;
        node = find(nodes, count, node->used.parent);
    }
    return NULL;
}

void usage_of_trees(const struct usage_tree *trees, size_t n_trees, struct usage *ret_usages) {
    struct members members = find_members(trees, n_trees);
    size_t count;
    struct node *nodes = look_around(&count);

    memset(ret_usages, 0, n_trees * sizeof(*ret_usages));
    for (size_t i = 0; i < count; i++) {
        const struct node *member = member_above(&nodes[i], nodes, count, &members);

        if (!member)
            continue;
        struct usage *usage = &ret_usages[member->tree];
        usage->cpu += nodes[i].used.cpu;
        usage->memory += nodes[i].used.memory;
        usage->processes++;
    }
    free(nodes);
    free(members.nodes);
}
