/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a child does between clone and exec. It may run in its parent's memory, beside a parent that
 * goes on: raw system calls only, no allocation, no lock, no stdio, no errno. It reads the plan and
 * writes one thing, its own fault.
 */

#include <stdbool.h>
#include <stdint.h>

#include "run/plan.h"

struct child {
    const struct plan *plan;
    struct rendered rendered;
    uint64_t reset_signals; /* a mask: those whose disposition may be another than the default */
    int group;              /* the control group to enter; -1: none */
    pid_t parent;           /* who must still be there for a parent-death signal; 0: do not look */
    bool unshare_files;     /* the descriptor table is the parent's: leave it first */
    bool keep_files; /* do not close what is above standard error (it is close-on-exec anyway) */
    struct child_fault fault;
};

/* Becomes the program. Returns only on failure, with child->fault filled. */
void child_become(struct child *child);

/* The exit status that shells use: 127 where the program is not there, 126 for everything else. */
int child_exit_status(struct child_fault fault);

/* For process_clone(): child_become(), and the exit status of its failure. */
int child_main(void *child);
