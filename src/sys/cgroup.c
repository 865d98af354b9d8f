/* SPDX-License-Identifier: MIT */
#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/macro.h"
#include "base/text.h"
#include "sys/cgroup_internal.h"

/* The period that a quota is a part of, in microseconds; the kernel's own default. */
#define CPU_PERIOD    100000
#define CPU_QUOTA_MIN 1000

static const char *const controller_names[] = {
#define X(name, text) [CGROUP_##name] = text,
    CGROUP_CONTROLLERS(X)
#undef X
};

static const struct {
    const char *file;
    enum cgroup_controller controller;
} limit_rows[] = {
#define X(name, text, need) [CGROUP_LIMIT_##name] = {text, CGROUP_##need},
    CGROUP_LIMITS(X)
#undef X
};

const char *cgroup_controller_name(enum cgroup_controller controller) {
    return controller < CGROUP_CONTROLLER_MAX ? controller_names[controller] : "unknown";
}

const char *cgroup_limit_file(enum cgroup_limit limit) {
    return limit < CGROUP_LIMIT_MAX ? limit_rows[limit].file : "unknown";
}

uint32_t cgroup_limits_controllers(const struct cgroup_limits *limits) {
    uint32_t controllers = 0;

    for (size_t i = 0; i < CGROUP_LIMIT_MAX; i++)
        if (limits->set & UINT32_C(1) << i)
            controllers |= UINT32_C(1) << limit_rows[i].controller;
    return controllers;
}

int cgroup_read(int group, const char *file, char *text, size_t size) {
    int fd = openat(group, file, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return -errno;
    length = read(fd, text, size - 1);
    if (length < 0)
        length = -errno;
    close(fd);
    if (length < 0)
        return (int)length;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return 0;
}

int cgroup_write(int group, const char *file, const char *text) {
    int fd = openat(group, file, O_WRONLY | O_CLOEXEC);
    ssize_t written;
    int r = 0;

    if (fd < 0)
        return -errno;
    written = write(fd, text, strlen(text));
    if (written < 0)
        r = -errno;
    else if ((size_t)written != strlen(text))
        r = -EIO;
    close(fd);
    return r;
}

/* The number behind a word, in lines such as "populated 1". */
static bool find_number(const char *text, const char *word, uint64_t *ret_number) {
    size_t length = strlen(word);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, word, length) == 0 && line[length] == ' ')
            return sscanf(line + length, "%" SCNu64, ret_number) == 1;
    }
    return false;
}

static int read_number(int group, const char *file, uint64_t *ret_number) {
    char text[32];
    int r = cgroup_read(group, file, text, sizeof(text));

    return r < 0 ? r : text_parse_u64(text, 0, UINT64_MAX, ret_number);
}

static int read_word(int group, const char *file, const char *word, uint64_t *ret_number) {
    char text[4096];
    int r = cgroup_read(group, file, text, sizeof(text));

    if (r < 0)
        return r;
    return find_number(text, word, ret_number) ? 0 : -ENODATA;
}

uint32_t cgroup_read_controllers(int group, const char *file) {
    char text[512], item[64];
    const char *cursor = text;
    uint32_t controllers = 0;

    if (cgroup_read(group, file, text, sizeof(text)) < 0)
        return 0;
    while (text_next_item(&cursor, item, sizeof(item)) > 0)
        for (size_t i = 0; i < CGROUP_CONTROLLER_MAX; i++)
            if (strcmp(item, controller_names[i]) == 0)
                controllers |= UINT32_C(1) << i;
    return controllers;
}

uint32_t cgroup_enable(int group, uint32_t controllers) {
    uint32_t missing = controllers & ~cgroup_read_controllers(group, "cgroup.subtree_control");
    char word[16];

    /* One at a time: a write of several is refused as a whole. */
    for (size_t i = 0; i < CGROUP_CONTROLLER_MAX; i++) {
        if (!(missing & UINT32_C(1) << i))
            continue;
        snprintf(word, sizeof(word), "+%s", controller_names[i]);
        if (cgroup_write(group, "cgroup.subtree_control", word) == 0)
            missing &= ~(UINT32_C(1) << i);
    }
    return missing;
}

/* Whether the kernel may have, or may get, a file of this name, or we have a group of it. */
static bool is_reserved(const char *name) {
    static const char *const files[] = {
        "tasks", "notify_on_release", "release_agent", CGROUP_LEAF, ".", ".."};
    static const char *const prefixes[] = {"cgroup", "cpu", "cpuset", "dmem", "hugetlb", "io",
        "irq", "memory", "misc", "perf_event", "pids", "rdma"};
    const char *dot = strchr(name, '.');

    if (name[0] == '_' || name[0] == '.' || name[0] == '\0')
        return true;
    for (size_t i = 0; i < ELEMENTS(files); i++)
        if (strcmp(name, files[i]) == 0)
            return true;
    for (size_t i = 0; dot && i < ELEMENTS(prefixes); i++)
        if (strlen(prefixes[i]) == (size_t)(dot - name) &&
            strncmp(name, prefixes[i], (size_t)(dot - name)) == 0)
            return true;
    return false;
}

int cgroup_escape(const char *name, char ret_name[NAME_MAX + 1]) {
    int length = snprintf(ret_name, NAME_MAX + 1, "%s%s", is_reserved(name) ? "_" : "", name);

    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    for (char *c = ret_name; *c != '\0'; c++)
        if (*c == '/' || *c == '\n')
            *c = '_';
    return 0;
}

int cgroup_make(int parent, const char *name) {
    char escaped[NAME_MAX + 1];
    int fd, r = cgroup_escape(name, escaped);

    if (r < 0)
        return r;
    if (mkdirat(parent, escaped, 0755) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(parent, escaped, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cgroup_limit(int group, enum cgroup_limit limit, uint64_t value) {
    char text[48];

    if (limit == CGROUP_LIMIT_CPU_QUOTA && value != CGROUP_NO_LIMIT)
        snprintf(text, sizeof(text), "%" PRIu64 " %d",
            MAX(MIN(value, (uint64_t)UINT32_MAX) * (CPU_PERIOD / 1000), (uint64_t)CPU_QUOTA_MIN),
            CPU_PERIOD);
    else if (value == CGROUP_NO_LIMIT)
        snprintf(text, sizeof(text), "max");
    else
        snprintf(text, sizeof(text), "%" PRIu64, value);
    return cgroup_write(group, cgroup_limit_file(limit), text);
}

uint32_t cgroup_limits_apply(int group, const struct cgroup_limits *limits) {
    uint32_t refused = 0;

    for (size_t i = 0; i < CGROUP_LIMIT_MAX; i++)
        if (limits->set & UINT32_C(1) << i &&
            cgroup_limit(group, (enum cgroup_limit)i, limits->values[i]) < 0)
            refused |= UINT32_C(1) << i;
    return refused;
}

int cgroup_is_populated(int group) {
    uint64_t populated;
    int r = read_word(group, "cgroup.events", "populated", &populated);

    return r < 0 ? r : populated != 0;
}

uint64_t cgroup_oom_kills(int group) {
    uint64_t kills;

    return read_word(group, "memory.events", "oom_kill", &kills) < 0 ? 0 : kills;
}

struct cgroup_usage cgroup_usage(int group) {
    struct cgroup_usage usage = {.memory = UINT64_MAX, .tasks = UINT64_MAX, .cpu = NSEC_NEVER};
    uint64_t usec;

    read_number(group, "memory.current", &usage.memory);
    read_number(group, "pids.current", &usage.tasks);
    if (read_word(group, "cpu.stat", "usage_usec", &usec) == 0)
        usage.cpu = usec * NSEC_PER_USEC;
    return usage;
}

int cgroup_watch_open(void) {
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int cgroup_watch_add(int watch, int group) {
    char path[64];
    int number;

    snprintf(path, sizeof(path), "/proc/self/fd/%d/cgroup.events", group);
    number = inotify_add_watch(watch, path, IN_MODIFY);
    return number < 0 ? -errno : number;
}

void cgroup_watch_remove(int watch, int number) {
    inotify_rm_watch(watch, number);
}

size_t cgroup_watch_next(int watch, int *numbers, size_t max) {
    struct inotify_event events[32]; /* of files: none has a name behind it */
    size_t count = 0;
    ssize_t size;

    while (count == 0) {
        size = read(watch, events, MIN(max, ELEMENTS(events)) * sizeof(*events));
        if (size <= 0)
            break;
        for (size_t i = 0; i < (size_t)size / sizeof(*events); i++)
            if (!(events[i].mask & IN_IGNORED))
                numbers[count++] = events[i].wd;
    }
    return count;
}
