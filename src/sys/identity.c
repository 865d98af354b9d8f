/* SPDX-License-Identifier: MIT */
#include "sys/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

/* The largest id but one: -1 means "no change" to the kernel. */
#define ID_MAX (UINT32_MAX - 1)

/* Why a name was not found: sources say in many ways that there is none, but not in these. */
static int why_not_found(void) {
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO ? -errno : -ENOENT;
}

static int find_group(const char *name, gid_t *ret_gid) {
    uint64_t number;

    errno = 0;
    struct group *entry = getgrnam(name);
    int r = entry ? 0 : why_not_found();

    if (entry)
        *ret_gid = entry->gr_gid;
    else if (text_parse_u64(name, 0, ID_MAX, &number) == 0)
        *ret_gid = (gid_t)number;
    else
        return r;
    return 0;
}

static int find_user(const char *name, uid_t *ret_uid, struct passwd **ret_entry) {
    uint64_t number;

    errno = 0;
    struct passwd *entry = getpwnam(name);
    int r = entry ? 0 : why_not_found();

    if (!entry && text_parse_u64(name, 0, ID_MAX, &number) == 0) {
        entry = getpwuid((uid_t)number);
        *ret_uid = (uid_t)number;
    } else if (!entry)
        return r;
    if (entry)
        *ret_uid = entry->pw_uid;
    *ret_entry = entry;
    return 0;
}

static int append_group(struct identity *identity, gid_t gid) {
    gid_t *grown = reallocarray(identity->groups, identity->n_groups + 1, sizeof(gid_t));

    if (!grown)
        return -ENOMEM;
    identity->groups = grown;
    identity->groups[identity->n_groups++] = gid;
    return 0;
}

static int read_groups(const char *list, struct identity *identity, char item[256]) {
    int r;

    while ((r = text_next_item(&list, item, 256)) > 0) {
        gid_t gid;

        r = find_group(item, &gid);
        if (r == 0)
            r = append_group(identity, gid);
        if (r < 0)
            return r;
    }
    return r;
}

static int own_groups(const struct passwd *entry, gid_t gid, struct identity *identity) {
    int count = 64;

    do {
        gid_t *grown = reallocarray(identity->groups, (size_t)count, sizeof(gid_t));

        if (!grown)
            return -ENOMEM;
        identity->groups = grown;
        identity->n_groups = (size_t)count;
    } while (
        getgrouplist(entry->pw_name, gid, identity->groups, &count) < 0 && count <= GROUPS_MAX);
    identity->n_groups = (size_t)count;
    return 0;
}

static int resolve(const char *user, const char *group, const char *groups,
    struct identity *identity, char item[256], const char **ret_kind) {
    struct passwd *entry = NULL;
    int r = 0;

    *ret_kind = "user";
    if (user) {
        snprintf(item, 256, "%s", user);
        r = find_user(user, &identity->uid, &entry);
        if (r < 0)
            return r;
        if (entry)
            identity->gid = entry->pw_gid;
    }
    *ret_kind = "group";
    if (group) {
        snprintf(item, 256, "%s", group);
        r = find_group(group, &identity->gid);
        if (r < 0)
            return r;
    }
    identity->has_groups = user || groups;
    if (groups)
        return read_groups(groups, identity, item);
    return entry ? own_groups(entry, identity->gid, identity) : 0;
}

int identity_resolve(const char *user, const char *group, const char *groups,
    struct identity *ret_identity, char item[256], const char **ret_kind) {
    struct identity identity = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    int r = resolve(user, group, groups, &identity, item, ret_kind);

    if (r < 0) {
        identity_finish(&identity);
        return r;
    }
    *ret_identity = identity;
    return 0;
}

void identity_finish(struct identity *identity) {
    free(identity->groups);
    identity->groups = NULL;
}
