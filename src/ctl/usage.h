/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What trees of processes have used, measured by whoever looks, so that the supervisor pays nothing
 * for it. Memory is the sum of what each process has resident: what they share counts more than
 * once, but it can be had with a read of one file each.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"

struct usage {
    nsec_t cpu;      /* of those that live, and those that they have waited for */
    uint64_t memory; /* resident bytes */
    unsigned processes;
};

struct usage_tree {
    pid_t root;         /* 0: there is none */
    const char *cgroup; /* its directory, or NULL: knows also whom the tree has lost */
};

/*
 * Of each root and all below it, up to another root, and of all who are in its cgroup. One look at
 * /proc serves all trees.
 */
void usage_of_trees(const struct usage_tree *trees, size_t n_trees, struct usage *ret_usages);
