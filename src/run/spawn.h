/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Making processes. A spawn is one clone that shares our memory and, where the kernel can, our
 * descriptor table, so that it costs the same whatever our size; and it does not wait for exec.
 * Until then the child lives on a *slot*: a small stack, its rendered arguments, and the place
 * where it leaves its fault. The kernel clears the slot's busy word when the child has left our
 * memory; nobody tells us, so whoever owns the slot asks (spawn_outcome), at the exit at the
 * latest.
 *
 * Why no CLONE_VFORK: it holds the loop for as long as exec takes, which is 12–21 µs against 37–78
 * on a fast disk and unbounded on a slow one. The price is the slot, and raw system calls only. The
 * one exception is a plan with an OOM score, which the kernel gives to all who share the memory but
 * for a parent that waits.
 */

#include <stdint.h>
#include <sys/types.h>

#include "run/child.h"
#include "sys/process.h"

#define SPAWN_NO_SLOT UINT32_MAX

struct spawn_chunk;

struct spawner {
    struct process_features features;
    bool is_guest; /* the process is somebody else's program, which may change dispositions */
    struct spawn_chunk *chunks;
    uint32_t n_chunks;
    uint32_t in_flight;
};

struct spawn_request {
    const struct plan *plan;
    struct incarnation incarnation;
    int group;   /* the control group it is to begin in; -1: ours */
    void *owner; /* whose process it is, for spawn_visit() */
};

struct spawned {
    pid_t pid;
    int pidfd; /* close-on-exec, the caller's */
    uint32_t slot;
};

enum spawn_outcome {
    SPAWN_BUSY,   /* it has not reached exec */
    SPAWN_BECAME, /* it has left our memory without a fault: it is its program, or a signal ended it
                   */
    SPAWN_FAULT,  /* a step failed; it has exited or is about to */
};

void spawner_init(struct spawner *spawner, struct process_features features, bool is_guest);

/* No process of ours may be on its way to exec any more. */
void spawner_finish(struct spawner *spawner);

/*
 * Starts one incarnation. Does not allocate unless more children than ever before are on their way
 * at once. -EAGAIN, -ENOMEM, -EMFILE, -ENFILE: no process was made.
 */
int spawn(
    struct spawner *spawner, const struct spawn_request *request, struct spawned *ret_spawned);

/* What became of the child in a slot; SPAWN_FAULT fills ret_fault. */
enum spawn_outcome spawn_outcome(
    const struct spawner *spawner, uint32_t slot, struct child_fault *ret_fault);

/* Gives a slot back that is not busy. SPAWN_NO_SLOT is ignored. */
void spawn_release(struct spawner *spawner, uint32_t slot);

/* Calls `visit` for each slot in use; it may release that slot. */
void spawn_visit(
    struct spawner *spawner, void (*visit)(void *data, void *owner, uint32_t slot), void *data);

/* Returns the memory that a burst of spawns needed and nobody needs now. */
void spawner_trim(struct spawner *spawner);
