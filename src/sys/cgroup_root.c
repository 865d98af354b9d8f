/* SPDX-License-Identifier: MIT */

/* Where our groups go. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/macro.h"
#include "sys/cgroup_internal.h"

/* Somebody else may just be removing what we make, or be there already. */
#define MAKE_ATTEMPTS 64

static void free_text(char **text) {
    free(*text);
}

static void close_file(FILE **file) {
    if (*file)
        fclose(*file);
}

/* "\040" and the like, as mountinfo writes blanks. */
static void unescape(char *text) {
    char *to = text;

    for (const char *from = text; *from != '\0'; to++)
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else
            *to = *from++;
    *to = '\0';
}

/* The part of `path` below `root`: "" or "/…"; NULL when it lies elsewhere. */
static const char *below(const char *path, const char *root) {
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

    if (strncmp(path, root, length) != 0 || (path[length] != '\0' && path[length] != '/'))
        return NULL;
    return strcmp(path + length, "/") == 0 ? "" : path + length;
}

/* One line of mountinfo: where a cgroup2 begins, and where it is mounted. */
static bool is_mount(char *line, char **ret_root, char **ret_point) {
    const char *type = strstr(line, " - cgroup2 ");
    char *rest;

    if (!type)
        return false;
    strtok_r(line, " ", &rest); /* id, parent, device */
    strtok_r(NULL, " ", &rest);
    strtok_r(NULL, " ", &rest);
    *ret_root = strtok_r(NULL, " ", &rest);
    *ret_point = *ret_root ? strtok_r(NULL, " ", &rest) : NULL;
    if (!*ret_point)
        return false;
    unescape(*ret_root);
    unescape(*ret_point);
    return true;
}

/* The path in the line "0::PATH"; the caller's to free. */
static char *read_own(FILE *own) {
    char *line = NULL, *path = NULL;
    size_t capacity = 0;

    while (!path && getline(&line, &capacity, own) > 0)
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = '\0';
            path = strdup(line + 3);
        }
    free(line);
    return path;
}

/* Both or none. */
static int join(const char *point, const char *rest, char **ret_top, char **ret_own) {
    char *own, *top = strdup(point);

    if (!top || asprintf(&own, "%s%s", point, rest) < 0) {
        free(top);
        return -ENOMEM;
    }
    *ret_top = top;
    *ret_own = own;
    return 0;
}

int cgroup_locate(FILE *mountinfo, FILE *own, char **ret_top, char **ret_own) {
    cleanup(free_text) char *path = read_own(own), *line = NULL;
    size_t capacity = 0;
    int r = -EOPNOTSUPP;

    if (!path)
        return -EOPNOTSUPP;
    while (getline(&line, &capacity, mountinfo) > 0) {
        char *root, *point;
        const char *rest;

        if (!is_mount(line, &root, &point))
            continue;
        rest = below(path, root);
        r = -EACCES;
        if (!rest || strncmp(rest, "/..", 3) == 0)
            continue;
        return join(point, rest, ret_top, ret_own);
    }
    return r;
}

static int say(int error, char reason[CGROUP_TEXT_SIZE], const char *path, const char *hint) {
    struct buffer text = {.data = reason, .size = CGROUP_TEXT_SIZE};

    *reason = '\0';
    buffer_add_text(&text, "control groups");
    if (path) {
        buffer_add_text(&text, ": ");
        buffer_add_visible(&text, path);
    }
    buffer_add_format(&text, ": %s", hint ? hint : strerror(-error));
    if (error == -EACCES)
        buffer_add_text(&text, ": run as root, or let systemd delegate it (Delegate=yes)");
    return error;
}

/* Words between slashes, none of them empty or going up. */
static bool is_good_name(const char *name) {
    const char *word = name + (*name == '/');

    for (;;) {
        size_t length = strcspn(word, "/");

        if (length == 0 || length > NAME_MAX || word[0] == '.' ||
            (length > 7 && strncmp(word, "cgroup.", 7) == 0) || strchr(name, '\n'))
            return false;
        if (word[length] == '\0')
            return true;
        word += length + 1;
    }
}

/* Makes what is not there between base and place, and remembers the uppermost. */
static int make_way(struct cgroup_root *root, char *place) {
    size_t length = strlen(place);

    for (size_t i = strlen(root->base) + 1; i <= length; i++) {
        char end = place[i];
        int r = 0;

        if (end != '/' && end != '\0')
            continue;
        place[i] = '\0';
        if (mkdir(place, 0755) < 0)
            r = errno == EEXIST ? 0 : -errno;
        else if (!root->made) {
            root->made = strdup(place);
            r = root->made ? 0 : -ENOMEM;
        }
        place[i] = end;
        if (r < 0)
            return r;
    }
    return 0;
}

/* We may come from a life in which we made way for controllers. */
static void leave_leaf(char *own) {
    char *slash = strrchr(own, '/');

    if (slash && strcmp(slash + 1, CGROUP_LEAF) == 0)
        *slash = '\0';
}

/* Where it is to be: base, and the place where each supervisor makes one of its own. */
static int choose(struct cgroup_root *root, const char *top, const char *own, const char *name,
    char **ret_place) {
    bool absolute = name && name[0] == '/';

    root->base = strdup(absolute ? top : own);
    if (!root->base)
        return -ENOMEM;
    if (!absolute)
        leave_leaf(root->base);
    if (asprintf(ret_place, "%s%s%s", root->base, name && !absolute ? "/" : "", name ?: "") < 0) {
        *ret_place = NULL;
        return -ENOMEM;
    }
    return 0;
}

static bool is_at(int fd, const char *path) {
    struct stat here, there;

    return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

/* Locked as long as its supervisor lives, whatever the pid namespace. -EAGAIN: it is not ours. */
static int open_locked(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    /* Whoever had the lock before us may have removed it. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_at(fd, path)) {
        close(fd);
        return -EAGAIN;
    }
    return fd;
}

static bool is_instance(const char *name) {
    size_t length = strlen(CGROUP_INSTANCE);

    return strncmp(name, CGROUP_INSTANCE, length) == 0 && name[length] != '\0' &&
           name[length + strspn(name + length, "0123456789-")] == '\0';
}

/* What dead supervisors have left behind, as far as nobody lives in it. */
static void sweep(const char *place) {
    DIR *directory = opendir(place);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        char *path;
        int fd;

        if (!is_instance(entry->d_name) || asprintf(&path, "%s/%s", place, entry->d_name) < 0)
            continue;
        fd = open_locked(path);
        if (fd >= 0 && cgroup_is_populated(fd) <= 0)
            cgroup_remove_tree(path);
        if (fd >= 0)
            close(fd);
        free(path);
    }
    if (directory)
        closedir(directory);
}

/* The pid is for people; it is not alone in a hierarchy that is seen from several namespaces. */
static int make_instance(struct cgroup_root *root, const char *place, int attempt) {
    char suffix[16] = "";

    if (attempt > 0)
        snprintf(suffix, sizeof(suffix), "-%d", attempt);
    free(root->path);
    if (asprintf(&root->path, "%s/" CGROUP_INSTANCE "%d%s", place, (int)getpid(), suffix) < 0) {
        root->path = NULL;
        return -ENOMEM;
    }
    if (mkdir(root->path, 0755) < 0)
        return errno == EEXIST || errno == ENOENT ? -EAGAIN : -errno;
    root->fd = open_locked(root->path);
    if (root->fd < 0)
        rmdir(root->path);
    return MIN(root->fd, 0);
}

static bool may_write(const char *place) {
    int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool may = fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0 &&
               faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;

    if (fd >= 0) {
        int error = errno;

        close(fd);
        errno = error;
    }
    return may;
}

static int read_controllers(struct cgroup_root *root) {
    int base = open(root->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (base < 0)
        return -errno;
    root->controllers = cgroup_read_controllers(base, "cgroup.controllers");
    close(base);
    return 0;
}

static int open_chosen(struct cgroup_root *root, char *place) {
    int r = make_way(root, place);

    if (r < 0)
        return r;
    if (!may_write(place))
        return -errno;
    sweep(place);
    r = make_instance(root, place, 0);
    for (int i = 1; i < MAKE_ATTEMPTS && r == -EAGAIN; i++) {
        r = make_way(root, place);
        if (r == 0)
            r = make_instance(root, place, i);
    }
    return r < 0 ? r : read_controllers(root);
}

int cgroup_open_below(const char *top, const char *own, const char *name,
    struct cgroup_root *ret_root, char reason[CGROUP_TEXT_SIZE]) {
    cleanup(free_text) char *place = NULL;
    struct cgroup_root root = CGROUP_ROOT_NULL;
    int r;

    *ret_root = root;
    if (name && !is_good_name(name))
        return say(-EINVAL, reason, name, "no name of a group");
    r = choose(&root, top, own, name, &place);
    if (r == 0)
        r = open_chosen(&root, place);
    if (r < 0) {
        say(r, reason, place, NULL);
        cgroup_root_finish(&root);
        return r;
    }
    *ret_root = root;
    return 0;
}

int cgroup_open_root(
    const char *name, struct cgroup_root *ret_root, char reason[CGROUP_TEXT_SIZE]) {
    cleanup(close_file) FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    cleanup(close_file) FILE *self = fopen("/proc/self/cgroup", "re");
    cleanup(free_text) char *top = NULL, *own = NULL;
    int r;

    *ret_root = CGROUP_ROOT_NULL;
    r = mountinfo && self ? cgroup_locate(mountinfo, self, &top, &own) : -EOPNOTSUPP;
    if (r < 0)
        return say(r, reason, NULL,
            r == -EOPNOTSUPP ? "no cgroup v2 is mounted here"
            : r == -EACCES   ? "our own group lies outside of what is mounted here"
                             : NULL);
    return cgroup_open_below(top, own, name, ret_root, reason);
}

/* Upwards from our own to the uppermost that we made, but not where another supervisor lives. */
static void remove_way(struct cgroup_root *root) {
    char *slash = root->path ? strrchr(root->path, '/') : NULL;

    while (root->made && slash && (size_t)(slash - root->path) >= strlen(root->made)) {
        *slash = '\0';
        if (rmdir(root->path) < 0)
            return;
        slash = strrchr(root->path, '/');
    }
}

void cgroup_root_finish(struct cgroup_root *root) {
    if (root->fd >= 0) {
        cgroup_remove_tree(root->path);
        close(root->fd);
    }
    remove_way(root);
    free(root->path);
    free(root->base);
    free(root->made);
    *root = CGROUP_ROOT_NULL;
}

/* Moves this process into a leaf, so that the group holds none. */
static int make_room(int group) {
    int leaf, r;

    if (mkdirat(group, CGROUP_LEAF, 0755) < 0 && errno != EEXIST)
        return -errno;
    leaf = openat(group, CGROUP_LEAF, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leaf < 0)
        return -errno;
    r = cgroup_write(leaf, "cgroup.procs", "0");
    close(leaf);
    return r;
}

static bool holds_us(int group) {
    struct proc_list list = {0};
    int fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    bool found = false;

    if (fd < 0)
        return false;
    proc_list_read(&list, fd);
    close(fd);
    for (size_t i = 0; i < list.count; i++)
        found = found || list.pids[i] == getpid();
    proc_list_finish(&list);
    return found;
}

/* The groups from base to path, one after another. */
static uint32_t enable_at(const char *path, uint32_t controllers) {
    int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t missing;

    if (group < 0)
        return controllers;
    missing = cgroup_enable(group, controllers);
    if (missing != 0 && holds_us(group) && faccessat(group, "cgroup.type", F_OK, 0) == 0 &&
        make_room(group) == 0)
        missing = cgroup_enable(group, controllers);
    close(group);
    return missing;
}

uint32_t cgroup_root_enable(struct cgroup_root *root, uint32_t controllers) {
    uint32_t missing = controllers & ~root->controllers;
    size_t length = strlen(root->path);

    for (size_t i = strlen(root->base); i <= length; i++) {
        char end = root->path[i];

        if (end != '/' && end != '\0')
            continue;
        root->path[i] = '\0';
        missing |= enable_at(root->path, controllers & ~missing);
        root->path[i] = end;
    }
    return missing;
}
