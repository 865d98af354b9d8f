/* SPDX-License-Identifier: MIT */
#include "sys/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

static int open_file(pid_t pid, const char *name) {
    char path[96];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static ssize_t read_again(int fd, char *text, size_t size) {
    ssize_t n;

    do
        n = read(fd, text, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* The fields of stat after the name, which is in parentheses and may hold anything, those too. */
static int read_stat(pid_t pid, char text[512], char **ret_name, char **ret_fields) {
    int fd = open_file(pid, "stat");

    if (fd < 0)
        return fd == -ENOENT ? -ESRCH : fd;
    ssize_t n = read_again(fd, text, 511);
    close(fd);
    if (n <= 0)
        return -ESRCH;
    text[n] = '\0';

    char *open_mark = strchr(text, '('), *close_mark = strrchr(text, ')');
    if (!open_mark || !close_mark)
        return -ESRCH;
    *close_mark = '\0';
    *ret_name = open_mark + 1;
    *ret_fields = close_mark + 1;
    return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret_stat) {
    char text[512], *name, *fields;
    int r = read_stat(pid, text, &name, &fields);

    if (r < 0)
        return r;
    snprintf(ret_stat->name, sizeof(ret_stat->name), "%s", name);
    if (sscanf(fields, " %c %d %d %d", &ret_stat->state, &ret_stat->parent, &ret_stat->group,
            &ret_stat->session) != 4)
        return -ESRCH;
    return 0;
}

int proc_memory(pid_t pid, struct proc_memory *ret_memory) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char text[128];
    int fd = open_file(pid, "statm");

    if (fd < 0)
        return fd == -ENOENT ? -ESRCH : fd;
    ssize_t n = read_again(fd, text, sizeof(text) - 1);
    close(fd);
    text[MAX(n, 0)] = '\0';
    if (sscanf(text, "%*u %" SCNu64 " %" SCNu64, &ret_memory->resident, &ret_memory->shared) != 2)
        return -ESRCH;
    ret_memory->resident *= page;
    ret_memory->shared *= page;
    return 0;
}

int proc_usage(pid_t pid, struct proc_usage *ret_usage) {
    char text[512], *name, *fields;
    unsigned long long user, system;
    long long user_of_children, system_of_children, pages;
    int r = read_stat(pid, text, &name, &fields);

    if (r < 0)
        return r;
    if (sscanf(fields,
            " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld"
            " %*d %*d %*d %*d %*u %*u %lld",
            &ret_usage->parent, &user, &system, &user_of_children, &system_of_children,
            &pages) != 6)
        return -ESRCH;
    ret_usage->cpu = (user + system + (nsec_t)user_of_children + (nsec_t)system_of_children) *
                     (NSEC_PER_SEC / (nsec_t)sysconf(_SC_CLK_TCK));
    ret_usage->memory = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static int add(struct proc_list *list, pid_t pid) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        pid_t *grown = reallocarray(list->pids, capacity, sizeof(pid_t));

        if (!grown)
            return -ENOMEM;
        list->pids = grown;
        list->capacity = capacity;
    }
    list->pids[list->count++] = pid;
    return 0;
}

void proc_list_finish(struct proc_list *list) {
    free(list->pids);
    *list = (struct proc_list){0};
}

int proc_list_read(struct proc_list *list, int fd) {
    char text[4096];
    pid_t pid = 0;
    ssize_t n;
    int r = 0;

    while (r == 0 && (n = read_again(fd, text, sizeof(text))) != 0) {
        if (n < 0)
            return -errno;
        for (ssize_t i = 0; i < n && r == 0; i++)
            if (isdigit((unsigned char)text[i]))
                pid = pid * 10 + (text[i] - '0');
            else if (pid != 0) {
                r = add(list, pid);
                pid = 0;
            }
    }
    return r;
}

static int add_directory(const char *path, struct proc_list *list) {
    struct dirent *entry;
    DIR *directory = opendir(path);
    int r = 0;

    if (!directory)
        return -errno;
    while (r == 0 && (errno = 0, entry = readdir(directory)))
        if (isdigit((unsigned char)entry->d_name[0]))
            r = add(list, atoi(entry->d_name));
    if (r == 0)
        r = -errno;
    closedir(directory);
    return r;
}

static int children_of_thread(pid_t pid, pid_t tid, struct proc_list *list) {
    char name[64];

    snprintf(name, sizeof(name), "task/%d/children", tid);
    int fd = open_file(pid, name);
    if (fd < 0)
        return fd;
    int r = proc_list_read(list, fd);
    close(fd);
    return r;
}

int proc_children(pid_t pid, pid_t tid, struct proc_list *list) {
    struct proc_list threads = {0};
    char path[64];

    if (tid != 0)
        return children_of_thread(pid, tid, list);
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    int r = add_directory(path, &threads);
    for (size_t i = 0; i < threads.count; i++) {
        int one = children_of_thread(pid, threads.pids[i], list);

        /* A thread may have ended meanwhile. */
        if (one < 0 && one != -ENOENT && one != -ESRCH)
            r = one;
    }
    proc_list_finish(&threads);
    return r;
}

int proc_all(struct proc_list *list) {
    return add_directory("/proc", list);
}

int proc_variable(pid_t pid, const char *name, char *value, size_t size) {
    size_t name_length = strlen(name);
    char *entry = NULL;
    size_t capacity = 0;
    int r = -ENOENT;
    int fd = open_file(pid, "environ");

    if (fd < 0)
        return fd;
    FILE *file = fdopen(fd, "r");
    if (!file) {
        close(fd);
        return -ENOMEM;
    }
    while (r == -ENOENT && getdelim(&entry, &capacity, '\0', file) > 0)
        if (strncmp(entry, name, name_length) == 0 && entry[name_length] == '=') {
            snprintf(value, size, "%s", entry + name_length + 1);
            r = 0;
        }
    free(entry);
    fclose(file);
    return r;
}
