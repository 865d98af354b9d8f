/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Readiness by a descriptor, as s6 has it: the process writes a newline to a descriptor that it
 * finds open under an agreed number. What comes before the newline is not read for its meaning;
 * the end of the pipe without one says nothing.
 *
 * The order of use: open; `write_fd` is passed to the child; ready_pipe_passed() when the child has
 * its own table of descriptors (it has executed its program, or failed), never earlier, since
 * until then it may share ours; close at the end of the process.
 */

#include "loop/loop.h"

/* Called at most once, at the newline. May close the pipe. */
typedef void (*ready_fn)(void *data);

/* Does not move while it is open. */
struct ready_pipe {
    int write_fd; /* -1: closed */
    int read_fd;  /* -1: closed; nothing more is to come */
    struct loop *loop;
    loop_source_t source;
    ready_fn fn;
    void *data;
};

#define READY_PIPE_NULL ((struct ready_pipe){.write_fd = -1, .read_fd = -1})

/* -EMFILE, -ENFILE, -ENOMEM, -ENOSPC. On failure it is READY_PIPE_NULL. */
int ready_pipe_open(struct ready_pipe *ret_pipe, struct loop *loop, ready_fn fn, void *data);

/* The child has the writing end: ours is closed. */
void ready_pipe_passed(struct ready_pipe *pipe);

/* Reads what is there now: to be called before the exit of the process is handled. */
void ready_pipe_drain(struct ready_pipe *pipe);

/* Closes what is open. A pipe that is closed already, or READY_PIPE_NULL, is fine. */
void ready_pipe_close(struct ready_pipe *pipe);
