/* SPDX-License-Identifier: MIT */

/* The contract of timers: order, moving, the bounded turn, and no wake-up without a timer. */

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"

TestSuite(timer, .timeout = FIXTURE_TIMEOUT);

/* A timer that writes itself down, and is never early. */
struct timed {
    struct loop_timer timer;
    struct notes *notes;
};

static void note_in_time(void *data, uint64_t value, nsec_t now) {
    const struct timed *timed = data;

    cr_assert_geq(now, timed->timer.when);
    cr_assert_geq(loop_clock(), now);
    cr_assert_not(loop_timer_is_armed(&timed->timer));
    fixture_note(timed->notes, value, -1, 0);
}

static void timed_set(
    struct loop *loop, struct timed *timed, struct notes *notes, uint64_t value, nsec_t when) {
    timed->notes = notes;
    timed->timer.fn = note_in_time;
    timed->timer.data = timed;
    timed->timer.value = value;
    loop_timer_set(loop, &timed->timer, when);
}

static struct loop_timer note_timer(struct notes *notes, uint64_t value) {
    return (struct loop_timer){.fn = fixture_note_timer, .data = notes, .value = value};
}

/* Turns until `n` callbacks have been noted. */
static void turn_until(struct loop *loop, const struct notes *notes, unsigned n) {
    while (notes->n < n)
        cr_assert_geq(loop_turn(loop, true), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(notes->n, n);
}

/* Leaves the timerfd set to 5 ms from now with nothing due then; returns its deadline. */
static nsec_t timerfd_left_behind(struct loop *loop, struct loop_timer *timer, nsec_t later) {
    nsec_t when;

    do {
        when = loop_clock() + 5 * NSEC_PER_MSEC;
        loop_timer_set(loop, timer, when);
    } while (loop_turn(loop, false) > 0); /* too slow: it has fired */
    loop_timer_set(loop, timer, when + later);
    return when;
}

Test(timer, fires_in_order_and_not_early)
{
    static const unsigned order[] = {2, 0, 3, 1};
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct timed timers[ELEMENTS(order)] = {0};
    nsec_t start = loop_clock();

    cr_assert_eq(loop_timer_reserve(loop, ELEMENTS(order)), 0);
    for (unsigned i = 0; i < ELEMENTS(order); i++)
        timed_set(loop, &timers[i], &notes, order[i], start + (1 + order[i]) * 5 * NSEC_PER_MSEC);
    cr_assert(loop_timer_is_armed(&timers[0].timer));
    cr_assert_eq(timers[1].timer.when, start + 5 * NSEC_PER_MSEC);

    turn_until(loop, &notes, ELEMENTS(order));
    for (unsigned i = 0; i < ELEMENTS(order); i++)
        cr_assert_eq(notes.values[i], i);
    loop_free(loop);
}

Test(timer, past_and_zero_fire_at_once)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer past = note_timer(&notes, 1), zero = note_timer(&notes, 0);

    cr_assert_eq(loop_timer_reserve(loop, 2), 0);
    loop_timer_set(loop, &past, loop_clock() - NSEC_PER_SEC);
    loop_timer_set(loop, &zero, 0);
    cr_assert_eq(loop_turn(loop, true), 2);
    cr_assert_eq(notes.values[0], 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    loop_free(loop);
}

Test(timer, moved_both_ways_and_disarmed)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct timed a = {0}, b = {0}, c = {0};
    nsec_t start = loop_clock();

    cr_assert_eq(loop_timer_reserve(loop, 3), 0);
    timed_set(loop, &a, &notes, 'a', start + 1000 * NSEC_PER_SEC);
    timed_set(loop, &b, &notes, 'b', start + 3000 * NSEC_PER_SEC);
    timed_set(loop, &c, &notes, 'c', start + 2000 * NSEC_PER_SEC);
    cr_assert_eq(loop_turn(loop, false), 0);

    timed_set(loop, &a, &notes, 'a', start + 4000 * NSEC_PER_SEC);
    timed_set(loop, &b, &notes, 'b', start + 5 * NSEC_PER_MSEC);
    timed_set(loop, &c, &notes, 'c', NSEC_NEVER);
    timed_set(loop, &a, &notes, 'a', start + 10 * NSEC_PER_MSEC);
    cr_assert_not(loop_timer_is_armed(&c.timer));
    cr_assert_eq(c.timer.when, NSEC_NEVER);
    timed_set(loop, &c, &notes, 'c', NSEC_NEVER);

    turn_until(loop, &notes, 2);
    cr_assert_eq(notes.values[0], 'b');
    cr_assert_eq(notes.values[1], 'a');
    loop_free(loop);
}

/* Set to the past from its own callback for ever: each turn runs it once and ends. */
struct again {
    struct loop *loop;
    struct loop_timer timer, other;
    unsigned calls;
};

static void set_again(void *data, uint64_t value, nsec_t now) {
    struct again *again = data;

    (void)value;
    again->calls++;
    loop_timer_set(again->loop, &again->timer, again->calls % 2 ? now : 0);
}

Test(timer, set_to_the_past_in_its_callback_waits_for_the_next_turn)
{
    struct again again = {.loop = fixture_loop()};
    struct notes notes = {0};

    again.timer = (struct loop_timer){.fn = set_again, .data = &again};
    again.other = note_timer(&notes, 1);
    cr_assert_eq(loop_timer_reserve(again.loop, 2), 0);
    loop_timer_set(again.loop, &again.timer, 1);
    loop_timer_set(again.loop, &again.other, 2);

    cr_assert_eq(loop_turn(again.loop, true), 2, "the other due timer runs as well");
    cr_assert_eq(notes.n, 1);
    for (unsigned i = 2; i < 20; i++) {
        cr_assert_eq(loop_turn(again.loop, true), 1);
        cr_assert_eq(again.calls, i);
    }
    loop_free(again.loop);
}

static void disarm_other(void *data, uint64_t value, nsec_t now) {
    struct again *again = data;

    (void)value, (void)now;
    again->calls++;
    loop_timer_set(again->loop, &again->other, NSEC_NEVER);
}

Test(timer, due_timer_disarmed_by_another_does_not_fire)
{
    struct again again = {.loop = fixture_loop()};
    struct notes notes = {0};

    again.timer = (struct loop_timer){.fn = disarm_other, .data = &again};
    again.other = note_timer(&notes, 1);
    cr_assert_eq(loop_timer_reserve(again.loop, 2), 0);
    loop_timer_set(again.loop, &again.timer, 1);
    loop_timer_set(again.loop, &again.other, 2);
    cr_assert_eq(loop_turn(again.loop, true), 1);
    cr_assert_eq(notes.n, 0);
    cr_assert_eq(loop_turn(again.loop, false), 0);
    loop_free(again.loop);
}

/* A liveness timeout must see what proves life in the same turn. */
static void put_off(void *data, uint64_t value, int fd, unsigned events) {
    struct again *again = data;

    (void)value, (void)events;
    fixture_read(fd, 8);
    loop_timer_set(again->loop, &again->timer, NSEC_NEVER);
}

Test(timer, runs_after_all_sources)
{
    struct again again = {.loop = fixture_loop()};
    struct notes notes = {0};
    struct loop_watch watch = {
        .fd = fixture_eventfd(true),
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_LOG,
        .fn = put_off,
        .data = &again,
    };
    loop_source_t source;

    again.timer = note_timer(&notes, 1);
    cr_assert_eq(loop_timer_reserve(again.loop, 1), 0);
    cr_assert_eq(loop_add(again.loop, &watch, &source), 0);
    loop_timer_set(again.loop, &again.timer, 1);
    cr_assert_eq(loop_turn(again.loop, true), 1);
    cr_assert_eq(notes.n, 0, "the timer was due, and put off in time");
    cr_assert_eq(loop_turn(again.loop, false), 0);
    loop_free(again.loop);
    close(watch.fd);
}

struct many {
    struct loop_timer timer;
    unsigned fired;
};

struct order {
    nsec_t last;
    unsigned fired;
};

static struct order order;

static void check_order(void *data, uint64_t value, nsec_t now) {
    struct many *many = data;

    (void)value;
    cr_assert_leq(many->timer.when, now);
    cr_assert_geq(many->timer.when, order.last);
    order.last = many->timer.when;
    order.fired++;
    many->fired++;
}

/* Ten thousand, each set several times, a third disarmed: every other fires once and in order. */
Test(timer, thousands)
{
    enum { MANY = 10000 };
    struct loop *loop = fixture_loop();
    struct many *many = calloc(MANY, sizeof(*many));
    nsec_t start = loop_clock();
    unsigned armed = 0;

    srandom(42);
    cr_assert_eq(loop_timer_reserve(loop, MANY), 0);
    for (unsigned i = 0; i < 4 * MANY; i++) {
        struct many *one = &many[(unsigned)random() % MANY];

        one->timer.fn = check_order;
        one->timer.data = one;
        loop_timer_set(loop, &one->timer,
            random() % 3 ? start + (nsec_t)random() % (20 * NSEC_PER_MSEC) : NSEC_NEVER);
    }
    for (unsigned i = 0; i < MANY; i++)
        armed += loop_timer_is_armed(&many[i].timer);

    while (order.fired < armed)
        cr_assert_geq(loop_turn(loop, true), 0);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(many[i].fired, many[i].timer.when != NSEC_NEVER && many[i].timer.fn);
    cr_assert_eq(loop_turn(loop, false), 0);
    loop_free(loop);
    free(many);
}

Test(timer, reserve_keeps_what_is_armed)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer a = note_timer(&notes, 1), b = note_timer(&notes, 2);

    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    loop_timer_set(loop, &b, 2);
    cr_assert_eq(loop_timer_reserve(loop, 5000), 0);
    cr_assert_eq(loop_timer_reserve(loop, 1), 0, "less than there is changes nothing");
    loop_timer_set(loop, &a, 1);
    cr_assert_eq(loop_turn(loop, true), 2);
    cr_assert_eq(notes.values[0], 1);
    loop_free(loop);
}

/* Room that one part has asked for is not taken away by another that counts its own. */
Test(timer, reserves_of_several_parts_add_up)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer timers[] = {
        note_timer(&notes, 1), note_timer(&notes, 2), note_timer(&notes, 3)};

    cr_assert_eq(loop_timer_reserve_more(loop, 1), 0);
    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    cr_assert_eq(loop_timer_reserve(loop, 2), 0);
    for (unsigned i = 0; i < ELEMENTS(timers); i++)
        loop_timer_set(loop, &timers[i], 1 + i);
    cr_assert_eq(loop_turn(loop, true), 3);
    loop_free(loop);
}

Test(timer, far_future_is_not_now)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer far = note_timer(&notes, 1);

    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    loop_timer_set(loop, &far, NSEC_NEVER - 1);
    cr_assert_eq(loop_turn(loop, false), 0);
    loop_timer_set(loop, &far, nsec_add(loop_clock(), UINT64_C(1) << 62));
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(loop_fd(loop), 0));
    loop_free(loop);
}

/* The timerfd fires for a deadline that has moved: a turn that waits goes on waiting. */
Test(timer, waiting_turn_returns_for_callbacks_alone)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer timer = note_timer(&notes, 1);

    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    timerfd_left_behind(loop, &timer, 20 * NSEC_PER_MSEC);
    cr_assert_eq(loop_turn(loop, true), 1);
    loop_free(loop);
}

/* What the loop's timerfd is set to, in nanoseconds from now; 0 = disarmed. */
static nsec_t timerfd_remaining(void) {
    unsigned long long seconds = 0, nanoseconds = 0;

    for (int fd = 0; fd < 64; fd++) {
        char path[64], link[64] = "", line[128];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, link, sizeof(link) - 1) < 0 || strcmp(link, "anon_inode:[timerfd]") != 0)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        file = fopen(path, "re");
        cr_assert_not_null(file);
        while (fgets(line, sizeof(line), file))
            if (sscanf(line, "it_value: (%llu, %llu)", &seconds, &nanoseconds) == 2)
                break;
        fclose(file);
        return seconds * NSEC_PER_SEC + nanoseconds;
    }
    cr_assert_fail("no timerfd");
    return 0;
}

/* The rules of when the timerfd is touched: see the head of loop_timer.c. */
Test(timer, timerfd_follows_lazily)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer timer = note_timer(&notes, 1), other = note_timer(&notes, 2);
    nsec_t now = loop_clock();

    cr_assert_eq(loop_timer_reserve(loop, 2), 0);
    loop_timer_set(loop, &timer, now + 1000 * NSEC_PER_SEC);
    loop_turn(loop, false);
    cr_assert_gt(timerfd_remaining(), 900 * NSEC_PER_SEC);

    loop_timer_set(loop, &timer, now + 500 * NSEC_PER_SEC);
    loop_turn(loop, false);
    cr_assert_lt(timerfd_remaining(), 501 * NSEC_PER_SEC, "earlier: at once");

    loop_timer_set(loop, &timer, NSEC_NEVER);
    loop_timer_set(loop, &other, now + 1000 * NSEC_PER_SEC);
    loop_turn(loop, false);
    cr_assert_lt(timerfd_remaining(), 501 * NSEC_PER_SEC, "later: left alone");

    loop_timer_set(loop, &other, NSEC_NEVER);
    loop_turn(loop, false);
    cr_assert_eq(timerfd_remaining(), 0, "none: disarmed");
    loop_free(loop);
}

/* The needless wake-up of a lazily left timerfd comes once, and sets it right. */
Test(timer, needless_wake_up_comes_once)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer timer = note_timer(&notes, 1);
    nsec_t left;

    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    left = timerfd_left_behind(loop, &timer, 1000 * NSEC_PER_SEC);
    notes.n = 0;

    cr_assert(fixture_readable(loop_fd(loop), 10000));
    cr_assert_geq(loop_clock(), left);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(loop_fd(loop), 0));
    cr_assert_gt(timerfd_remaining(), 900 * NSEC_PER_SEC);
    cr_assert_eq(notes.n, 0);
    loop_free(loop);
}
