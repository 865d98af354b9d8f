/* SPDX-License-Identifier: MIT */
#pragma once

/* Users and groups by name or number, looked up once and never in a child or in the loop. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct identity {
    uid_t uid; /* -1: stay */
    gid_t gid; /* -1: stay */
    bool has_groups;
    gid_t *groups; /* heap */
    size_t n_groups;
};

/*
 * Each may be NULL. With a user and no group, the group is the user's own; with a user and no
 * list of groups, the supplementary groups are the user's as initgroups(3) has them. A number
 * without an entry is taken as it is, with no supplementary groups. -ENOENT: the name left in
 * `item` is not known, and `ret_kind` says what it should have been ("user", "group").
 */
int identity_resolve(const char *user, const char *group, const char *groups,
    struct identity *ret_identity, char item[256], const char **ret_kind);

void identity_finish(struct identity *identity);
