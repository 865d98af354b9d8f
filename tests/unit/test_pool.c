/* SPDX-License-Identifier: MIT */

/* A pool with a shell of a few lines that does at once what it is asked. */

#include <criterion/criterion.h>

#include <signal.h>

#include "base/macro.h"
#include "core/pool.h"

#define WORKERS 4

struct fixture {
    struct pool pool;
    struct seat seats[WORKERS];
    struct seat *pointers[WORKERS];
    struct place places[WORKERS];
    nsec_t now;
    unsigned reports[REPORT_MAX];
    unsigned ended, shut_down;
};

static void feed(struct fixture *f, uint32_t number, struct worker_event event);

static struct fixture *fixture_of(uint32_t n, struct worker_rules rules) {
    static struct fixture f;

    f = (struct fixture){.now = NSEC_PER_SEC};
    rules.restart.mode = RESTART_ON_FAILURE;
    pool_init(&f.pool, &rules, 0, 1);
    for (uint32_t i = 0; i < n; i++)
        f.pointers[i] = &f.seats[i];
    pool_give(&f.pool, f.pointers, n, f.places);
    pool_resize(&f.pool, n);
    return &f;
}

/* Without backoff. */
static struct worker_rules rules_of(uint64_t max_restarts) {
    struct worker_rules rules = worker_rules_default();

    rules.backoff = (struct backoff_rules){0};
    rules.max_restarts = max_restarts;
    return rules;
}

static struct fixture *fixture(void) {
    return fixture_of(WORKERS, rules_of(UINT64_MAX));
}

static void feed_all(struct fixture *f, enum worker_event_kind kind) {
    for (uint32_t i = 0; i < f->pool.n_places; i++)
        feed(f, i, (struct worker_event){.kind = kind});
}

static void apply(struct fixture *f, const struct outbox *outbox);

static void roll_on(struct fixture *f) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_on(&f->pool, &outbox);
    apply(f, &outbox);
}

static void apply(struct fixture *f, const struct outbox *outbox) {
    const struct action *spawn = NULL;

    for (uint32_t i = 0; i < outbox->count; i++) {
        const struct action *action = &outbox->actions[i];

        if (action->kind == ACTION_SPAWN)
            spawn = action;
        else if (action->kind == ACTION_REPORT)
            f->reports[action->report.kind]++;
        else if (action->kind == ACTION_BROADCAST)
            feed_all(f, (enum worker_event_kind)action->event);
        else if (action->kind == ACTION_FEED)
            feed(f, action->worker,
                (struct worker_event){.kind = (enum worker_event_kind)action->event});
        f->ended += action->kind == ACTION_ENDED;
        f->shut_down += action->kind == ACTION_SHUT_DOWN;
    }
    if (spawn)
        feed(f, spawn->worker, (struct worker_event){.kind = EVENT_SPAWNED, .pid = 1});
    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_ROLL_ON)
            roll_on(f);
}

static void feed(struct fixture *f, uint32_t number, struct worker_event event) {
    struct outbox outbox;

    outbox.count = 0;
    event.now = f->now;
    pool_step(&f->pool, number, &event, &outbox);
    apply(f, &outbox);
}

static void ready(struct fixture *f, uint32_t number) {
    feed(f, number,
        (struct worker_event){
            .kind = EVENT_READY, .generation = f->seats[number].worker.generation});
}

static void ends(struct fixture *f, uint32_t number, enum cause_kind kind, int value) {
    feed(f, number,
        (struct worker_event){
            .kind = EVENT_EXITED,
            .generation = f->seats[number].worker.generation,
            .cause = {.kind = kind, .value = value},
        });
}

static void timer(struct fixture *f, uint32_t number) {
    feed(f, number,
        (struct worker_event){.kind = EVENT_TIMER, .token = f->seats[number].worker.token});
}

static void gone(struct fixture *f, uint32_t number) {
    feed(f, number,
        (struct worker_event){
            .kind = EVENT_TREE_GONE, .generation = f->seats[number].worker.generation});
}

/* What a worker does that was asked to stop. */
static void obey(struct fixture *f, uint32_t number) {
    cr_assert_eq(f->seats[number].worker.state, WORKER_STOPPING, "worker %u is %s", number,
        worker_state_name(f->seats[number].worker.state));
    ends(f, number, CAUSE_SIGNAL, SIGTERM);
    gone(f, number);
}

static void roll(struct fixture *f) {
    struct outbox outbox;

    outbox.count = 0;
    if (pool_roll(&f->pool, &outbox) < 0)
        pool_roll_again(&f->pool);
    apply(f, &outbox);
}

static void cancel(struct fixture *f) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_cancel(&f->pool, &outbox);
    apply(f, &outbox);
}

static void start_all(struct fixture *f) {
    feed_all(f, EVENT_START);
    for (uint32_t i = 0; i < f->pool.n_places; i++)
        ready(f, i);
}

/* Which worker is not ready; there is one at the most in a roll. */
static int away(const struct fixture *f) {
    int number = -1;

    for (uint32_t i = 0; i < f->pool.n_places; i++)
        if (f->seats[i].worker.state != WORKER_READY) {
            cr_assert_eq(number, -1, "workers %d and %u are away at once", number, i);
            number = (int)i;
        }
    return number;
}

Test(pool, ends_when_the_last_worker_has)
{
    struct fixture *f = fixture();

    cr_assert(f->pool.ended);
    start_all(f);
    cr_assert_not(f->pool.ended);
    cr_assert_eq(pool_alive(&f->pool), WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        cr_assert_eq(f->ended, 0);
        ends(f, i, CAUSE_EXIT, 0);
        cr_assert_eq(pool_alive(&f->pool), WORKERS - 1 - i);
    }
    cr_assert(f->pool.ended);
    cr_assert_eq(f->ended, 1);
    cr_assert_eq(f->reports[REPORT_ENDED], 1);
    cr_assert_eq(pool_exit_status(&f->pool), 0);
    gone(f, 0);
    cr_assert_eq(f->ended, 1);
    feed_all(f, EVENT_START);
    cr_assert_not(f->pool.ended);
}

Test(pool, rolls_one_after_another)
{
    struct fixture *f = fixture();

    start_all(f);
    roll(f);
    for (int i = 0; i < WORKERS; i++) {
        cr_assert_eq(away(f), i);
        obey(f, (uint32_t)i);
        cr_assert_eq(f->seats[i].worker.state, WORKER_STARTING);
        cr_assert_eq(away(f), i, "a process that is not ready does not let the roll go on");
        ready(f, (uint32_t)i);
    }
    cr_assert_eq(away(f), -1);
    cr_assert_not(f->pool.rolling);
    cr_assert_eq(f->reports[REPORT_ROLLING], 1);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 1);
    for (int i = 0; i < WORKERS; i++)
        cr_assert_eq(f->seats[i].worker.generation, 2);
    cr_assert_eq(f->pool.ledger.restarts, 0);
}

Test(pool, readiness_of_the_old_process_does_not_move_a_roll)
{
    struct fixture *f = fixture();

    feed_all(f, EVENT_START);
    roll(f);
    feed(f, 0, (struct worker_event){.kind = EVENT_READY, .generation = 1});
    cr_assert_eq(f->seats[0].worker.state, WORKER_STOPPING);
    cr_assert_eq(f->seats[1].worker.state, WORKER_STARTING);
    obey(f, 0);
    feed(f, 0, (struct worker_event){.kind = EVENT_READY, .generation = 1});
    cr_assert_eq(f->seats[1].worker.state, WORKER_STARTING);
    ready(f, 0);
    cr_assert_eq(f->seats[1].worker.state, WORKER_STOPPING);
}

/* What failed is tried again, with the rules that there are once the roll has failed. */
static void check_roll_failed(struct fixture *f) {
    cr_assert_not(f->pool.rolling);
    cr_assert_eq(f->reports[REPORT_ROLL_FAILED], 1);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 0);
    cr_assert_eq(f->seats[0].worker.state, WORKER_BACKOFF);
    cr_assert_eq(f->seats[0].worker.timer, f->now);
    timer(f, 0);
    cr_assert_eq(f->seats[0].worker.generation, 3);
    cr_assert_not(f->seats[0].worker.watched);
    for (uint32_t i = 1; i < WORKERS; i++)
        cr_assert_eq(f->seats[i].worker.generation, 1);
}

Test(pool, a_failed_replacement_ends_the_roll)
{
    struct fixture *f = fixture();

    start_all(f);
    roll(f);
    obey(f, 0);
    ends(f, 0, CAUSE_EXIT, 1);
    check_roll_failed(f);
}

/* One that runs for a while before it fails is tried again at once, for ever, with any backoff. */
Test(pool, a_start_that_times_out_ends_the_roll)
{
    struct worker_rules rules = worker_rules_default();

    rules.start_timeout = 5 * NSEC_PER_SEC;
    struct fixture *f = fixture_of(WORKERS, rules);
    start_all(f);
    roll(f);
    obey(f, 0);
    f->now += rules.start_timeout;
    timer(f, 0);
    cr_assert(f->pool.rolling);
    obey(f, 0);
    check_roll_failed(f);
}

/* A restart by hand is nobody's failure. */
Test(pool, a_restart_by_hand_does_not_end_the_roll)
{
    struct fixture *f = fixture();

    start_all(f);
    roll(f);
    obey(f, 0);
    feed(f, 0, (struct worker_event){.kind = EVENT_RESTART});
    obey(f, 0);
    cr_assert_eq(f->seats[0].worker.generation, 3);
    cr_assert(f->pool.rolling);
    ready(f, 0);
    cr_assert_eq(away(f), 1);
}

Test(pool, a_roll_asked_for_in_the_middle_comes_after)
{
    struct fixture *f = fixture();

    start_all(f);
    roll(f);
    roll(f);
    roll(f);
    for (uint32_t round = 2; round <= 3; round++)
        for (uint32_t i = 0; i < WORKERS; i++) {
            obey(f, i);
            ready(f, i);
            cr_assert_eq(f->seats[i].worker.generation, round);
        }
    cr_assert_not(f->pool.rolling);
    cr_assert_eq(f->reports[REPORT_ROLLING], 2);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 2);
}

Test(pool, a_roll_passes_over_who_is_not_alive_or_not_wanted)
{
    struct fixture *f = fixture();

    start_all(f);
    ends(f, 0, CAUSE_EXIT, 0);
    feed(f, 1, (struct worker_event){.kind = EVENT_STOP});
    roll(f);
    cr_assert_eq(f->seats[2].worker.state, WORKER_STOPPING);
    feed(f, 2, (struct worker_event){.kind = EVENT_STOP}); /* whose turn it is is stopped */
    cr_assert_eq(f->seats[3].worker.state, WORKER_STOPPING);
    obey(f, 3);
    ends(f, 3, CAUSE_EXIT, 0); /* done before it was ready */
    cr_assert_not(f->pool.rolling);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 1);
    cr_assert_eq(f->seats[0].worker.state, WORKER_DONE);
    cr_assert_eq(f->seats[1].worker.generation, 1);
}

Test(pool, a_roll_of_nobody_is_done_at_once)
{
    struct fixture *f = fixture();

    roll(f);
    cr_assert_not(f->pool.rolling);
    cr_assert_eq(f->reports[REPORT_ROLLING], 1);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 1);
}

Test(pool, a_cancelled_roll_says_nothing_more)
{
    struct fixture *f = fixture();

    start_all(f);
    roll(f);
    roll(f);
    cancel(f);
    obey(f, 0);
    ready(f, 0);
    cr_assert_eq(away(f), -1);
    cr_assert_eq(f->reports[REPORT_ROLL_DONE], 0);
    cr_assert_eq(f->reports[REPORT_ROLLING], 1);
}

Test(pool, used_up_restarts_stop_the_siblings)
{
    struct fixture *f = fixture_of(WORKERS, rules_of(3));

    start_all(f);
    for (int i = 0; i < 3; i++)
        ends(f, (uint32_t)i, CAUSE_EXIT, 1); /* over the whole pool */
    cr_assert_eq(pool_alive(&f->pool), WORKERS);
    ends(f, 3, CAUSE_EXIT, 1);
    cr_assert_eq(f->seats[3].worker.state, WORKER_FAILED);
    cr_assert_eq(f->reports[REPORT_RESTART_LIMIT], 1);
    for (uint32_t i = 0; i < 3; i++)
        obey(f, i);
    cr_assert_eq(f->ended, 1);
    cr_assert_eq(pool_exit_status(&f->pool), POOL_EXHAUSTED);
}

/* Started again by hand after that, it has its restarts back, and using them up means as much. */
Test(pool, a_new_run_counts_its_restarts_anew)
{
    struct fixture *f = fixture_of(2, rules_of(1));

    for (unsigned run = 1; run <= 2; run++) {
        start_all(f);
        ends(f, 0, CAUSE_EXIT, 1);
        cr_assert_eq(pool_alive(&f->pool), 2);
        ends(f, 0, CAUSE_EXIT, 1);
        cr_assert_eq(f->reports[REPORT_RESTART_LIMIT], run);
        obey(f, 1);
        cr_assert_eq(f->ended, run);
    }
}

Test(pool, exit_status_of_many)
{
    struct fixture *f = fixture();

    start_all(f);
    feed_all(f, EVENT_STOP);
    for (uint32_t i = 0; i < WORKERS; i++)
        obey(f, i);
    cr_assert_eq(pool_exit_status(&f->pool), 0);

    start_all(f);
    feed_all(f, EVENT_KILL);
    for (uint32_t i = 0; i < WORKERS; i++) {
        ends(f, i, CAUSE_SIGNAL, SIGKILL);
        gone(f, i);
    }
    cr_assert_eq(pool_exit_status(&f->pool), POOL_UNCLEAN);
}

/* A single worker's own status is the pool's. */
Test(pool, exit_status_of_one)
{
    static const struct {
        struct cause cause;
        int status;
    } ends_of_one[] = {
        {{.kind = CAUSE_EXIT, .value = 0}, 0},
        {{.kind = CAUSE_EXIT, .value = 42}, 42},
        {{.kind = CAUSE_SIGNAL, .value = SIGSEGV}, 139},
        {{.kind = CAUSE_CORE, .value = SIGABRT}, 134},
        {{.kind = CAUSE_EXEC, .status = 127, .value = 2}, 127},
        {{.kind = CAUSE_LOST}, 125},
    };

    for (size_t i = 0; i < ELEMENTS(ends_of_one); i++) {
        struct fixture *f = fixture_of(1, rules_of(0));

        start_all(f);
        feed(f, 0,
            (struct worker_event){
                .kind = EVENT_EXITED, .generation = 1, .cause = ends_of_one[i].cause});
        cr_assert(f->pool.ended);
        cr_assert_eq(pool_exit_status(&f->pool), ends_of_one[i].status, "%zu: %d", i,
            pool_exit_status(&f->pool));
    }
}

Test(pool, the_same_seed_gives_the_same_jitter)
{
    nsec_t deadlines[3];

    for (int i = 0; i < 3; i++) {
        struct fixture *f = fixture_of(1, worker_rules_default());
        struct outbox outbox = {0};

        f->pool.ledger.random.state = i < 2 ? 1 : 2;
        start_all(f);
        ends(f, 0, CAUSE_EXIT, 1);
        pool_step(&f->pool, 0,
            &(struct worker_event){.kind = EVENT_EXITED,
                .generation = 2,
                .now = f->now,
                .cause = {.kind = CAUSE_EXIT, .value = 1}},
            &outbox);
        cr_assert_eq(outbox.actions[1].kind, ACTION_SET_TIMER);
        deadlines[i] = outbox.actions[1].timer.when;
    }
    cr_assert_eq(deadlines[0], deadlines[1]);
    cr_assert_neq(deadlines[0], deadlines[2]);
}
