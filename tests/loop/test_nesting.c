/* SPDX-License-Identifier: MIT */

/* A loop within another loop, and a loop that finds itself in a forked child. */

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(nesting, .timeout = FIXTURE_TIMEOUT);
TestSuite(forking, .timeout = FIXTURE_TIMEOUT);

static void read_one(void *data, uint64_t value, int fd, unsigned events) {
    fixture_note(data, value, fd, events);
    fixture_read(fd, 1);
}

static loop_source_t watch_reading(struct loop *loop, int fd, struct notes *notes) {
    struct loop_watch watch = {.fd = fd, .events = LOOP_IN, .fn = read_one, .data = notes};
    loop_source_t source = 0;

    cr_assert_eq(loop_add(loop, &watch, &source), 0);
    return source;
}

Test(nesting, readable_while_there_is_work)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    int fd = loop_fd(loop);

    cr_assert_not(fixture_readable(fd, 0));
    watch_reading(loop, pair.read, &notes);
    cr_assert_not(fixture_readable(fd, 0));

    fixture_write(pair.write, 2);
    cr_assert(fixture_readable(fd, 0));
    cr_assert_eq(loop_turn(loop, false), 1);
    cr_assert(fixture_readable(fd, 0), "one byte is left");
    cr_assert_eq(loop_turn(loop, false), 1);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(fd, 0));
    loop_free(loop);
    fixture_pipe_close(&pair);
}

Test(nesting, sees_what_is_added_and_changed_between_turns)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    int event = fixture_eventfd(true), fd = loop_fd(loop);
    loop_source_t source = fixture_watch(loop, event, LOOP_PRIORITY_LOG, &notes, 1);

    cr_assert(fixture_readable(fd, 0));
    cr_assert_eq(loop_modify(loop, source, 0), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(fd, 0));

    cr_assert_eq(loop_modify(loop, source, LOOP_IN), 0);
    cr_assert(fixture_readable(fd, 0));
    cr_assert_eq(loop_turn(loop, false), 1);
    loop_remove(loop, source);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(fd, 0));
    loop_free(loop);
    close(event);
}

Test(nesting, sees_what_was_there_before_the_first_call)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    int event = fixture_eventfd(true);

    fixture_watch(loop, event, LOOP_PRIORITY_LOG, &notes, 1);
    cr_assert(fixture_readable(loop_fd(loop), 0));
    loop_free(loop);
    close(event);
}

/* epoll would tell of a hang-up for ever, asked or not. */
Test(nesting, muted_hang_up_is_no_work)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    loop_source_t source = fixture_watch(loop, pair.read, LOOP_PRIORITY_LOG, &notes, 1);

    close(pair.write);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(loop_modify(loop, source, 0), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_not(fixture_readable(loop_fd(loop), 0));
    loop_free(loop);
    close(pair.read);
}

Test(nesting, readable_when_a_timer_is_due)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_timer timer = {.fn = fixture_note_timer, .data = &notes};
    int fd = loop_fd(loop);

    cr_assert_eq(loop_timer_reserve(loop, 1), 0);
    for (unsigned i = 1; i <= 3; i++) {
        loop_timer_set(loop, &timer, loop_clock() + 10 * NSEC_PER_MSEC);
        cr_assert(fixture_readable(fd, 10000));
        cr_assert_geq(loop_clock(), timer.when);
        cr_assert_eq(loop_turn(loop, false), 1);
        cr_assert_eq(notes.n, i);
        cr_assert_not(fixture_readable(fd, 0));
    }
    loop_free(loop);
}

static void *write_later(void *data) {
    usleep(10000); /* time for the poll to sleep; right in either order */
    fixture_write(*(const int *)data, 1);
    return NULL;
}

/* The wake-up comes while the outer poll sleeps: work that the ring has deferred must wake it. */
Test(nesting, wakes_a_sleeping_poll)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    pthread_t thread;

    watch_reading(loop, pair.read, &notes);
    for (unsigned i = 1; i <= 3; i++) {
        cr_assert_eq(pthread_create(&thread, NULL, write_later, &pair.write), 0);
        cr_assert(fixture_readable(loop_fd(loop), 10000));
        pthread_join(thread, NULL);
        cr_assert_eq(loop_turn(loop, false), 1);
        cr_assert_eq(notes.n, i);
    }
    loop_free(loop);
    fixture_pipe_close(&pair);
}

static void turn_inner(void *data, uint64_t value, int fd, unsigned events) {
    (void)value, (void)fd, (void)events;
    cr_assert_geq(loop_turn(data, false), 0);
}

static void nest(enum loop_backend outer_backend) {
    struct loop *inner = fixture_loop(), *outer = NULL;
    struct notes notes = {0};
    struct loop_timer timer = {.fn = fixture_note_timer, .data = &notes, .value = 2};
    struct loop_watch watch = {.events = LOOP_IN, .fn = turn_inner, .data = inner};
    struct pipe_pair pair = fixture_pipe();
    loop_source_t source;

    if (loop_new(outer_backend, &outer) < 0)
        cr_skip_test("no outer loop of this kind");
    watch.fd = loop_fd(inner);
    cr_assert_eq(loop_add(outer, &watch, &source), 0);
    watch_reading(inner, pair.read, &notes);
    cr_assert_eq(loop_timer_reserve(inner, 1), 0);
    cr_assert_eq(loop_turn(outer, false), 0);

    for (unsigned i = 1; i <= 20; i++) {
        loop_timer_set(inner, &timer, loop_clock() + NSEC_PER_MSEC);
        fixture_write(pair.write, 1);
        while (notes.n < 2 * i)
            cr_assert_geq(loop_turn(outer, true), 0); /* a ring's work may interrupt epoll_wait */
    }
    for (unsigned i = 0; i < 10; i++)
        loop_turn(outer, false);
    cr_assert_eq(loop_turn(outer, false), 0, "it comes to rest");
    cr_assert_eq(notes.n, 40);
    loop_free(outer);
    loop_free(inner);
    fixture_pipe_close(&pair);
}

Test(nesting, within_an_epoll_loop)
{ nest(LOOP_EPOLL); }

Test(nesting, within_a_uring_loop)
{ nest(LOOP_URING); }

struct inherited {
    struct loop *loop;
    loop_source_t source;
    int fd;
    bool in_child;
    pid_t child;
};

static int use_inherited(void *data) {
    const struct inherited *inherited = data;
    struct loop_watch watch = {.fd = inherited->fd, .events = LOOP_IN, .fn = fixture_note};
    struct loop_timer timer = {.fn = fixture_note_timer};
    loop_source_t source;

    if (loop_turn(inherited->loop, false) != -ECHILD)
        return 1;
    if (loop_turn(inherited->loop, true) != -ECHILD)
        return 2;
    if (loop_add(inherited->loop, &watch, &source) != -ECHILD)
        return 3;
    if (loop_modify(inherited->loop, inherited->source, 0) != -ECHILD)
        return 4;
    loop_remove(inherited->loop, inherited->source);
    loop_timer_set(inherited->loop, &timer, 1);
    loop_free(inherited->loop);
    return 0;
}

Test(forking, inherited_loop_is_refused_and_the_parents_unharmed)
{
    struct inherited inherited = {.loop = fixture_loop(), .fd = fixture_eventfd(false)};
    struct notes notes = {0};

    loop_fd(inherited.loop); /* the kind that would flush at once */
    cr_assert_eq(loop_timer_reserve(inherited.loop, 1), 0);
    inherited.source = fixture_watch(inherited.loop, inherited.fd, LOOP_PRIORITY_LOG, &notes, 1);
    cr_assert_eq(loop_turn(inherited.loop, false), 0);

    cr_assert_eq(fixture_in_child(use_inherited, &inherited), 0);

    cr_assert_eq(loop_turn(inherited.loop, false), 0, "no timer of the child's");
    fixture_eventfd_set(inherited.fd);
    cr_assert_eq(loop_turn(inherited.loop, true), 1);
    loop_free(inherited.loop);
    close(inherited.fd);
}

static int make_own(void *data) {
    struct inherited *inherited = data;
    struct loop *loop = NULL;
    struct notes notes = {0};
    struct loop_watch watch = {
        .fd = inherited->fd, .events = LOOP_IN, .fn = fixture_note, .data = &notes};
    loop_source_t source;

    loop_free(inherited->loop);
    if (loop_new(fixture_backend(), &loop) < 0)
        return 1;
    if (loop_add(loop, &watch, &source) < 0 || loop_turn(loop, true) != 1 || notes.n != 1)
        return 2;
    loop_free(loop);
    return 0;
}

Test(forking, child_makes_a_loop_of_its_own)
{
    struct inherited inherited = {.loop = fixture_loop(), .fd = fixture_eventfd(true)};

    cr_assert_eq(fixture_in_child(make_own, &inherited), 0);
    loop_free(inherited.loop);
    close(inherited.fd);
}

static void fork_here(struct inherited *inherited) {
    inherited->child = fork();
    inherited->in_child = inherited->child == 0;
}

static void fork_in_source(void *data, uint64_t value, int fd, unsigned events) {
    (void)value, (void)events;
    fixture_read(fd, 8);
    fork_here(data);
}

static void fork_in_timer(void *data, uint64_t value, nsec_t now) {
    (void)value, (void)now;
    fork_here(data);
}

/* A child that falls out of the callback falls out of the turn: nothing else runs in it. */
static void turn_and_fork(struct inherited *inherited, const struct notes *later) {
    siginfo_t info = {0};
    int r = loop_turn(inherited->loop, true);

    if (inherited->in_child)
        _exit(r == -ECHILD && later->n == 0 ? 0 : 1);
    cr_assert_eq(r, 2);
    cr_assert_eq(later->n, 1);
    cr_assert_eq(waitid(P_PID, (id_t)inherited->child, &info, WEXITED), 0);
    cr_assert_eq(info.si_code, CLD_EXITED);
    cr_assert_eq(info.si_status, 0);
    loop_free(inherited->loop);
    close(inherited->fd);
}

Test(forking, forked_in_a_source_callback)
{
    struct inherited inherited = {.loop = fixture_loop(), .fd = fixture_eventfd(true)};
    struct notes later = {0};
    struct loop_timer timer = {.fn = fixture_note_timer, .data = &later};
    struct loop_watch watch = {
        .fd = inherited.fd, .events = LOOP_IN, .fn = fork_in_source, .data = &inherited};

    cr_assert_eq(loop_timer_reserve(inherited.loop, 1), 0);
    loop_timer_set(inherited.loop, &timer, 1);
    cr_assert_eq(loop_add(inherited.loop, &watch, &inherited.source), 0);
    turn_and_fork(&inherited, &later);
}

Test(forking, forked_in_a_timer_callback)
{
    struct inherited inherited = {.loop = fixture_loop(), .fd = fixture_eventfd(false)};
    struct notes later = {0};
    struct loop_timer timer = {.fn = fork_in_timer, .data = &inherited};
    struct loop_timer next = {.fn = fixture_note_timer, .data = &later};

    cr_assert_eq(loop_timer_reserve(inherited.loop, 2), 0);
    loop_timer_set(inherited.loop, &timer, 1);
    loop_timer_set(inherited.loop, &next, 2);
    turn_and_fork(&inherited, &later);
}
