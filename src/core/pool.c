/* SPDX-License-Identifier: MIT */
#include "core/pool.h"

void pool_init(struct pool *pool, const struct worker_rules *rules, struct worker *workers,
    uint32_t n_workers, uint64_t seed) {
    *pool = (struct pool){
        .rules = *rules,
        .ledger = {.random = {seed}},
        .workers = workers,
        .n_workers = n_workers,
        .ended = true,
    };
    for (uint32_t i = 0; i < n_workers; i++)
        worker_init(&workers[i], i, &pool->ledger);
}

uint32_t pool_alive(const struct pool *pool) {
    uint32_t alive = 0;

    for (int state = 0; state < WORKER_STATE_MAX; state++)
        if (worker_state_is_alive((enum worker_state)state))
            alive += pool->ledger.states[state];
    return alive;
}

static void report(struct outbox *outbox, enum report_kind kind, uint32_t worker) {
    outbox_push(outbox, ACTION_REPORT, worker)->report =
        (struct report){.kind = kind, .worker = worker};
}

static void roll_end(struct pool *pool, enum report_kind kind, struct outbox *outbox) {
    pool->rolling = false;
    report(outbox, kind, pool->roll_current);
    if (pool->roll_again) {
        pool->roll_again = false;
        pool_roll(pool, outbox);
    }
}

/* Restarts the first living worker from `number` on, or ends the roll. */
static void roll_from(struct pool *pool, uint32_t number, struct outbox *outbox) {
    for (; number < pool->n_workers; number++) {
        const struct worker *worker = &pool->workers[number];

        if (!worker_state_is_alive(worker->state) || !worker->wanted)
            continue;
        pool->roll_current = number;
        pool->roll_generation = worker->generation;
        outbox_push(outbox, ACTION_FEED, number)->event = EVENT_RESTART;
        return;
    }
    roll_end(pool, REPORT_ROLL_DONE, outbox);
}

void pool_roll(struct pool *pool, struct outbox *outbox) {
    if (pool->rolling) {
        pool->roll_again = true;
        return;
    }
    pool->rolling = true;
    report(outbox, REPORT_ROLLING, 0);
    roll_from(pool, 0, outbox);
}

void pool_roll_cancel(struct pool *pool) {
    pool->rolling = false;
    pool->roll_again = false;
}

/* What a change of the worker whose turn it is means for the roll. */
static void roll_follow(struct pool *pool, const struct worker *worker, struct outbox *outbox) {
    bool replaced = worker->generation != pool->roll_generation;

    if (worker->state == WORKER_READY && replaced)
        roll_from(pool, worker->number + 1, outbox);
    else if (!worker->wanted || worker->state == WORKER_DONE)
        roll_from(pool, worker->number + 1, outbox);
    else if (worker->state == WORKER_FAILED || (worker->state == WORKER_BACKOFF && replaced)) {
        pool_roll_cancel(pool);
        roll_end(pool, REPORT_ROLL_FAILED, outbox);
    }
}

void pool_step(
    struct pool *pool, uint32_t number, const struct worker_event *event, struct outbox *outbox) {
    struct worker *worker = &pool->workers[number];

    worker_step(worker, event, &pool->rules, &pool->ledger, outbox);
    if (pool->rolling && number == pool->roll_current)
        roll_follow(pool, worker, outbox);

    bool alive = pool_alive(pool) > 0;
    if (!alive && !pool->ended) {
        report(outbox, REPORT_ENDED, number);
        outbox_push(outbox, ACTION_ENDED, number);
    }
    if (alive && pool->ended) {
        /* Started anew: what the last run used up is not counted against this one. */
        pool->ledger.restarts = 0;
        pool->ledger.exhausted = false;
    }
    pool->ended = !alive;
}

int pool_exit_status(const struct pool *pool) {
    bool clean = true;

    for (uint32_t i = 0; i < pool->n_workers; i++)
        clean = clean && pool->workers[i].clean && pool->workers[i].state != WORKER_FAILED;
    if (clean && !pool->ledger.exhausted)
        return 0;
    if (pool->n_workers == 1) {
        int status = cause_exit_status(pool->workers[0].cause);

        return status != 0 ? status : POOL_UNCLEAN;
    }
    return pool->ledger.exhausted ? POOL_EXHAUSTED : POOL_UNCLEAN;
}
