/* SPDX-License-Identifier: MIT */

/*
 * The epoll backend. The kernel keeps the level-triggered truth, so `armed` means no more than
 * "in the set". Epoll would report the hang-up of a muted source for ever; as an edge it comes once
 * and is not passed on. Taking it out of the set instead would be dear where the source is an epoll
 * set itself: each time it is put back, the kernel looks through all of its members.
 *
 * A source leaves the set explicitly, and before its descriptor is closed: a child that has just
 * been cloned may still hold the same open file, and closing ours would then leave a ghost behind.
 * Only a source that is watched once has no need to when it has fired: EPOLLONESHOT has silenced it
 * already, and its entry goes with the file. That saves a restart a system call.
 */

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/macro.h"
#include "loop/loop_backend.h"

static uint32_t events_to_epoll(unsigned events) {
    if (events == 0)
        return EPOLLET;
    return (events & LOOP_IN ? EPOLLIN : 0) | (events & LOOP_OUT ? EPOLLOUT : 0);
}

static unsigned events_from_epoll(uint32_t events) {
    return (events & EPOLLIN ? LOOP_IN : 0) | (events & EPOLLOUT ? LOOP_OUT : 0) |
           (events & EPOLLERR ? LOOP_ERR : 0) | (events & EPOLLHUP ? LOOP_HUP : 0);
}

static int epoll_open(struct loop *loop) {
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->fd < 0 ? -errno : 0;
}

static void epoll_close(struct loop *loop, bool inherited) {
    (void)inherited;
    close(loop->fd);
}

/* Whether a living source has that descriptor in the set. */
static bool is_watched(const struct loop *loop, int fd) {
    for (uint32_t slot = 0; slot < loop->n_slots; slot++)
        if (loop->sources[slot].armed && loop->sources[slot].fd == fd)
            return true;
    return false;
}

static int epoll_control(struct loop *loop, int operation, uint32_t slot) {
    struct loop_source *source = &loop->sources[slot];
    struct epoll_event event = {
        .events = events_to_epoll(source->events) | (source->once ? EPOLLONESHOT : 0),
        .data.u64 = loop_source_id(loop, slot),
    };
    int r = epoll_ctl(loop->fd, operation, source->fd, &event);

    /* The silenced entry of an earlier watch of the same file may still be there. */
    if (r < 0 && errno == EEXIST && !is_watched(loop, source->fd))
        r = epoll_ctl(loop->fd, EPOLL_CTL_MOD, source->fd, &event);
    if (r < 0)
        return -errno;

    source->armed = operation != EPOLL_CTL_DEL;
    return 0;
}

static int epoll_update(struct loop *loop, uint32_t slot) {
    const struct loop_source *source = &loop->sources[slot];

    if (source->events == 0 && !source->armed)
        return 0;
    return epoll_control(loop, source->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, slot);
}

static void epoll_forget(struct loop *loop, uint32_t slot) {
    if (loop->sources[slot].armed)
        epoll_control(loop, EPOLL_CTL_DEL, slot);
}

static idle_path int epoll_flush(struct loop *loop) {
    (void)loop; /* epoll_ctl has told it all already */
    return 0;
}

static idle_path int epoll_collect(struct loop *loop, bool wait) {
    struct epoll_event events[LOOP_BATCH];
    int n;

    loop->batch->count = 0;
    n = epoll_wait(loop->fd, events, LOOP_BATCH, wait ? -1 : 0);
    if (n < 0)
        return -errno;

    for (int i = 0; i < n; i++) {
        struct loop_source *source = loop_source_find(loop, events[i].data.u64);

        if (source && source->events == 0)
            continue;
        if (source && source->once)
            source->armed = false;
        loop_batch_push(loop, events[i].data.u64, events_from_epoll(events[i].events));
    }
    return 0;
}

const struct loop_backend_ops loop_epoll_ops = {
    .kind = LOOP_EPOLL,
    .open = epoll_open,
    .close = epoll_close,
    .add = epoll_update,
    .modify = epoll_update,
    .forget = epoll_forget,
    .flush = epoll_flush,
    .collect = epoll_collect,
};
