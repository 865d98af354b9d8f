/* SPDX-License-Identifier: MIT */

/* Places that are due to have a new process: by a roll, by age, by hand. */

#include <errno.h>

#include "base/macro.h"
#include "core/pool_internal.h"

/* So many stops in one outbox; the rest in the next. */
#define STOPS_AT_ONCE 4

/* Two that run to their end beside each other would do the work twice. */
static bool is_in_place(const struct pool *pool) {
    return pool->surge == 0 || pool->rules.oneshot;
}

static bool may_begin(const struct pool *pool) {
    if (pool->n_due == 0)
        return false;
    return is_in_place(pool) ? pool->current == SEAT_NONE
                             : pool->n_extra < pool->surge && pool->free != SEAT_NONE;
}

static void make_due(struct pool *pool, struct place *place, const char *reason) {
    pool->n_due += !place->due;
    place->due = true;
    place->reason = reason;
}

static void forget_due(struct pool *pool, struct place *place) {
    pool->n_due -= place->due;
    place->due = false;
}

/* The roll has done with the place, unless it is still to come to it. */
static void finish(struct pool *pool, struct place *place) {
    if (place->due)
        return;
    pool->n_rolled -= place->rolled;
    place->rolled = false;
}

/* In place: whose turn it is. */
static void watch(struct pool *pool, uint32_t number) {
    if (pool->current != SEAT_NONE)
        pool->seats[pool->places[pool->current].holder]->worker.watched = false;
    pool->current = number;
    if (number != SEAT_NONE)
        pool->seats[pool->places[number].holder]->worker.watched = true;
}

void pool_pass_over(struct pool *pool, uint32_t number) {
    forget_due(pool, &pool->places[number]);
    finish(pool, &pool->places[number]);
    if (pool->current == number)
        watch(pool, SEAT_NONE);
}

static void cancel_replacement(struct pool *pool, struct place *place) {
    uint32_t index = place->replacement;

    if (index == SEAT_NONE)
        return;
    struct seat *seat = pool->seats[index];
    place->replacement = SEAT_NONE;
    pool_retire(pool, index);
    if (seat->role == SEAT_RETIRING && !seat->owed) {
        seat->owed = true;
        pool->n_owed++;
    }
}

/* Forgets all that is due and under way, or only what the roll brought. */
static void abandon(struct pool *pool, bool only_rolled) {
    for (uint32_t i = 0; i < pool->n_places; i++) {
        struct place *place = &pool->places[i];

        if (only_rolled && !place->rolled)
            continue;
        cancel_replacement(pool, place);
        pool_pass_over(pool, i);
    }
    pool->rolling = pool->again = false;
}

static void fail(struct pool *pool, uint32_t number, struct outbox *outbox) {
    abandon(pool, true);
    pool->result = ROLL_FAILED;
    pool_report(outbox, REPORT_ROLL_FAILED, number);
}

static void begin_roll(struct pool *pool, struct outbox *outbox) {
    pool->rolling = true;
    pool->cursor = 0;
    pool_report(outbox, REPORT_ROLLING, 0);
    for (uint32_t i = 0; i < pool->n_places; i++) {
        const struct worker *worker = pool_holder(pool, i);

        if (!worker_state_is_alive(worker->state) || !worker->wanted)
            continue;
        make_due(pool, &pool->places[i], "rolling restart");
        pool->places[i].rolled = true;
        pool->n_rolled++;
    }
}

/* True when another one has begun. */
static bool end_rolls(struct pool *pool, struct outbox *outbox) {
    bool another = false;

    while (pool->rolling && pool->n_rolled == 0) {
        pool->rolling = false;
        pool->result = ROLL_DONE;
        pool_report(outbox, REPORT_ROLL_DONE, 0);
        another = pool->again;
        pool->again = false;
        if (another)
            begin_roll(pool, outbox);
    }
    return another;
}

void pool_roll_check(struct pool *pool, struct outbox *outbox) {
    end_rolls(pool, outbox);
    if (pool->n_owed > 0 || may_begin(pool))
        outbox_push(outbox, ACTION_ROLL_ON, 0);
}

int pool_roll(struct pool *pool, struct outbox *outbox) {
    if (pool->rolling)
        return -EBUSY;
    begin_roll(pool, outbox);
    pool_roll_check(pool, outbox);
    return 0;
}

void pool_roll_again(struct pool *pool) {
    pool->again = pool->rolling;
}

void pool_roll_cancel(struct pool *pool, struct outbox *outbox) {
    if (pool->rolling)
        pool->result = ROLL_NONE;
    abandon(pool, false);
    pool_roll_check(pool, outbox);
}

void pool_recycle(struct pool *pool, uint32_t number, const char *reason, struct outbox *outbox) {
    struct place *place = &pool->places[number];

    if (place->due || place->replacement != SEAT_NONE || pool->current == number)
        return;
    make_due(pool, place, reason);
    pool_roll_check(pool, outbox);
}

bool pool_rolling(const struct pool *pool) {
    return pool->rolling;
}

enum roll_result pool_roll_result(const struct pool *pool) {
    return pool->result;
}

static void begin(struct pool *pool, uint32_t number, struct outbox *outbox) {
    struct place *place = &pool->places[number];
    const struct worker *holder = pool_holder(pool, number);

    forget_due(pool, place);
    outbox_push(outbox, ACTION_REPORT, place->holder)->report = (struct report){
        .kind = REPORT_REPLACING,
        .worker = number,
        .seat = place->holder,
        .generation = holder->generation,
        .pid = holder->pid,
        .reason = place->reason,
    };
    if (is_in_place(pool)) {
        watch(pool, number);
        pool->generation = holder->generation;
        outbox_push(outbox, ACTION_FEED, place->holder)->event = EVENT_RESTART;
        return;
    }
    place->replacement = pool_take_seat(pool, number, SEAT_REPLACEMENT);
    struct seat *seat = pool->seats[place->replacement];
    seat->worker.once = true;
    seat->worker.past = MAX(holder->generation, holder->past);
    seat->extra = true;
    pool->n_extra++;
    outbox_push(outbox, ACTION_FEED, place->replacement)->event = EVENT_START;
}

/* Begins with the next place that is due, and passes over who is not there to be replaced. */
static bool begin_next(struct pool *pool, struct outbox *outbox) {
    for (uint32_t i = 0; i < pool->n_places && pool->n_due > 0; i++) {
        uint32_t number = pool->cursor % pool->n_places;
        const struct worker *worker = pool_holder(pool, number);

        pool->cursor = number + 1;
        if (!pool->places[number].due || pool->places[number].replacement != SEAT_NONE)
            continue;
        if (worker_state_is_alive(worker->state) && worker->wanted) {
            begin(pool, number, outbox);
            return true;
        }
        pool_pass_over(pool, number);
    }
    return false;
}

static void pay_stops(struct pool *pool, struct outbox *outbox) {
    unsigned paid = 0;

    for (uint32_t i = 0; pool->n_owed > 0 && paid < STOPS_AT_ONCE; i++)
        if (pool->seats[i]->owed) {
            pool->seats[i]->owed = false;
            pool->n_owed--;
            outbox_push(outbox, ACTION_FEED, i)->event = EVENT_STOP;
            paid++;
        }
}

void pool_roll_on(struct pool *pool, struct outbox *outbox) {
    pay_stops(pool, outbox);
    bool begun = pool->n_owed == 0 && may_begin(pool) && begin_next(pool, outbox);
    begun |= end_rolls(pool, outbox);
    if (pool->n_owed > 0 || (begun && may_begin(pool)))
        outbox_push(outbox, ACTION_ROLL_ON, 0);
}

/* The replacement serves: it takes the place, and the old holder goes. */
static void promote(struct pool *pool, uint32_t index, struct outbox *outbox) {
    struct seat *seat = pool->seats[index];
    struct place *place = &pool->places[seat->worker.number];
    uint32_t old = place->holder;
    struct worker *before = &pool->seats[old]->worker;

    seat->worker.once = false;
    seat->worker.past = MAX(before->generation, before->past);
    seat->worker.restarts = before->restarts;
    seat->worker.was_up = true;
    pool->ledger.ever_up++;
    before->restarts = 0;
    pool->seats[old]->extra = seat->extra; /* from now on the old one is one too many */
    seat->extra = false;
    place->holder = index;
    place->replacement = SEAT_NONE;
    pool_set_role(pool, seat, SEAT_HOLDER);
    pool_retire(pool, old);
    if (pool->seats[old]->role == SEAT_RETIRING)
        outbox_push(outbox, ACTION_FEED, old)->event = EVENT_STOP;
    finish(pool, place);
}

static void follow_replacement(struct pool *pool, uint32_t index, struct outbox *outbox) {
    const struct worker *worker = &pool->seats[index]->worker;
    struct place *place = &pool->places[worker->number];

    if (worker->state == WORKER_READY)
        promote(pool, index, outbox);
    if (worker->state <= WORKER_READY) /* stopped: not yet begun */
        return;
    place->replacement = SEAT_NONE;
    pool_retire(pool, index);
    if (place->rolled && !place->due)
        fail(pool, worker->number, outbox);
}

/* What a change of the worker that is being restarted in its place means. */
static void follow_in_place(struct pool *pool, const struct worker *worker, struct outbox *outbox) {
    bool replaced = worker->generation != pool->generation;

    if ((worker->state == WORKER_READY && replaced) || worker->state == WORKER_DONE ||
        !worker->wanted) {
        watch(pool, SEAT_NONE);
        finish(pool, &pool->places[worker->number]);
    } else if (worker->state == WORKER_FAILED || (worker->state == WORKER_BACKOFF && replaced)) {
        watch(pool, SEAT_NONE);
        if (pool->places[worker->number].rolled)
            fail(pool, worker->number, outbox);
    }
}

static void follow_holder(struct pool *pool, uint32_t index, struct outbox *outbox) {
    struct worker *worker = &pool->seats[index]->worker;
    struct place *place = &pool->places[worker->number];

    if (worker->number == pool->current)
        follow_in_place(pool, worker, outbox);
    if (worker->aged && !place->due && place->replacement == SEAT_NONE &&
        pool->current != worker->number)
        make_due(pool, place, "age");
    worker->aged = false;
    if (worker->state == WORKER_DONE && place->replacement != SEAT_NONE) {
        cancel_replacement(pool, place);
        pool_pass_over(pool, worker->number);
    }
}

void pool_roll_follow(struct pool *pool, uint32_t index, struct outbox *outbox) {
    switch (pool->seats[index]->role) {
    case SEAT_HOLDER:
        follow_holder(pool, index, outbox);
        break;
    case SEAT_REPLACEMENT:
        follow_replacement(pool, index, outbox);
        break;
    case SEAT_FREE:
    case SEAT_RETIRING:
        break;
    }
}

void pool_roll_overrule(struct pool *pool, uint32_t index) {
    const struct seat *seat = pool->seats[index];
    struct place *place = &pool->places[seat->worker.number];

    if (seat->role == SEAT_REPLACEMENT) {
        place->replacement = SEAT_NONE;
        pool_retire(pool, index);
        finish(pool, place);
    } else if (seat->role == SEAT_HOLDER && seat->worker.number != pool->current) {
        cancel_replacement(pool, place);
        pool_pass_over(pool, seat->worker.number);
    }
}
