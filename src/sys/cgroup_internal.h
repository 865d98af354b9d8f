/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the control groups, and for their tests. */

#include <limits.h>
#include <stdio.h>

#include "sys/cgroup.h"

/* Our own leaf, where this process goes when it stands in the way of controllers. */
#define CGROUP_LEAF "supervisor"

/* What the group of a supervisor is called, before its pid. */
#define CGROUP_INSTANCE "brood-"

/* A small file of the group, terminated, without the last newline. */
int cgroup_read(int group, const char *file, char *text, size_t size);

/* The controllers that a file of the group lists. */
uint32_t cgroup_read_controllers(int group, const char *file);

/* The name that a group of ours has. -ENAMETOOLONG. */
int cgroup_escape(const char *name, char ret_name[NAME_MAX + 1]);

/* cgroup_remove() by path. */
int cgroup_remove_tree(const char *path);

/*
 * From the text of /proc/self/mountinfo and /proc/self/cgroup: the directory where the hierarchy
 * begins, and the one of our own group; both the caller's to free. -EOPNOTSUPP: there is no
 * mount; -EACCES: our group lies outside of it.
 */
int cgroup_locate(FILE *mountinfo, FILE *own, char **ret_top, char **ret_own);

/*
 * cgroup_open_root() for a hierarchy at `top` and our own group at `own`.
 */
int cgroup_open_below(const char *top, const char *own, const char *name,
    struct cgroup_root *ret_root, char reason[CGROUP_TEXT_SIZE]);
