/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Reaping strangers, off everybody's way. The kernel keeps a list of children for each *thread*,
 * and gives orphans to the leader thread of the subreaper (kernel/exit.c, find_alive_thread; pinned
 * down by tests/loop/test_kernel.c). So the engine and its workers live in a second thread, and the
 * leader has no children but strangers: a sweep with __WNOTHREAD finds them in time that depends on
 * their number alone, never reaps a worker, and runs beside the loop, not in it.
 *
 * Where no thread can be had (a limit, a sandbox that refuses clone3), one thread has them all:
 * then strangers_sweep_among() walks over its children when the signalfd says so.
 */

#include <stdbool.h>
#include <sys/types.h>

struct strangers;

/*
 * Opens the signalfd. SIGCHLD is blocked in the calling thread, and no longer ignored if it was: an
 * ignored one would let exit statuses be lost. To be called before there are threads or children.
 */
int strangers_new(struct strangers **ret_strangers);

/*
 * Reaps what has ended by now, in whichever thread it was a child; so it comes when nobody else
 * waits any more. Accepts NULL; returns NULL.
 */
struct strangers *strangers_free(struct strangers *strangers);

/* In the leader thread: reaps every stranger as it ends, until strangers_stop(). */
void strangers_reap(struct strangers *strangers);

/* From the other thread: ends strangers_reap(). */
void strangers_stop(struct strangers *strangers);

/* The signalfd for SIGCHLD. */
int strangers_fd(const struct strangers *strangers);

/*
 * With a readable signalfd: takes from it, and reaps each ended child of the calling thread, the
 * only one, that is not ours.
 */
void strangers_sweep_among(
    struct strangers *strangers, bool (*is_ours)(void *data, pid_t pid), void *data);

/*
 * In the engine's thread: reaps its ended children that are not ours. It gets some by CLONE_PARENT
 * in a worker, which makes a child of the worker's parent. Nobody is told when one of these ends
 * (the leader cannot tell its SIGCHLD from a worker's): so this is called when starts have settled,
 * seldom because it walks over the workers, and at the end. One that dies while nothing restarts
 * stays a zombie until then. Stops at an ended child of ours: that one's exit is about to be
 * handled.
 */
void strangers_reap_own(bool (*is_ours)(void *data, pid_t pid), void *data);
