/* SPDX-License-Identifier: MIT */
#include "ctl/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/ctl.h"
#include "sys/proc.h"

/* A process, or a root: both are found by pid. */
struct node {
    pid_t pid;
    size_t root;
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

static struct node *sorted_roots(const pid_t *roots, size_t n_roots) {
    struct node *nodes = ctl_must(calloc(n_roots + 1, sizeof(*nodes)));

    for (size_t i = 0; i < n_roots; i++)
        nodes[i] = (struct node){.pid = roots[i], .root = i};
    qsort(nodes, n_roots, sizeof(*nodes), compare);
    return nodes;
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
 * The root above a process. The snapshot was not taken in one moment: with recycled pids it may
 * even hold a circle, so the climb is bounded.
 */
static const struct node *root_of(const struct node *node, const struct node *nodes, size_t count,
    const struct node *roots, size_t n_roots) {
    for (size_t steps = 0; node && steps <= count; steps++) {
        const struct node *root = find(roots, n_roots, node->pid);

        if (root)
            return root;
        node = find(nodes, count, node->used.parent);
    }
    return NULL;
}

void usage_of_trees(const pid_t *roots, size_t n_roots, struct usage *ret_usages) {
    struct node *tops = sorted_roots(roots, n_roots);
    size_t count;
    struct node *nodes = look_around(&count);

    memset(ret_usages, 0, n_roots * sizeof(*ret_usages));
    for (size_t i = 0; i < count; i++) {
        const struct node *root = root_of(&nodes[i], nodes, count, tops, n_roots);

        if (!root)
            continue;
        struct usage *usage = &ret_usages[root->root];
        usage->cpu += nodes[i].used.cpu;
        usage->memory += nodes[i].used.memory;
        usage->processes++;
    }
    free(nodes);
    free(tops);
}
