/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A pool: N workers under the same rules, and what concerns them together: the total of restarts,
 * rolling restarts, growing and shrinking, the end of the last of them and what it amounts to. As
 * pure as the worker: pool_step() is worker_step() plus what the pool makes of it.
 *
 * A worker is known by its number, its place; what lives and dies is in a *seat*. Most of the time
 * each place has one seat, its holder. Where the rules allow a surge, a replacement starts in a
 * free seat beside the holder, and takes the place when it is ready:
 *
 *     FREE ──▶ REPLACEMENT ── ready ──▶ HOLDER ── replaced, scaled away ──▶ RETIRING ── ended ──▶
 * FREE └─────────── failed, cancelled ────────────────────────────▲
 *
 * With surge 0 a holder is restarted in place instead, one after another. Either way at most
 * max(surge, 1) places are in the middle of it at once. A seat that retires counts until it has
 * ended, so there are never more than `surge` processes too many; only what SIGKILL does not end
 * is counted no longer, because nobody could wait for it.
 *
 * A place is *due* when it is to have a new process: all of them by a roll (pool_roll()), single
 * ones by age or by pool_recycle(). A replacement that fails takes an explicit roll with it: the
 * others that were under way are stopped, and whoever held a place before still does. Of a
 * recycling nothing is left but the report. In place the new process is the holder already, and
 * goes on by the rules when it fails; the roll waits for its first try alone.
 *
 * Contract with the shell, besides the worker's: actions name the seat, reports the number. A seat
 * that was freed has no news under way: its timer is off, its process reaped.
 */

#include "core/worker.h"

enum seat_role {
    SEAT_FREE,
    SEAT_HOLDER,      /* of its place */
    SEAT_REPLACEMENT, /* not yet ready to be */
    SEAT_RETIRING,    /* no longer, or never: on its way out */
};

#define SEAT_NONE UINT32_MAX

struct seat {
    struct worker worker;
    enum seat_role role;
    bool extra;    /* counted in n_extra */
    bool owed;     /* a STOP, by pool_roll_on() */
    uint32_t next; /* in the list of free seats */
};

struct place {
    uint32_t holder;
    uint32_t replacement; /* or SEAT_NONE */
    bool due;
    bool rolled;        /* … or being replaced, by the roll that is under way */
    const char *reason; /* a literal: why it is due */
};

enum roll_result {
    ROLL_NONE, /* there was none, or it was cancelled */
    ROLL_DONE,
    ROLL_FAILED,
};

struct pool {
    struct worker_rules rules;
    struct worker_ledger ledger;
    struct seat **seats; /* the caller's memory, as are the places */
    uint32_t n_seats;
    struct place *places;
    uint32_t n_places;
    uint32_t surge;
    uint32_t n_ready;
    bool ended; /* no worker is alive, and ACTION_ENDED has said so */

    bool rolling;
    bool again; /* a roll was asked for once more while one was under way */
    enum roll_result result;
    uint32_t n_due;    /* places */
    uint32_t n_rolled; /* places that the roll has yet to finish */
    uint32_t n_extra;  /* processes besides the holders, because of replacements */
    uint32_t cursor;   /* where to look for the next place that is due */
    uint32_t free;     /* head of the free seats, or SEAT_NONE */
    uint32_t n_owed;   /* seats that are owed a STOP */

    /* In place: the place whose holder is being restarted, or SEAT_NONE; its generation before. */
    uint32_t current;
    uint32_t generation;
};

/* A pool of no places; `seed` makes the jitter replayable. */
void pool_init(struct pool *pool, const struct worker_rules *rules, uint32_t surge, uint64_t seed);

/* Other rules from now on; what lives goes on as it began. */
void pool_set_rules(struct pool *pool, const struct worker_rules *rules, uint32_t surge);

/* How many seats it needs to have `n_places` places, with those that retire at the moment. */
uint32_t pool_seats_for(const struct pool *pool, uint32_t n_places);

/*
 * Gives the pool more seats and places, before it grows. The arrays hold what the old ones held,
 * and zeroes; the arrays may have moved, the seats not. The pool never gives anything back.
 */
void pool_give(struct pool *pool, struct seat **seats, uint32_t n_seats, struct place *places);

/*
 * Changes the number of places. The highest numbers go first: whoever holds them retires. A number
 * that comes back while its old holder is still there gets that one again, so a number is never
 * doubled. Afterwards feed STOP to every RETIRING seat and, where the pool is meant to be up, START
 * to the holders of the numbers that are new; then call pool_roll_on(): a roll that waited only for
 * numbers that are gone is done.
 */
void pool_resize(struct pool *pool, uint32_t n_places);

/* Takes one event for one seat. The outbox must be empty, as with all that take one. */
void pool_step(
    struct pool *pool, uint32_t seat, const struct worker_event *event, struct outbox *outbox);

/*
 * Begins a rolling restart: every living worker that is wanted gets a new process. -EBUSY: one is
 * under way.
 */
int pool_roll(struct pool *pool, struct outbox *outbox);

/* Begins a further roll as soon as the one under way is done; it is forgotten where that fails. */
void pool_roll_again(struct pool *pool);

/* Goes on with what ACTION_ROLL_ON said is to be done, or after pool_resize(). */
void pool_roll_on(struct pool *pool, struct outbox *outbox);

/* Ends a roll under way without a word; replacements are stopped, what was due is forgotten. */
void pool_roll_cancel(struct pool *pool, struct outbox *outbox);

/* One place is to have a new process when its turn comes. `reason`: a literal. */
void pool_recycle(struct pool *pool, uint32_t place, const char *reason, struct outbox *outbox);

bool pool_rolling(const struct pool *pool);

/* Of the last roll that has ended. */
enum roll_result pool_roll_result(const struct pool *pool);

/* How many workers are alive (hold a process, or will start one by themselves), in all seats. */
uint32_t pool_alive(const struct pool *pool);

/* How many places have a holder that is up: ready, or DONE where it is oneshot. */
uint32_t pool_ready(const struct pool *pool);

/* The worker that holds a place. */
const struct worker *pool_holder(const struct pool *pool, uint32_t place);

/*
 * What the pool amounts to once it has ended, as an exit status: 0 when every holder ended
 * cleanly; of a single worker its own status; POOL_EXHAUSTED when the restarts were used up;
 * POOL_UNCLEAN otherwise.
 */
#define POOL_UNCLEAN   1
#define POOL_EXHAUSTED 3
int pool_exit_status(const struct pool *pool);
