/* SPDX-License-Identifier: MIT */
#include "up/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/identity.h"

/* How deep a runtime directory is removed with few descriptors. */
#define WALK_DESCRIPTORS 16

static void path_of(const struct conf_directories *directories, size_t n, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s", directories->base, directories->names.words[n]);
}

/* The directories on the way are the system's: 0755, and not given away. */
static int make_parents(const char *path) {
    char parent[PATH_MAX];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* No link is followed to what is given away. */
static int make_one(const char *path, mode_t mode, const struct identity *owner, bool *ret_made) {
    int r = make_parents(path);

    *ret_made = false;
    if (r < 0)
        return r;
    *ret_made = mkdir(path, mode) == 0;
    if (!*ret_made && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool is_given = owner->uid == (uid_t)-1 && owner->gid == (gid_t)-1;
    if ((!is_given && fchown(fd, owner->uid, owner->gid) < 0) || fchmod(fd, mode) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int complain(const struct conf_pool *pool, struct conf_messages *messages, const char *what,
    const char *thing, const char *why) {
    int r = conf_message_add(messages, CONF_ERROR, pool->origin.file, pool->origin.line,
        "pool %s: %s %s: %s", pool->name, what, thing, why);

    return r < 0 ? r : -EBADMSG;
}

int directories_make(
    const struct conf_pool *pool, struct conf_messages *messages, uint64_t *ret_made) {
    struct identity owner;
    const char *kind;
    char item[256], path[PATH_MAX];
    bool made;
    int result = 0;

    *ret_made = 0;
    int r = identity_resolve(pool->plan.user, pool->plan.group, NULL, &owner, item, &kind);

    if (r < 0)
        return r == -ENOENT ? complain(pool, messages, kind, item, "does not exist") : r;
    for (int i = 0; i < CONF_DIRECTORY_MAX && result == 0; i++)
        for (size_t n = 0; n < pool->directories[i].names.count && result == 0; n++) {
            path_of(&pool->directories[i], n, path);
            r = make_one(path, pool->directories[i].mode, &owner, &made);
            if (made && i == CONF_DIRECTORY_RUNTIME && n < 64)
                *ret_made |= UINT64_C(1) << n;
            if (r < 0)
                result = complain(pool, messages, "cannot make the directory", path, strerror(-r));
        }
    identity_finish(&owner);
    return result;
}

void directories_unmake(const struct conf_pool *pool, uint64_t made) {
    char path[PATH_MAX];

    for (size_t n = 0; made != 0; n++, made >>= 1)
        if (made & 1) {
            path_of(&pool->directories[CONF_DIRECTORY_RUNTIME], n, path);
            rmdir(path);
        }
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where) {
    (void)facts, (void)kind, (void)where;
    remove(path);
    return 0;
}

void directories_remove(const struct conf_pool *pool) {
    const struct conf_directories *runtime = &pool->directories[CONF_DIRECTORY_RUNTIME];
    char path[PATH_MAX];

    for (size_t i = 0; i < runtime->names.count; i++) {
        path_of(runtime, i, path);
        nftw(path, remove_one, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }
}
