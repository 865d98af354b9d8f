/* SPDX-License-Identifier: MIT */

/* The contract of events: what is asked for, what is told unasked, and changing one's mind. */

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(events, .timeout = FIXTURE_TIMEOUT);

static loop_source_t watch_for(struct loop *loop, int fd, unsigned events, struct notes *notes) {
    struct loop_watch watch = {
        .fd = fd,
        .events = events,
        .priority = LOOP_PRIORITY_CONTROL,
        .fn = fixture_note,
        .data = notes,
    };
    loop_source_t source = 0;

    cr_assert_eq(loop_add(loop, &watch, &source), 0);
    return source;
}

Test(events, hang_up_is_told)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};

    watch_for(loop, pair.read, LOOP_IN, &notes);
    cr_assert_eq(loop_turn(loop, false), 0);
    close(pair.write);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_HUP);
    cr_assert_eq(loop_turn(loop, true), 1, "and again, until the source is removed");
    loop_free(loop);
    close(pair.read);
}

Test(events, last_data_comes_with_the_hang_up)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};

    watch_for(loop, pair.read, LOOP_IN, &notes);
    fixture_write(pair.write, 1);
    close(pair.write);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_IN | LOOP_HUP);
    loop_free(loop);
    close(pair.read);
}

Test(events, error_is_told)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};

    close(pair.read);
    watch_for(loop, pair.write, LOOP_OUT, &notes);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_OUT | LOOP_ERR);
    loop_free(loop);
    close(pair.write);
}

Test(events, room_to_write_is_told)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    static char page[4096];

    watch_for(loop, pair.write, LOOP_OUT, &notes);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_OUT);

    while (write(pair.write, page, sizeof(page)) > 0)
        continue;
    /* The poll that was set before the pipe was full has nothing to tell any more. */
    cr_assert_eq(loop_turn(loop, false), 0);
    while (fixture_read(pair.read, sizeof(page)) > 0)
        continue;
    cr_assert_eq(loop_turn(loop, true), 1);
    loop_free(loop);
    fixture_pipe_close(&pair);
}

Test(events, muted_source_is_silent)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    loop_source_t source = watch_for(loop, pair.read, LOOP_IN, &notes);

    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_modify(loop, source, 0), 0);
    fixture_write(pair.write, 1);
    cr_assert_eq(loop_turn(loop, false), 0);
    close(pair.write);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(loop_turn(loop, false), 0, "not even the hang-up");

    cr_assert_eq(loop_modify(loop, source, LOOP_IN), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_IN | LOOP_HUP);
    loop_free(loop);
    close(pair.read);
}

Test(events, muted_from_the_start)
{
    struct loop *loop = fixture_loop();
    int fd = fixture_eventfd(true);
    struct notes notes = {0};
    loop_source_t source = watch_for(loop, fd, 0, &notes);

    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_modify(loop, source, LOOP_IN), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    loop_remove(loop, source);
    cr_assert_eq(loop_turn(loop, false), 0);
    loop_free(loop);
    close(fd);
}

Test(events, back_and_forth_between_two_turns)
{
    struct loop *loop = fixture_loop();
    int fd = fixture_eventfd(true);
    struct notes notes = {0};
    loop_source_t source = watch_for(loop, fd, LOOP_IN, &notes);

    for (int i = 0; i < 200; i++)
        cr_assert_eq(loop_modify(loop, source, i % 2 ? LOOP_IN : 0), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    for (int i = 0; i < 201; i++)
        cr_assert_eq(loop_modify(loop, source, i % 2 ? LOOP_IN : 0), 0);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_modify(loop, source, LOOP_IN), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    loop_free(loop);
    close(fd);
}

Test(events, other_direction)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    loop_source_t source;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    source = watch_for(loop, fds[0], LOOP_IN, &notes);
    cr_assert_eq(loop_turn(loop, false), 0);

    cr_assert_eq(loop_modify(loop, source, LOOP_OUT), 0);
    fixture_write(fds[1], 1);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_OUT);

    cr_assert_eq(loop_modify(loop, source, LOOP_IN | LOOP_OUT), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[1], LOOP_IN | LOOP_OUT);
    loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

/* The poll that was cancelled for it is nobody's event. */
Test(events, other_direction_of_a_quiet_source)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    loop_source_t source;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    source = watch_for(loop, fds[0], LOOP_IN, &notes);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(loop_modify(loop, source, LOOP_IN | LOOP_OUT), 0);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.events[0], LOOP_OUT);
    loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

/* Callbacks that change their own mind and another's, with both in one batch. */
struct minds {
    struct loop *loop;
    loop_source_t self, other;
    unsigned self_events, other_events;
    unsigned calls;
};

static void change_minds(void *data, uint64_t value, int fd, unsigned events) {
    struct minds *minds = data;

    (void)value, (void)fd, (void)events;
    minds->calls++;
    loop_modify(minds->loop, minds->self, minds->self_events);
    loop_modify(minds->loop, minds->other, minds->other_events);
}

Test(events, changed_within_callbacks)
{
    struct minds minds = {.loop = fixture_loop()};
    int first = fixture_eventfd(true);
    struct pipe_pair second = fixture_pipe();
    struct loop_watch watch = {
        .fd = first,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .fn = change_minds,
        .data = &minds,
    };
    struct notes notes = {0};

    close(second.write);
    minds.other = watch_for(minds.loop, second.read, LOOP_IN, &notes);
    cr_assert_eq(loop_add(minds.loop, &watch, &minds.self), 0);

    minds.self_events = LOOP_IN;
    cr_assert_eq(loop_turn(minds.loop, true), 1, "muted by the first, the second is not called");
    cr_assert_eq(notes.n, 0);

    minds.self_events = 0;
    minds.other_events = LOOP_IN;
    cr_assert_eq(loop_turn(minds.loop, true), 1, "it was muted when the turn began");
    cr_assert_eq(minds.calls, 2);

    cr_assert_eq(loop_turn(minds.loop, true), 1);
    cr_assert_eq(minds.calls, 2, "the first has muted itself");
    cr_assert_eq(notes.n, 1);
    loop_free(minds.loop);
    close(first);
    close(second.read);
}

/* What is watched once has fired, and was muted before it could be told: it is not lost. */
Test(events, watched_once_and_muted_while_ready)
{
    struct minds minds = {.loop = fixture_loop(), .self_events = LOOP_IN};
    struct notes notes = {0};
    struct loop_watch watch = {
        .fd = fixture_eventfd(true),
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .fn = change_minds,
        .data = &minds,
    };
    struct loop_watch once = {
        .fd = fixture_eventfd(true),
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_LOG,
        .once = true,
        .fn = fixture_note,
        .data = &notes,
    };

    cr_assert_eq(loop_add(minds.loop, &watch, &minds.self), 0);
    cr_assert_eq(loop_add(minds.loop, &once, &minds.other), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(loop_turn(minds.loop, true), 1);
    cr_assert_eq(notes.n, 0);

    loop_remove(minds.loop, minds.self);
    cr_assert_eq(loop_modify(minds.loop, minds.other, LOOP_IN), 0);
    cr_assert_eq(loop_turn(minds.loop, true), 1);
    cr_assert_eq(loop_turn(minds.loop, false), 0);
    cr_assert_eq(notes.n, 1);
    loop_free(minds.loop);
    close(watch.fd);
    close(once.fd);
}
