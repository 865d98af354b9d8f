/* SPDX-License-Identifier: MIT */

/* Replacements beside the holder, growing and shrinking; processes do at once what is expected. */

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>

#include "base/macro.h"
#include "core/pool.h"

#define SEATS 32

struct fixture {
    struct pool pool;
    struct seat seats[SEATS];
    struct seat *pointers[SEATS];
    struct place places[SEATS];
    nsec_t now;
    pid_t last_pid;
    unsigned reports[REPORT_MAX];
    uint32_t failed; /* the worker of the last ROLL_FAILED */
};

static void feed(struct fixture *f, uint32_t seat, struct worker_event event);

static void apply(struct fixture *f, const struct outbox *outbox);

static void roll_on(struct fixture *f) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_on(&f->pool, &outbox);
    apply(f, &outbox);
}

static void apply(struct fixture *f, const struct outbox *outbox) {
    for (uint32_t i = 0; i < outbox->count; i++) {
        const struct action *action = &outbox->actions[i];

        if (action->kind == ACTION_REPORT) {
            f->reports[action->report.kind]++;
            if (action->report.kind == REPORT_ROLL_FAILED)
                f->failed = action->report.worker;
        } else if (action->kind == ACTION_FEED)
            feed(f, action->worker,
                (struct worker_event){.kind = (enum worker_event_kind)action->event});
        else if (action->kind == ACTION_SPAWN)
            feed(f, action->worker,
                (struct worker_event){.kind = EVENT_SPAWNED, .pid = ++f->last_pid});
    }
    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_ROLL_ON)
            roll_on(f);
}

static void feed(struct fixture *f, uint32_t seat, struct worker_event event) {
    struct outbox outbox;

    outbox.count = 0;
    event.now = f->now;
    event.generation = f->seats[seat].worker.generation;
    event.token = f->seats[seat].worker.token;
    pool_step(&f->pool, seat, &event, &outbox);
    apply(f, &outbox);
}

static void tell(struct fixture *f, uint32_t seat, enum worker_event_kind kind) {
    feed(f, seat, (struct worker_event){.kind = kind, .cause = {.kind = CAUSE_EXIT, .value = 1}});
}

/* A retiring or stopping one does what it was asked. */
static void go(struct fixture *f, uint32_t seat) {
    cr_assert_eq(f->seats[seat].worker.state, WORKER_STOPPING, "seat %u is %s", seat,
        worker_state_name(f->seats[seat].worker.state));
    feed(f, seat,
        (struct worker_event){
            .kind = EVENT_EXITED, .cause = {.kind = CAUSE_SIGNAL, .value = SIGTERM}});
    tell(f, seat, EVENT_TREE_GONE);
}

static void resize(struct fixture *f, uint32_t n) {
    uint32_t before = f->pool.n_places;

    cr_assert_leq(pool_seats_for(&f->pool, n), SEATS);
    if (pool_seats_for(&f->pool, n) > f->pool.n_seats)
        pool_give(&f->pool, f->pointers, pool_seats_for(&f->pool, n), f->places);
    pool_resize(&f->pool, n);
    for (uint32_t i = 0; i < f->pool.n_seats; i++)
        if (f->seats[i].role == SEAT_RETIRING)
            tell(f, i, EVENT_STOP);
    for (uint32_t i = before; i < n; i++)
        tell(f, f->places[i].holder, EVENT_START);
    roll_on(f);
}

static struct fixture *fixture_of(uint32_t n, uint32_t surge, struct worker_rules rules) {
    static struct fixture f;

    f = (struct fixture){.now = NSEC_PER_SEC};
    for (uint32_t i = 0; i < SEATS; i++)
        f.pointers[i] = &f.seats[i];
    rules.restart.mode = RESTART_ON_FAILURE;
    pool_init(&f.pool, &rules, surge, 1);
    resize(&f, n);
    for (uint32_t i = 0; i < n; i++)
        tell(&f, f.places[i].holder, EVENT_READY);
    cr_assert_eq(pool_ready(&f.pool), n);
    return &f;
}

static struct fixture *fixture(uint32_t n, uint32_t surge) {
    return fixture_of(n, surge, worker_rules_default());
}

static void roll(struct fixture *f) {
    struct outbox outbox;

    outbox.count = 0;
    cr_assert_eq(pool_roll(&f->pool, &outbox), 0);
    apply(f, &outbox);
}

static unsigned count(const struct fixture *f, enum seat_role role) {
    unsigned n = 0;

    for (uint32_t i = 0; i < f->pool.n_seats; i++)
        n += f->seats[i].role == role;
    return n;
}

Test(seats, a_replacement_takes_over_when_it_is_ready)
{
    struct fixture *f = fixture(3, 1);

    roll(f);
    for (uint32_t number = 0; number < 3; number++) {
        uint32_t old = f->places[number].holder, new = f->places[number].replacement;

        cr_assert_neq(new, SEAT_NONE);
        cr_assert_eq(f->seats[new].worker.number, number);
        cr_assert_eq(pool_ready(&f->pool), 3);
        tell(f, new, EVENT_READY);
        cr_assert_eq(f->places[number].holder, new);
        cr_assert_eq(f->seats[old].role, SEAT_RETIRING);
        cr_assert_eq(pool_ready(&f->pool), 3);
        cr_assert_eq(count(f, SEAT_REPLACEMENT), 0, "one too many is enough");
        go(f, old);
        cr_assert_neq(f->seats[old].role, SEAT_RETIRING);
    }
    cr_assert_not(pool_rolling(&f->pool));
    cr_assert_eq(pool_roll_result(&f->pool), ROLL_DONE);
    cr_assert_eq(f->reports[REPORT_REPLACING], 3);
    cr_assert_eq(f->pool.ledger.ever_up, 3);
    for (uint32_t number = 0; number < 3; number++)
        cr_assert_eq(pool_holder(&f->pool, number)->generation, 2);
}

Test(seats, at_most_surge_at_once)
{
    struct fixture *f = fixture(10, 3);

    roll(f);
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 3);
    tell(f, f->places[1].replacement, EVENT_READY);
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 2);
    cr_assert_eq(count(f, SEAT_RETIRING), 1);
    for (uint32_t i = 0; i < f->pool.n_seats; i++)
        if (f->seats[i].role == SEAT_RETIRING) {
            go(f, i);
            break;
        }
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 3);
}

Test(seats, a_failed_replacement_leaves_the_old_ones)
{
    struct fixture *f = fixture(5, 3);
    uint32_t holders[5];

    for (int i = 0; i < 5; i++)
        holders[i] = f->places[i].holder;
    roll(f);
    uint32_t others[] = {f->places[0].replacement, f->places[2].replacement};
    tell(f, f->places[1].replacement, EVENT_EXITED);
    cr_assert_not(pool_rolling(&f->pool));
    cr_assert_eq(pool_roll_result(&f->pool), ROLL_FAILED);
    cr_assert_eq(f->failed, 1);
    cr_assert_eq(pool_ready(&f->pool), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(f->places[i].holder, holders[i]);
    go(f, others[0]);
    go(f, others[1]);
    cr_assert_eq(count(f, SEAT_RETIRING), 0);
    cr_assert_eq(f->pool.n_extra, 0);
    roll(f); /* and it may be tried again */
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 3);
}

Test(seats, a_roll_under_way_is_busy)
{
    struct fixture *f = fixture(2, 1);
    struct outbox outbox = {0};

    roll(f);
    cr_assert_eq(pool_roll(&f->pool, &outbox), -EBUSY);
    pool_roll_again(&f->pool);
    for (int i = 0; i < 4; i++) {
        uint32_t number = (uint32_t)i % 2, old = f->places[number].holder;

        tell(f, f->places[number].replacement, EVENT_READY);
        go(f, old);
    }
    cr_assert_not(pool_rolling(&f->pool));
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 2);
}

Test(seats, a_cancelled_roll_stops_what_it_began)
{
    struct fixture *f = fixture(10, 8);
    struct outbox outbox = {0};

    roll(f);
    pool_roll_cancel(&f->pool, &outbox);
    apply(f, &outbox);
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 0);
    cr_assert_eq(count(f, SEAT_RETIRING), 8);
    for (uint32_t i = 0; i < f->pool.n_seats; i++)
        if (f->seats[i].role == SEAT_RETIRING)
            go(f, i);
    cr_assert_eq(pool_roll_result(&f->pool), ROLL_NONE);
    cr_assert_eq(pool_alive(&f->pool), 10);
}

Test(seats, a_restart_by_hand_makes_the_replacement_needless)
{
    struct fixture *f = fixture(1, 1);

    roll(f);
    uint32_t replacement = f->places[0].replacement;
    tell(f, f->places[0].holder, EVENT_RESTART);
    cr_assert_eq(f->places[0].replacement, SEAT_NONE);
    cr_assert_not(pool_rolling(&f->pool));
    go(f, replacement);
    go(f, f->places[0].holder);
    tell(f, f->places[0].holder, EVENT_READY);
    cr_assert_eq(pool_ready(&f->pool), 1);
}

Test(seats, the_holder_lives_by_its_own_rules_meanwhile)
{
    struct fixture *f = fixture(1, 1);

    roll(f);
    uint32_t old = f->places[0].holder;
    tell(f, old, EVENT_EXITED);
    cr_assert_eq(f->seats[old].worker.state, WORKER_STARTING);
    tell(f, old, EVENT_EXITED);
    cr_assert_eq(f->seats[old].worker.state, WORKER_BACKOFF);
    tell(f, f->places[0].replacement, EVENT_READY);
    cr_assert_eq(f->seats[old].worker.state, WORKER_DRAINING); /* a backoff is over at once */
    tell(f, old, EVENT_TREE_GONE);
    cr_assert_eq(f->seats[old].role, SEAT_FREE);
    cr_assert_eq(pool_holder(&f->pool, 0)->restarts, 2);
    uint32_t past = f->seats[old].worker.generation;
    tell(f, f->places[0].holder, EVENT_EXITED);
    cr_assert_gt(pool_holder(&f->pool, 0)->generation, past);
}

Test(seats, old_age_is_replaced_and_a_failure_of_that_is_nobodys)
{
    struct worker_rules rules = worker_rules_default();

    rules.recycle_after = 60 * NSEC_PER_SEC;
    struct fixture *f = fixture_of(2, 1, rules);
    f->now += 60 * NSEC_PER_SEC;
    tell(f, f->places[0].holder, EVENT_TIMER);
    tell(f, f->places[1].holder, EVENT_TIMER); /* has to wait */
    cr_assert_eq(count(f, SEAT_REPLACEMENT), 1);
    tell(f, f->places[0].replacement, EVENT_EXITED);
    cr_assert_eq(f->places[0].replacement, SEAT_NONE);
    cr_assert_neq(f->places[1].replacement, SEAT_NONE);
    uint32_t old = f->places[1].holder;
    tell(f, f->places[1].replacement, EVENT_READY);
    go(f, old);
    cr_assert_eq(f->reports[REPORT_ROLL_FAILED], 0);
    cr_assert_eq(pool_ready(&f->pool), 2);
    cr_assert_eq(f->pool.n_due, 0);
    f->now += 60 * NSEC_PER_SEC; /* due once more */
    tell(f, f->places[0].holder, EVENT_TIMER);
    cr_assert_neq(f->places[0].replacement, SEAT_NONE);
}

Test(seats, recycles_in_place_without_a_surge)
{
    struct fixture *f = fixture(3, 0);
    struct outbox outbox = {0};

    pool_recycle(&f->pool, 1, "memory", &outbox);
    apply(f, &outbox);
    outbox.count = 0;
    pool_recycle(&f->pool, 2, "memory", &outbox);
    apply(f, &outbox);
    cr_assert_eq(pool_ready(&f->pool), 2);
    go(f, f->places[1].holder);
    tell(f, f->places[1].holder, EVENT_READY);
    cr_assert_eq(pool_holder(&f->pool, 2)->state, WORKER_STOPPING);
}

Test(scale, grows_and_shrinks_from_the_top)
{
    struct fixture *f = fixture(2, 0);

    resize(f, 4);
    for (uint32_t i = 2; i < 4; i++)
        tell(f, f->places[i].holder, EVENT_READY);
    cr_assert_eq(pool_ready(&f->pool), 4);
    uint32_t top = f->places[3].holder, next = f->places[2].holder;
    resize(f, 2);
    cr_assert_eq(pool_ready(&f->pool), 2);
    go(f, top);
    go(f, next);
    cr_assert_eq(count(f, SEAT_FREE), 2);
    cr_assert_eq(pool_alive(&f->pool), 2);
    cr_assert_eq(f->pool.ledger.ever_up, 2);
}

Test(scale, a_number_that_comes_back_is_not_doubled)
{
    struct fixture *f = fixture(3, 1);
    uint32_t old = f->places[2].holder;

    resize(f, 2);
    cr_assert_eq(f->seats[old].role, SEAT_RETIRING);
    resize(f, 3);
    cr_assert_eq(f->places[2].holder, old);
    cr_assert_eq(f->seats[old].role, SEAT_HOLDER);
    go(f, old);
    cr_assert_eq(f->seats[old].worker.state, WORKER_STARTING);
    cr_assert_eq(pool_alive(&f->pool), 3);
}

Test(scale, takes_a_replacement_along)
{
    struct fixture *f = fixture(2, 2);

    roll(f);
    uint32_t replacement = f->places[1].replacement, holder = f->places[1].holder;
    resize(f, 1);
    go(f, replacement);
    go(f, holder);
    holder = f->places[0].holder;
    tell(f, f->places[0].replacement, EVENT_READY);
    go(f, holder);
    cr_assert_eq(pool_roll_result(&f->pool), ROLL_DONE);
    cr_assert_eq(pool_alive(&f->pool), 1);
}

/* The roll has yet to come to worker 2, which has ended meanwhile and leaves nothing to wait for.
 */
Test(scale, takes_what_the_roll_waits_for_along)
{
    struct fixture *f = fixture(3, 0);
    struct outbox outbox = {0};

    roll(f);
    tell(f, f->places[1].holder, EVENT_RESTART); /* by hand: the roll passes over it */
    pool_recycle(&f->pool, 1, "memory", &outbox);
    apply(f, &outbox);
    feed(f, f->places[2].holder,
        (struct worker_event){.kind = EVENT_EXITED, .cause = {.kind = CAUSE_EXIT}});
    tell(f, f->places[0].holder, EVENT_STOP); /* now it is the turn of worker 1 */
    cr_assert(pool_rolling(&f->pool));
    resize(f, 2);
    cr_assert_not(pool_rolling(&f->pool));
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 1);
}

Test(scale, to_nothing_ends_the_pool)
{
    struct fixture *f = fixture(2, 0);

    resize(f, 0);
    go(f, 0);
    cr_assert_eq(f->reports[REPORT_ENDED], 0);
    go(f, 1);
    cr_assert_eq(f->reports[REPORT_ENDED], 1);
    cr_assert_eq(pool_exit_status(&f->pool), 0);
    resize(f, 2);
    cr_assert_eq(pool_alive(&f->pool), 2);
}
