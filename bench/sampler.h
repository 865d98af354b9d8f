/* SPDX-License-Identifier: MIT */
#pragma once

/* Kills workers and takes the time until their replacements run. All times are CLOCK_MONOTONIC
 * nanoseconds: ours is taken right before kill(), theirs by their first instruction; what happens
 * between that and our reading of it is not in the number.
 *
 * Functions return 0, or negative errno: -ETIMEDOUT after `deadline`, -EINTR when a signal asked us
 * to end, -ESRCH when the supervisor has ended, -EPROTO when a worker started that nobody had
 * killed. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct sampler {
    int fifo;        /* both ends, so that it never reads as closed */
    int signal_fd;   /* readable: end */
    int pidfd;       /* readable: the supervisor has ended */
    bool rotate;     /* kill one worker after another, instead of always the first */
    uint64_t pace;   /* mean time between a start and the next kill; drawn from ±50 % */
    uint64_t age;    /* let a worker get this old before it is killed */
    uint64_t settle; /* let a whole pool get this old before a storm */
    uint64_t deadline;
    uint32_t random;
    size_t count, next;
    struct bench_record *workers;
};

uint64_t clock_ns(void);

/* `settings` has what lies between `pidfd` and `random`, and `count`. Makes the FIFO at `path`. */
int sampler_init(struct sampler *sampler, const struct sampler *settings, const char *path);
void sampler_finish(struct sampler *sampler);

/* Waits for the first start of each of `count` workers. */
int sampler_wait_all(struct sampler *sampler);

/* Kills one worker; ret_ns: from right before kill() to the replacement's first instruction. */
int sampler_restart(struct sampler *sampler, uint64_t *ret_ns);

/* Kills all; ret_ns: from right before the first kill() to the first instruction of the last. */
int sampler_storm(struct sampler *sampler, uint64_t *ret_ns);

/* Watches workers that exit by themselves until `starts` of them were seen or the deadline is over.
 * The first start of each worker is not counted. ret_starts in ret_ns, between first instructions.
 */
int sampler_starts(struct sampler *sampler, size_t starts, uint64_t *ret_starts, uint64_t *ret_ns);
