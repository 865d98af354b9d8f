/* SPDX-License-Identifier: MIT */
#pragma once

/* Within the tree: the processes that are held, and the walk that finds them. */

#include "run/engine_internal.h"
#include "sys/proc.h"

/* A process below us that is no worker's own, watched by pidfd until it has ended. */
struct tree_member {
    struct tree_member *next;
    struct engine *engine;
    struct engine_seat *seat; /* NULL: nobody's, left at the very end */
    pid_t pid;
    int pidfd;
    loop_source_t source;
};

/* A walk down from one process, holding and signalling what it passes. */
struct walk {
    struct engine *engine;
    struct engine_seat *seat;
    pid_t spare_group; /* what is in this group is reached by other means; 0: nothing is spared */
    int signal;        /* 0: only hold */
    uint32_t count;    /* how many were there */
    bool missed;       /* not all of it could be seen or held: look again */
};

struct tree_member *member_find(const struct engine *engine, pid_t pid);

/* Whether something of this worker's tree is held. */
bool member_any(const struct engine_seat *seat);

/* Everything below a process. Descendants are held and signalled before their parents. */
void walk_below(struct walk *walk, pid_t pid);

/* The same, and the process itself, which was found under this parent. */
void walk_from(struct walk *walk, pid_t pid, pid_t parent);

/* Whether an answer of sys/proc.h means that something was not seen, rather than gone. */
bool walk_is_blind(int error);
