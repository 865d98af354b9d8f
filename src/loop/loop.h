/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The event loop: one contract, two backends (io_uring and epoll) as whole files.
 *
 * What is watched is a *source*: a descriptor with a callback, named by an id that carries a
 * generation. A completion that arrives for a source that is gone, or for an earlier tenant of the
 * same slot, finds another generation and is dropped; nobody ever holds a stale pointer.
 *
 * One turn (loop_turn) waits once, collects what is ready, and dispatches each ready source once,
 * in the order of its priority: child exits before control before logs. Timers whose time has come
 * run after all sources, so that what might prove life has been seen before a liveness timeout is
 * believed. Callbacks may add and remove any source or timer, their own included.
 *
 * Timers are a heap in user space over one timerfd on CLOCK_MONOTONIC; loop_fd() is one descriptor
 * that is readable when a turn would find work, so a loop can live inside another loop.
 *
 * A loop belongs to the thread that created it, and is refused (-ECHILD) in a forked child.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/nsec.h"

struct loop;

enum loop_backend {
    LOOP_AUTO, /* io_uring where it works, epoll where it is refused */
    LOOP_URING,
    LOOP_EPOLL,
};

/* Our own words: the values of poll(2) and epoll(7) differ on some architectures. */
enum loop_events {
    LOOP_IN = 1 << 0,
    LOOP_OUT = 1 << 1,
    LOOP_ERR = 1 << 2, /* reported always, never asked for */
    LOOP_HUP = 1 << 3, /* reported always, never asked for */
};

enum loop_priority {
    LOOP_PRIORITY_EXIT,
    LOOP_PRIORITY_CONTROL,
    LOOP_PRIORITY_LOG,
    LOOP_PRIORITY_MAX,
};

/* 0 is never a valid id. */
typedef uint64_t loop_source_t;

typedef void (*loop_source_fn)(void *data, uint64_t value, int fd, unsigned events);

/*
 * How to watch a descriptor. `data` and `value` are handed to the callback as they are; `value` is
 * for an index with a generation, where a pointer could go stale.
 */
struct loop_watch {
    int fd; /* stays the caller's; must stay open until the source is removed */
    unsigned events;
    enum loop_priority priority;
    bool once; /* the source goes before its callback runs (a pidfd: an exit happens once) */
    loop_source_fn fn;
    void *data;
    uint64_t value;
};

/*
 * Creates a loop. With LOOP_AUTO an io_uring that is refused (ENOSYS, EPERM, ENOMEM, missing
 * operations) falls back to epoll; with LOOP_URING the refusal is returned.
 */
int loop_new(enum loop_backend backend, struct loop **ret_loop);

/* Accepts NULL; returns NULL. Closes what the loop opened, not what it watched. */
struct loop *loop_free(struct loop *loop);

/* The backend in use: LOOP_URING or LOOP_EPOLL. */
enum loop_backend loop_backend(const struct loop *loop);
const char *loop_backend_name(enum loop_backend backend);

/* "auto", "uring", "epoll" → backend; -EINVAL. */
int loop_backend_parse(const char *text, enum loop_backend *ret_backend);

/*
 * Level-triggered unless `once`. Errors: -ENOMEM, -ENOSPC, -EPERM (a file that cannot be polled).
 * One source a descriptor: epoll refuses a second with -EEXIST, io_uring does not look.
 */
int loop_add(struct loop *loop, const struct loop_watch *watch, loop_source_t *ret_source);

/* Changes what is waited for; 0 mutes the source. */
int loop_modify(struct loop *loop, loop_source_t source, unsigned events);

/* Forgets the source. A stale or zero id is ignored. Does not close the descriptor. */
void loop_remove(struct loop *loop, loop_source_t source);

/*
 * A timer lives in its owner's memory, zeroed before its first use. Setting an armed timer moves
 * it; NSEC_NEVER disarms it. Setting never fails: room in the heap is made by loop_timer_reserve.
 */
struct loop_timer {
    nsec_t when;       /* on CLOCK_MONOTONIC; read-only for the owner */
    uint32_t position; /* place in the heap + 1; 0 = not armed */
    void (*fn)(void *data, uint64_t value, nsec_t now);
    void *data;
    uint64_t value;
};

/* Makes room for `count` timers armed at once. -ENOMEM leaves everything as it was. */
int loop_timer_reserve(struct loop *loop, uint32_t count);

/* Makes room for `count` more, besides all those that loop_timer_reserve() is about: for a part
 * that does not know how many timers the others on the loop have. For as long as the loop lives. */
int loop_timer_reserve_more(struct loop *loop, uint32_t count);

void loop_timer_set(struct loop *loop, struct loop_timer *timer, nsec_t when);

static inline bool loop_timer_is_armed(const struct loop_timer *timer) {
    return timer->position != 0;
}

/* CLOCK_MONOTONIC, read anew. */
nsec_t loop_clock(void);

/*
 * One turn. With `wait` it sleeps until something is ready; without, it takes what is there.
 * Returns how many callbacks ran (0 when interrupted), or a negative errno.
 */
int loop_turn(struct loop *loop, bool wait);

/*
 * Readable when a turn without waiting would find something to do. Owned by the loop. From the
 * first call on, what is added or set between turns reaches the kernel at once, not with the next
 * turn.
 */
int loop_fd(struct loop *loop);
