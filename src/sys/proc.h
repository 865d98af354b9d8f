/* SPDX-License-Identifier: MIT */
#pragma once

/* What proc(5) tells about other processes. Each answer is a snapshot and may be old already. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct proc_stat {
    char name[16];
    char state; /* R, S, D, Z, … */
    pid_t parent;
    pid_t group;
    pid_t session;
};

/* -ESRCH: there is no such process. */
int proc_stat(pid_t pid, struct proc_stat *ret_stat);

typedef void (*proc_visit)(void *data, pid_t pid);

/*
 * Visits the children of one thread of a process; tid 0: those of all its threads. -ENOENT: no such
 * process, or a kernel without CONFIG_PROC_CHILDREN.
 */
int proc_children(pid_t pid, pid_t tid, proc_visit visit, void *data);

/* Visits every process that can be seen. */
int proc_all(proc_visit visit, void *data);

/*
 * Looks a variable up in the environment that the process was started with; copies its value.
 * -ENOENT: it is not set; -EACCES: not ours to read.
 */
int proc_variable(pid_t pid, const char *name, char *value, size_t size);
