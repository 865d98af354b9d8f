/* SPDX-License-Identifier: MIT */

/*
 * All pipes behind one descriptor of the loop, and not looked at for each line.
 *
 * A thousand workers that write a line now and then would wake the loop, and the writers' threads,
 * for each of their lines. So after a look at the pipes the next one is put off, by a time that
 * finds itself: longer where looks find little, up to HOLD_MOST, which nobody sees; shorter, down
 * to not at all, where a pipe fills up meanwhile. The first line after some quiet is never put off,
 * and who writes seldom causes no wakeups but his own.
 */

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/capture_internal.h"

/* What all streams together may read in a turn, and one at the least. */
#define TURN_BUDGET    (1 << 20)
#define SHARE_AT_LEAST 4096
#define READY_MAX      (TURN_BUDGET / SHARE_AT_LEAST)

#define HOLD_LEAST (NSEC_PER_MSEC / 32)
#define HOLD_MOST  (8 * NSEC_PER_MSEC)

/* Looks with more time between them are few enough. */
#define QUIET HOLD_MOST

/* The most that one pipe had: little, or so much that it might have been full soon. */
#define LITTLE 2048
#define MUCH   16384

static void rest(struct gather *gather, bool resting) {
    if (gather->is_resting == resting)
        return;
    gather->is_resting = resting;
    loop_modify(gather->loop, gather->source, resting ? 0 : LOOP_IN);
}

static void wake_by(struct gather *gather, nsec_t when) {
    if (!loop_timer_is_armed(&gather->timer) || gather->timer.when > when)
        loop_timer_set(gather->loop, &gather->timer, when);
}

void gather_hurry_writers(struct capture *capture) {
    capture->gather.wake = NSEC_NEVER;
    for (struct capture_writer *w = capture->writers; w; w = w->next)
        writer_wake(w->writer);
}

/* How many streams had something; `ret_most` is the most that one had. */
static int look(struct capture *capture, size_t *ret_most) {
    struct epoll_event ready[READY_MAX];
    int n = epoll_wait(capture->gather.fd, ready, READY_MAX, 0);
    size_t share = MIN(TURN_BUDGET / (size_t)MAX(n, 1), (size_t)CAPTURE_SHARE_AT_MOST);

    *ret_most = 0;
    capture->gather.is_looking = true;
    for (int i = 0; i < n; i++) {
        size_t had = stream_look(ready[i].data.ptr, share);

        /* However small a share is where many have one: who has used it up may have more. */
        *ret_most = MAX(*ret_most, had >= share ? (size_t)MUCH : had);
    }
    if (n == READY_MAX) /* of perhaps more */
        *ret_most = MUCH;
    capture->gather.is_looking = false;
    if (n > 0)
        gather_hurry_writers(capture);
    return n;
}

/*
 * The replacement of a process that has ended has just been cloned, often to run on this processor
 * when we wait: it shall neither wait for us, nor share the other one with the writer. A timer that
 * is nearer than the scheduler's next tick would cost as much as all the rest of it.
 */
void gather_put_off(struct gather *gather) {
    wake_by(gather, nsec_add(loop_clock(), HOLD_MOST));
}

/* What is put otherwise than by a look is about the end of a process, or what it wrote last. */
void gather_wake_writers(struct gather *gather) {
    if (gather->is_looking || gather->wake != NSEC_NEVER)
        return;
    gather->wake = nsec_add(loop_clock(), HOLD_MOST);
    wake_by(gather, gather->wake);
}

static nsec_t next_hold(const struct gather *gather, nsec_t now, size_t most) {
    if (nsec_sub(now, gather->due) > QUIET)
        return 0;
    if (most <= LITTLE)
        return MIN(MAX(2 * gather->hold, HOLD_LEAST), HOLD_MOST);
    if (most >= MUCH)
        return gather->hold > HOLD_LEAST ? gather->hold / 2 : 0;
    return gather->hold;
}

static void put_off(struct gather *gather, size_t most) {
    nsec_t now = loop_clock();

    gather->hold = next_hold(gather, now, most);
    gather->due = nsec_add(now, gather->hold);
    rest(gather, gather->hold > 0);
    if (gather->is_resting)
        wake_by(gather, gather->due);
}

static void on_ready(void *data, uint64_t value, int fd, unsigned events) {
    struct capture *capture = data;
    size_t most;

    (void)value, (void)fd, (void)events;
    if (capture->n_ended > 0) {
        rest(&capture->gather, true);
        return;
    }
    look(capture, &most);
    put_off(&capture->gather, most);
}

static void on_held(void *data, uint64_t value, nsec_t now) {
    struct capture *capture = data;
    struct gather *gather = &capture->gather;
    size_t most;

    (void)value;
    capture_tidy(capture);
    if (look(capture, &most) > 0)
        put_off(gather, most);
    else
        rest(gather, false);
    if (now >= gather->wake)
        gather_hurry_writers(capture);
    else if (gather->wake != NSEC_NEVER)
        wake_by(gather, gather->wake);
}

int gather_init(struct capture *capture) {
    struct gather *gather = &capture->gather;
    int r;

    gather->loop = capture->loop;
    gather->wake = NSEC_NEVER;
    gather->timer.fn = on_held;
    gather->timer.data = capture;
    gather->fd = epoll_create1(EPOLL_CLOEXEC);
    if (gather->fd < 0)
        return -errno;
    struct loop_watch watch = {
        .fd = gather->fd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_LOG,
        .fn = on_ready,
        .data = capture,
    };
    r = loop_timer_reserve_more(gather->loop, 1);
    return r < 0 ? r : loop_add(gather->loop, &watch, &gather->source);
}

void gather_finish(struct gather *gather) {
    if (gather->fd < 0)
        return;
    loop_timer_set(gather->loop, &gather->timer, NSEC_NEVER);
    loop_remove(gather->loop, gather->source);
    close(gather->fd);
    gather->fd = -1;
}

/*
 * Who is waited for by the thread, which moves its bytes itself, falls silent with its event. The
 * hang-up of one that is muted comes once, and is not looked at.
 */
static int control(struct gather *gather, struct stream *stream, int operation) {
    uint32_t wanted = stream->moves ? EPOLLIN | EPOLLONESHOT : EPOLLIN;
    struct epoll_event event = {
        .events = stream->is_muted ? EPOLLET : wanted,
        .data.ptr = stream,
    };

    return epoll_ctl(gather->fd, operation, stream->fd, &event) < 0 ? -errno : 0;
}

int gather_add(struct gather *gather, struct stream *stream) {
    return control(gather, stream, EPOLL_CTL_ADD);
}

void gather_update(struct stream *stream) {
    control(&stream->pool->capture->gather, stream, EPOLL_CTL_MOD);
}

/* Before the descriptor is closed: a child that has just been cloned may still hold the pipe. */
void gather_remove(struct stream *stream) {
    control(&stream->pool->capture->gather, stream, EPOLL_CTL_DEL);
}
