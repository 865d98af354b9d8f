/* SPDX-License-Identifier: MIT */
#pragma once

/* What proc(5) tells about other processes. Each answer is a snapshot and may be old already. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"

struct proc_stat {
    char name[16];
    char state; /* R, S, D, Z, … */
    pid_t parent;
    pid_t group;
    pid_t session;
};

/* -ESRCH: there is no such process; -EMFILE, -ENFILE, -ENOMEM: it cannot be seen now. */
int proc_stat(pid_t pid, struct proc_stat *ret_stat);

/* In bytes. */
struct proc_memory {
    uint64_t resident;
    uint64_t shared; /* … of which others may have the same */
};

/* Errors as proc_stat(). A process that has ended has none. */
int proc_memory(pid_t pid, struct proc_memory *ret_memory);

/* What a process has used: a read of one small file. */
struct proc_usage {
    pid_t parent;
    nsec_t cpu;      /* user and system, with that of the children it has waited for */
    uint64_t memory; /* resident bytes; what is shared counts in each */
};

int proc_usage(pid_t pid, struct proc_usage *ret_usage);

/* Processes, in memory that grows; {0} is an empty one. */
struct proc_list {
    pid_t *pids;
    size_t count;
    size_t capacity;
};

void proc_list_finish(struct proc_list *list);

/* Adds the numbers in an open file, each followed by a blank or a newline; none of them is 0. */
int proc_list_read(struct proc_list *list, int fd);

/*
 * Adds the children of one thread of a process; tid 0: those of all its threads. One descriptor at
 * a time is open, none on return. -ENOENT: no such process, or a kernel without
 * CONFIG_PROC_CHILDREN; -EMFILE, -ENFILE, -ENOMEM, -EIO: some may be missing.
 */
int proc_children(pid_t pid, pid_t tid, struct proc_list *list);

/* Adds every process that can be seen. */
int proc_all(struct proc_list *list);

/*
 * Looks a variable up in the environment that the process was started with; copies its value.
 * -ENOENT: it is not set; -EACCES: not ours to read.
 */
int proc_variable(pid_t pid, const char *name, char *value, size_t size);
