/* SPDX-License-Identifier: MIT */
#include "core/pool.h"

#include "core/pool_internal.h"

void pool_init(struct pool *pool, const struct worker_rules *rules, uint32_t surge, uint64_t seed) {
    *pool = (struct pool){
        .rules = *rules,
        .ledger = {.random = {seed}},
        .surge = surge,
        .ended = true,
        .free = SEAT_NONE,
        .current = SEAT_NONE,
    };
}

static bool is_alive(const struct seat *seat) {
    return worker_state_is_alive(seat->worker.state);
}

static bool is_up(const struct pool *pool, const struct seat *seat) {
    return seat->role == SEAT_HOLDER &&
           (seat->worker.state == WORKER_READY ||
               (pool->rules.oneshot && seat->worker.state == WORKER_DONE));
}

void pool_set_rules(struct pool *pool, const struct worker_rules *rules, uint32_t surge) {
    pool->rules = *rules;
    pool->surge = surge;
    pool->n_ready = 0;
    for (uint32_t i = 0; i < pool->n_seats; i++)
        pool->n_ready += is_up(pool, pool->seats[i]);
}

uint32_t pool_alive(const struct pool *pool) {
    uint32_t alive = 0;

    for (int state = 0; state < WORKER_STATE_MAX; state++)
        if (worker_state_is_alive((enum worker_state)state))
            alive += pool->ledger.states[state];
    return alive;
}

uint32_t pool_ready(const struct pool *pool) {
    return pool->n_ready;
}

const struct worker *pool_holder(const struct pool *pool, uint32_t place) {
    return &pool->seats[pool->places[place].holder]->worker;
}

/* Seats and places. */

void pool_set_role(struct pool *pool, struct seat *seat, enum seat_role role) {
    pool->n_ready -= is_up(pool, seat);
    seat->role = role;
    pool->n_ready += is_up(pool, seat);
}

static void put_free(struct pool *pool, uint32_t index) {
    pool->seats[index]->role = SEAT_FREE;
    pool->seats[index]->next = pool->free;
    pool->free = index;
}

uint32_t pool_take_seat(struct pool *pool, uint32_t number, enum seat_role role) {
    uint32_t index = pool->free;

    assert(index != SEAT_NONE);
    struct seat *seat = pool->seats[index];
    pool->free = seat->next;
    worker_init(&seat->worker, number, index, &pool->ledger);
    pool_set_role(pool, seat, role);
    return index;
}

static void forget_debt(struct pool *pool, struct seat *seat) {
    pool->n_owed -= seat->owed;
    seat->owed = false;
}

static void forget_extra(struct pool *pool, struct seat *seat) {
    pool->n_extra -= seat->extra;
    seat->extra = false;
}

/* One that retires is counted while it is alive, and free when it holds no process either. */
static void settle(struct pool *pool, uint32_t index) {
    struct seat *seat = pool->seats[index];

    if (seat->role != SEAT_RETIRING || is_alive(seat))
        return;
    forget_extra(pool, seat);
    if (seat->worker.pid != 0)
        return;
    forget_debt(pool, seat);
    pool->ledger.states[seat->worker.state]--;
    put_free(pool, index);
}

void pool_retire(struct pool *pool, uint32_t index) {
    struct seat *seat = pool->seats[index];

    pool->ledger.ever_up -= seat->worker.was_up;
    seat->worker.was_up = false;
    pool_set_role(pool, seat, SEAT_RETIRING);
    settle(pool, index);
}

uint32_t pool_seats_for(const struct pool *pool, uint32_t n_places) {
    uint32_t needed = n_places + pool->surge;

    for (uint32_t i = 0; i < pool->n_seats; i++)
        needed += pool->seats[i]->role == SEAT_RETIRING;
    return needed > pool->n_seats ? needed : pool->n_seats;
}

void pool_give(struct pool *pool, struct seat **seats, uint32_t n_seats, struct place *places) {
    uint32_t before = pool->n_seats;

    pool->seats = seats;
    pool->places = places;
    pool->n_seats = n_seats;
    for (uint32_t i = n_seats; i > before; i--)
        put_free(pool, i - 1);
}

static void shrink(struct pool *pool, uint32_t n_places) {
    for (uint32_t i = n_places; i < pool->n_places; i++) {
        struct place *place = &pool->places[i];

        pool_pass_over(pool, i);
        if (place->replacement != SEAT_NONE)
            pool_retire(pool, place->replacement);
        place->replacement = SEAT_NONE;
        pool_retire(pool, place->holder);
    }
    pool->n_places = n_places;
}

/* Of those that still retire from the number, the last to have held it. */
static void call_back(struct pool *pool, uint32_t index) {
    struct place *place = &pool->places[pool->seats[index]->worker.number];

    if (place->holder == SEAT_NONE ||
        pool->seats[place->holder]->worker.generation < pool->seats[index]->worker.generation)
        place->holder = index;
}

static void hold(struct pool *pool, uint32_t number) {
    struct place *place = &pool->places[number];

    if (place->holder == SEAT_NONE) {
        place->holder = pool_take_seat(pool, number, SEAT_HOLDER);
        return;
    }
    struct seat *seat = pool->seats[place->holder];
    forget_extra(pool, seat);
    forget_debt(pool, seat);
    seat->worker.once = false;
    pool_set_role(pool, seat, SEAT_HOLDER);
}

static void grow(struct pool *pool, uint32_t n_places) {
    uint32_t before = pool->n_places;

    for (uint32_t i = before; i < n_places; i++)
        pool->places[i] = (struct place){.holder = SEAT_NONE, .replacement = SEAT_NONE};
    pool->n_places = n_places;
    for (uint32_t i = 0; i < pool->n_seats; i++) {
        const struct seat *seat = pool->seats[i];

        if (seat->role == SEAT_RETIRING && seat->worker.number >= before &&
            seat->worker.number < n_places)
            call_back(pool, i);
    }
    for (uint32_t i = before; i < n_places; i++)
        hold(pool, i);
}

void pool_resize(struct pool *pool, uint32_t n_places) {
    if (n_places < pool->n_places)
        shrink(pool, n_places);
    else
        grow(pool, n_places);
}

/* Steps. */

/* What a command to the whole pool must not do to a seat that is not a holder. */
static bool is_refused(const struct seat *seat, enum worker_event_kind kind) {
    switch (seat->role) {
    case SEAT_FREE:
        return true;
    case SEAT_HOLDER:
        break;
    case SEAT_REPLACEMENT:
        return kind == EVENT_RESTART || kind == EVENT_RELOAD;
    case SEAT_RETIRING:
        return kind == EVENT_RESTART || kind == EVENT_RELOAD || kind == EVENT_START ||
               kind == EVENT_RESET;
    }
    return false;
}

static void check_end(struct pool *pool, uint32_t seat, struct outbox *outbox) {
    bool alive = pool_alive(pool) > 0;

    if (!alive && !pool->ended) {
        pool_report(outbox, REPORT_ENDED, pool->seats[seat]->worker.number);
        outbox_push(outbox, ACTION_ENDED, seat);
    }
    if (alive && pool->ended) {
        /* Started anew: what the last run used up is not counted against this one. */
        pool->ledger.restarts = 0;
        pool->ledger.exhausted = false;
    }
    pool->ended = !alive;
}

void pool_step(
    struct pool *pool, uint32_t index, const struct worker_event *event, struct outbox *outbox) {
    struct seat *seat = pool->seats[index];

    if (is_refused(seat, event->kind))
        return;
    if (event->kind == EVENT_STOP || event->kind == EVENT_RESTART || event->kind == EVENT_KILL)
        pool_roll_overrule(pool, index);
    bool was_up = is_up(pool, seat);
    worker_step(&seat->worker, event, &pool->rules, &pool->ledger, outbox);
    pool->n_ready += (uint32_t)is_up(pool, seat) - was_up;
    pool_roll_follow(pool, index, outbox);
    settle(pool, index);
    pool_roll_check(pool, outbox);
    check_end(pool, index, outbox);
}

int pool_exit_status(const struct pool *pool) {
    bool clean = true;

    for (uint32_t i = 0; i < pool->n_places; i++) {
        const struct worker *worker = pool_holder(pool, i);

        clean = clean && worker->clean && worker->state != WORKER_FAILED;
    }
    if (clean && !pool->ledger.exhausted)
        return 0;
    if (pool->n_places == 1) {
        int status = cause_exit_status(pool_holder(pool, 0)->cause);

        return status != 0 ? status : POOL_UNCLEAN;
    }
    return pool->ledger.exhausted ? POOL_EXHAUSTED : POOL_UNCLEAN;
}
