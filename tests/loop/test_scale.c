/* SPDX-License-Identifier: MIT */

/* Many sources: more than the batch, the table and the completion queue hold at first. */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define MANY 5000

TestSuite(scale, .timeout = FIXTURE_TIMEOUT);

/* The linker sends the loop's allocations (and the tests' own) through these. */
static unsigned allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    allocations++;
    return __real_calloc(n, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size) {
    allocations++;
    return __real_reallocarray(old, n, size);
}

struct crowd {
    struct loop *loop;
    int fds[MANY];
    loop_source_t sources[MANY];
    uint16_t calls[MANY];
    bool once;
    bool leave_unread;
};

static void crowd_call(void *data, uint64_t value, int fd, unsigned events) {
    struct crowd *crowd = data;

    cr_assert_eq(events, LOOP_IN);
    cr_assert_eq(crowd->fds[value], fd);
    crowd->calls[value]++;
    if (!crowd->leave_unread)
        fixture_read(fd, 8);
}

static struct loop_watch crowd_watch(struct crowd *crowd, unsigned i) {
    return (struct loop_watch){
        .fd = crowd->fds[i],
        .events = LOOP_IN,
        .priority = (enum loop_priority)(i % LOOP_PRIORITY_MAX),
        .once = crowd->once,
        .fn = crowd_call,
        .data = crowd,
        .value = i,
    };
}

static void crowd_add(struct crowd *crowd, unsigned i) {
    struct loop_watch watch = crowd_watch(crowd, i);

    cr_assert_eq(loop_add(crowd->loop, &watch, &crowd->sources[i]), 0);
}

static struct crowd *crowd_new(bool ready, bool once) {
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    crowd->once = once;
    crowd->loop = fixture_loop();
    fixture_need_descriptors(MANY + 100);
    for (unsigned i = 0; i < MANY; i++)
        crowd->fds[i] = fixture_eventfd(ready);
    for (unsigned i = 0; i < MANY; i++)
        crowd_add(crowd, i);
    return crowd;
}

static void crowd_free(struct crowd *crowd) {
    loop_free(crowd->loop);
    for (unsigned i = 0; i < MANY; i++)
        close(crowd->fds[i]);
    free(crowd);
}

/* Turns until `n` callbacks have run; then there must be no more. */
static void crowd_turn(struct crowd *crowd, unsigned n) {
    for (unsigned ran = 0; ran < n;) {
        int r = loop_turn(crowd->loop, true);

        cr_assert_gt(r, 0);
        ran += (unsigned)r;
    }
    cr_assert_eq(loop_turn(crowd->loop, false), 0);
}

static void crowd_check(const struct crowd *crowd, unsigned calls) {
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(crowd->calls[i], calls, "source %u: %u calls", i, crowd->calls[i]);
}

/* Far more ready at once than the completion queue holds, before the first turn. */
Test(scale, all_ready_before_the_first_turn)
{
    struct crowd *crowd = crowd_new(true, false);

    crowd_turn(crowd, MANY);
    crowd_check(crowd, 1);
    crowd_free(crowd);
}

/* What overflows the completion queue comes to a loop that never waits, too. */
Test(scale, all_ready_and_never_waiting)
{
    struct crowd *crowd = crowd_new(true, true);
    unsigned ran = 0;

    for (unsigned turns = 0; turns < MANY && ran < MANY; turns++)
        ran += (unsigned)loop_turn(crowd->loop, false);
    cr_assert_eq(ran, MANY);
    crowd_check(crowd, 1);
    crowd_free(crowd);
}

/* The same with polls that have been waiting, as in a storm of exits. */
Test(scale, all_become_ready_at_once)
{
    struct crowd *crowd = crowd_new(false, false);

    cr_assert_eq(loop_turn(crowd->loop, false), 0);
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < MANY; i++)
            fixture_eventfd_set(crowd->fds[i]);
        crowd_turn(crowd, MANY);
        crowd_check(crowd, round);
    }
    crowd_free(crowd);
}

Test(scale, all_once)
{
    struct crowd *crowd = crowd_new(false, true);

    cr_assert_eq(loop_turn(crowd->loop, false), 0);
    for (unsigned i = 0; i < MANY; i++)
        fixture_eventfd_set(crowd->fds[i]);
    crowd_turn(crowd, MANY);
    crowd_check(crowd, 1);
    crowd_free(crowd);
}

/* None starves: with all of them ready for ever, each has its turn again and again. */
Test(scale, all_ready_for_ever)
{
    struct crowd *crowd = crowd_new(true, false);
    unsigned ran = 0;

    crowd->leave_unread = true;
    while (ran < 10 * MANY) {
        int r = loop_turn(crowd->loop, true);

        cr_assert_gt(r, 0);
        cr_assert_lt(r, MANY, "a turn is bounded");
        ran += (unsigned)r;
    }
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_geq(crowd->calls[i], 5, "source %u: %u calls", i, crowd->calls[i]);
    crowd_free(crowd);
}

Test(scale, one_among_thousands)
{
    struct crowd *crowd = crowd_new(false, false);

    for (unsigned i = 0; i < MANY; i += 617) {
        fixture_eventfd_set(crowd->fds[i]);
        crowd_turn(crowd, 1);
        cr_assert_eq(crowd->calls[i], 1);
    }
    crowd_free(crowd);
}

Test(scale, removed_while_ready)
{
    struct crowd *crowd = crowd_new(true, false);

    cr_assert_gt(loop_turn(crowd->loop, true), 0);
    memset(crowd->calls, 0, sizeof(crowd->calls));
    for (unsigned i = 0; i < MANY; i++)
        loop_remove(crowd->loop, crowd->sources[i]);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(loop_turn(crowd->loop, false), 0);
    crowd_check(crowd, 0);

    for (unsigned i = 0; i < MANY; i++)
        fixture_eventfd_set(crowd->fds[i]);
    for (unsigned i = 0; i < MANY; i++)
        crowd_add(crowd, i);
    crowd_turn(crowd, MANY);
    crowd_check(crowd, 1);
    crowd_free(crowd);
}

/* The table moves under the dispatch, several times. */
static void add_the_rest(void *data, uint64_t value, int fd, unsigned events) {
    struct crowd *crowd = data;

    crowd_call(data, value, fd, events);
    for (unsigned i = 2; i < MANY; i++)
        crowd_add(crowd, i);
}

Test(scale, table_grows_while_dispatching)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    struct loop_watch watch;

    crowd->loop = fixture_loop();
    fixture_need_descriptors(MANY + 100);
    for (unsigned i = 0; i < MANY; i++)
        crowd->fds[i] = fixture_eventfd(true);
    watch = crowd_watch(crowd, 0);
    watch.fn = add_the_rest;
    cr_assert_eq(loop_add(crowd->loop, &watch, &crowd->sources[0]), 0);
    crowd_add(crowd, 1);

    cr_assert_eq(loop_turn(crowd->loop, true), 2, "what is added waits for the next turn");
    crowd_turn(crowd, MANY - 2);
    crowd_check(crowd, 1);
    crowd_free(crowd);
}

/* As a pool that lives: sources come and go, timers are set, and no memory is asked for. */
Test(scale, nothing_is_allocated_in_the_steady_state)
{
    struct crowd *crowd = crowd_new(false, true);
    struct notes notes = {0};
    struct loop_timer timer = {.fn = fixture_note_timer, .data = &notes};
    unsigned before;

    cr_assert_eq(loop_timer_reserve(crowd->loop, 1), 0);
    before = allocations;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++)
            fixture_eventfd_set(crowd->fds[i]);
        crowd_turn(crowd, MANY);
        for (unsigned i = 0; i < MANY; i++) {
            crowd_add(crowd, i);
            loop_timer_set(crowd->loop, &timer, loop_clock() + i * NSEC_PER_SEC + NSEC_PER_SEC);
        }
    }
    cr_assert_gt(before, 0, "the count counts");
    cr_assert_eq(allocations, before);
    crowd_free(crowd);
}
