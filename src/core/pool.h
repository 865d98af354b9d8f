/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A pool: N workers under the same rules, and what concerns them together: the total of restarts,
 * a rolling restart one after another, the end of the last of them and what it amounts to. As pure
 * as the worker: pool_step() is worker_step() plus what the pool makes of it.
 */

#include "core/worker.h"

struct pool {
    struct worker_rules rules;
    struct worker_ledger ledger;
    struct worker *workers; /* the caller's memory */
    uint32_t n_workers;
    bool ended; /* no worker is alive, and ACTION_ENDED has said so */
    bool rolling;
    bool roll_again;          /* asked for once more while under way */
    uint32_t roll_current;    /* the worker that is being restarted */
    uint32_t roll_generation; /* its generation before */
};

/* `workers` is room for n_workers, uninitialised; `seed` makes the jitter replayable. */
void pool_init(struct pool *pool, const struct worker_rules *rules, struct worker *workers,
    uint32_t n_workers, uint64_t seed);

/* Takes one event for one worker. The outbox must be empty. */
void pool_step(
    struct pool *pool, uint32_t number, const struct worker_event *event, struct outbox *outbox);

/*
 * Begins a rolling restart: each living worker in turn is restarted and must be ready before the
 * next one is touched. One that fails instead ends the roll. The outbox must be empty.
 */
void pool_roll(struct pool *pool, struct outbox *outbox);

/* Ends a roll under way without a word: the pool is about to be stopped. */
void pool_roll_cancel(struct pool *pool);

/* How many workers are alive (hold a process, or will start one by themselves). */
uint32_t pool_alive(const struct pool *pool);

/*
 * What the pool amounts to once it has ended, as an exit status: 0 when every worker ended
 * cleanly; of a single worker its own status; POOL_EXHAUSTED when the restarts were used up;
 * POOL_UNCLEAN otherwise.
 */
#define POOL_UNCLEAN   1
#define POOL_EXHAUSTED 3
int pool_exit_status(const struct pool *pool);
