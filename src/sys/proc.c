/* SPDX-License-Identifier: MIT */
#include "sys/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_file(pid_t pid, const char *name) {
    char path[96];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int proc_stat(pid_t pid, struct proc_stat *ret_stat) {
    char text[512];
    int fd = open_file(pid, "stat");

    if (fd < 0)
        return -ESRCH;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -ESRCH;
    text[n] = '\0';

    /* The name is in parentheses and may hold anything, parentheses too. */
    char *open_mark = strchr(text, '('), *close_mark = strrchr(text, ')');
    if (!open_mark || !close_mark)
        return -ESRCH;
    *close_mark = '\0';
    snprintf(ret_stat->name, sizeof(ret_stat->name), "%s", open_mark + 1);
    if (sscanf(close_mark + 1, " %c %d %d %d", &ret_stat->state, &ret_stat->parent,
            &ret_stat->group, &ret_stat->session) != 4)
        return -ESRCH;
    return 0;
}

/* The numbers in a file of any length, separated by blanks. */
static int visit_numbers(int fd, proc_visit visit, void *data) {
    char text[4096];
    pid_t pid = 0;
    ssize_t n;

    while ((n = read(fd, text, sizeof(text))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (isdigit((unsigned char)text[i]))
                pid = pid * 10 + (text[i] - '0');
            else if (pid != 0) {
                visit(data, pid);
                pid = 0;
            }
    return n < 0 ? -errno : 0;
}

static int visit_directory(const char *path, proc_visit visit, void *data) {
    DIR *directory = opendir(path);

    if (!directory)
        return -errno;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (isdigit((unsigned char)entry->d_name[0]))
            visit(data, atoi(entry->d_name));
    closedir(directory);
    return 0;
}

struct thread_walk {
    pid_t pid;
    proc_visit visit;
    void *data;
};

static void visit_thread(void *data, pid_t tid) {
    const struct thread_walk *walk = data;

    proc_children(walk->pid, tid, walk->visit, walk->data);
}

int proc_children(pid_t pid, pid_t tid, proc_visit visit, void *data) {
    char name[64];

    if (tid == 0) {
        snprintf(name, sizeof(name), "/proc/%d/task", pid);
        return visit_directory(name, visit_thread, &(struct thread_walk){pid, visit, data});
    }
    snprintf(name, sizeof(name), "task/%d/children", tid);
    int fd = open_file(pid, name);
    if (fd < 0)
        return fd;
    int r = visit_numbers(fd, visit, data);
    close(fd);
    return r;
}

int proc_all(proc_visit visit, void *data) {
    return visit_directory("/proc", visit, data);
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
