/* SPDX-License-Identifier: MIT */

/*
 * Timers: a binary heap of pointers into their owners' memory, over one timerfd.
 *
 * The timerfd is set as rarely as wakefulness allows. It is set when the earliest timer moves
 * earlier, and when what it was set to has passed. It is left alone when the earliest moves later,
 * as it does with each restart that takes one timer down and puts another up: at worst the loop
 * then wakes once for nothing, and sets it right. When the last timer goes it is disarmed, so a
 * loop without timers is never woken by one. It is never read: setting it anew makes it unreadable.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "loop/loop_backend.h"

idle_path nsec_t loop_clock(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (nsec_t)now.tv_sec * NSEC_PER_SEC + (nsec_t)now.tv_nsec;
}

int loop_timers_init(struct loop_timers *timers) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd < 0)
        return -errno;

    *timers = (struct loop_timers){.fd = fd, .armed = NSEC_NEVER};
    return 0;
}

void loop_timers_finish(struct loop_timers *timers) {
    close(timers->fd);
    free(timers->heap);
}

static void heap_put(struct loop_timers *timers, uint32_t place, struct loop_timer_entry entry) {
    timers->heap[place] = entry;
    entry.timer->position = place + 1;
}

/* Finds the entry's place on the way from `place` to the top, moving later ones down. */
static void heap_sift_up(
    struct loop_timers *timers, uint32_t place, struct loop_timer_entry entry) {
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;

        if (timers->heap[parent].key <= entry.key)
            break;
        heap_put(timers, place, timers->heap[parent]);
        place = parent;
    }
    heap_put(timers, place, entry);
}

/* Finds the entry's place on the way from `place` to the bottom, moving earlier ones up. */
static void heap_sift_down(
    struct loop_timers *timers, uint32_t place, struct loop_timer_entry entry) {
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1].key < timers->heap[child].key)
            child++;
        if (timers->heap[child].key >= entry.key)
            break;
        heap_put(timers, place, timers->heap[child]);
        place = child;
    }
    heap_put(timers, place, entry);
}

/* Puts the entry in where there is a gap at `place`. */
static void heap_settle(struct loop_timers *timers, uint32_t place, struct loop_timer_entry entry) {
    if (place > 0 && entry.key < timers->heap[(place - 1) / 2].key)
        heap_sift_up(timers, place, entry);
    else
        heap_sift_down(timers, place, entry);
}

static void heap_remove(struct loop_timers *timers, struct loop_timer *timer) {
    uint32_t place = timer->position - 1;
    struct loop_timer_entry last = timers->heap[--timers->count];

    timer->position = 0;
    if (last.timer != timer)
        heap_settle(timers, place, last);
}

static int heap_grow(struct loop_timers *timers, uint32_t capacity) {
    struct loop_timer_entry *heap;

    if (capacity <= timers->capacity)
        return 0;

    heap = reallocarray(timers->heap, capacity, sizeof(*heap));
    if (!heap)
        return -ENOMEM;

    timers->heap = heap;
    timers->capacity = capacity;
    return 0;
}

int loop_timer_reserve(struct loop *loop, uint32_t count) {
    return heap_grow(&loop->timers, count + loop->timers.extra);
}

int loop_timer_reserve_more(struct loop *loop, uint32_t count) {
    int r = heap_grow(&loop->timers, loop->timers.capacity + count);

    if (r == 0)
        loop->timers.extra += count;
    return r;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, nsec_t when) {
    struct loop_timers *timers = &loop->timers;
    /* A timerfd set to 0 would be disarmed. */
    struct loop_timer_entry entry = {.key = MAX(when, (nsec_t)1), .timer = timer};

    /* What becomes due while due timers run belongs to the next turn, or this one might not end. */
    if (timers->running && when <= timers->now)
        entry.key = timers->now + 1;

    timer->when = when;
    if (when == NSEC_NEVER) {
        if (loop_timer_is_armed(timer))
            heap_remove(timers, timer);
    } else if (loop_timer_is_armed(timer)) {
        heap_settle(timers, timer->position - 1, entry);
    } else {
        assert(timers->count < timers->capacity);
        heap_sift_up(timers, timers->count++, entry);
    }
    loop_commit(loop);
}

static idle_path nsec_t timers_earliest(const struct loop_timers *timers) {
    return timers->count > 0 ? timers->heap[0].key : NSEC_NEVER;
}

idle_path int loop_timers_arm(struct loop_timers *timers) {
    nsec_t earliest = timers_earliest(timers);
    struct itimerspec setting = {0};

    if (earliest == timers->armed)
        return 0;
    if (earliest != NSEC_NEVER) {
        if (earliest > timers->armed && timers->armed > timers->now)
            return 0;
        setting.it_value.tv_sec = (time_t)(earliest / NSEC_PER_SEC);
        setting.it_value.tv_nsec = (long)(earliest % NSEC_PER_SEC);
    }

    if (timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &setting, NULL) < 0)
        return -errno;
    timers->armed = earliest;
    return 0;
}

idle_path int loop_timers_run(struct loop *loop) {
    struct loop_timers *timers = &loop->timers;
    int callbacks = 0;

    if (timers->count == 0)
        return 0;

    timers->now = loop_clock();
    timers->running = true;
    while (timers_earliest(timers) <= timers->now) {
        struct loop_timer *timer = timers->heap[0].timer;

        heap_remove(timers, timer);
        timer->fn(timer->data, timer->value, timers->now);
        callbacks++;
        if (!loop->batch->ours)
            return -ECHILD;
    }
    timers->running = false;
    return callbacks;
}
