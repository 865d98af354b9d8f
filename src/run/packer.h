/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Compresses the rotated files of a log, one after another, the oldest first, in a child of the
 * lowest priority (SCHED_IDLE, which is idle for the disk, too). A thread of its own waits for the
 * child, so that nobody else has to.
 *
 * The child writes to NAME.part; what is complete is renamed, and only then the original removed.
 * So an interruption at whatever point loses nothing: an unfinished one is thrown away, an original
 * beside its finished copy is removed, at the next start.
 */

#include "base/nsec.h"

struct packer;

/* Starts no thread before there is something to do. -ENOMEM. */
int packer_new(struct packer **ret_packer);

/*
 * Compresses what there is of the log NAME in that directory, and clears away what interrupted
 * compressions have left. -ENOENT: there is no program to do it; -ENOMEM; -EAGAIN: no thread to be
 * had. From any thread.
 */
int packer_put(struct packer *packer, const char *directory, const char *name);

/*
 * Ends what is under way; it begins anew when it is put again. Where the disk does not answer
 * before the deadline, thread and memory are left behind: nothing is lost by that. Accepts NULL.
 */
void packer_free(struct packer *packer, nsec_t deadline);
