/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What loop.c, the timers and the two backends share. Private to this folder.
 *
 * loop.c keeps the truth: which sources exist and what each of them wants. A backend brings the
 * kernel into line with that truth, and fills the batch with what has become ready. `armed` says
 * that the kernel watches a source now; it is the backend's own word, nobody else reads it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/nsec.h"
#include "loop/loop.h"

struct loop_source {
    loop_source_fn fn; /* NULL: the timers' own descriptor, whose readiness alone is the message */
    void *data;
    uint64_t value;
    int fd;
    uint32_t generation; /* of the slot's present or next tenant; never 0 */
    uint32_t next_free;  /* a free slot: the next one */
    uint8_t events;      /* wanted; 0 = muted */
    uint8_t priority;
    bool once : 1;
    bool armed : 1;
    bool batched : 1; /* uring: its poll has ended, the next one begins after the dispatch */
    bool owed : 1;    /* uring: its poll should be cancelled, and has not been yet */
};

_Static_assert(sizeof(struct loop_source) <= 40, "ten thousand of these are kept");

/* One ready source. The id is looked up again at dispatch: an earlier callback may have removed it.
 */
struct loop_ready {
    loop_source_t source;
    uint16_t events; /* 0: nothing to tell */
    uint16_t priority;
};

/* Bounds the work of one turn; what else is ready comes with the next one. */
#define LOOP_BATCH 255

/*
 * What one turn has collected, in a page of its own that the kernel wipes in a forked child. So a
 * child finds `ours` false and nothing to dispatch, and the check costs no system call.
 */
struct loop_batch {
    bool ours;
    uint32_t count;
    struct loop_ready ready[LOOP_BATCH];
};

/* An entry of the heap: the key beside the pointer, so that sifting reads no timers. */
struct loop_timer_entry {
    nsec_t key;
    struct loop_timer *timer;
};

struct loop_timers {
    struct loop_timer_entry *heap;
    uint32_t count;
    uint32_t capacity;
    uint32_t extra; /* of the capacity: what loop_timer_reserve() does not know of */
    int fd;
    bool running; /* callbacks are being called, for what was due at `now` */
    nsec_t now;   /* the clock when it was last read for a turn */
    nsec_t armed; /* what the timerfd is set to; NSEC_NEVER = nothing */
};

/* All return a negative errno on failure. */
struct loop_backend_ops {
    enum loop_backend kind;

    /* Sets loop->fd. */
    int (*open)(struct loop *loop);
    /* With `inherited`, in a forked child: let go of the descriptors, touch nothing shared. */
    void (*close)(struct loop *loop, bool inherited);

    /* Begins to watch a new source; where it fails, nothing is left behind. */
    int (*add)(struct loop *loop, uint32_t slot);
    /* The source's `events` have changed. */
    int (*modify)(struct loop *loop, uint32_t slot);
    /* The source is about to go; called before its generation changes. */
    void (*forget)(struct loop *loop, uint32_t slot);

    /* Tells the kernel whatever it has not been told yet, without waiting. */
    int (*flush)(struct loop *loop);
    /* Flushes, waits if asked to, and replaces the batch. -EINTR: woken for nothing. */
    int (*collect)(struct loop *loop, bool wait);
};

struct loop {
    const struct loop_backend_ops *ops;
    struct loop_batch *batch;
    struct uring *uring; /* of the uring backend alone */
    int fd;
    bool in_turn;
    bool eager; /* nested in another loop: what is asked for between turns is flushed at once */

    struct loop_source *sources;
    uint32_t n_slots; /* slots that have ever been used */
    uint32_t n_allocated;
    uint32_t first_free; /* LOOP_NO_SLOT = none */

    struct loop_timers timers;
    loop_source_t timer_source;
};

#define LOOP_NO_SLOT UINT32_MAX

extern const struct loop_backend_ops loop_epoll_ops;
extern const struct loop_backend_ops loop_uring_ops;

/* The id of a slot's tenant: also what the kernel is given as user data, and gives back. */
static inline loop_source_t loop_source_id(const struct loop *loop, uint32_t slot) {
    return (loop_source_t)loop->sources[slot].generation << 32 | slot;
}

static inline uint32_t loop_source_slot(loop_source_t id) {
    return (uint32_t)id;
}

/* The living source of that id, or NULL. Good until the next source is added. */
struct loop_source *loop_source_find(const struct loop *loop, loop_source_t id);

/* Appends to the batch, which must have room. */
void loop_batch_push(struct loop *loop, loop_source_t id, unsigned events);

/* Between turns of a nested loop, makes the kernel know at once. */
int loop_commit(struct loop *loop);

int loop_timers_init(struct loop_timers *timers);
void loop_timers_finish(struct loop_timers *timers);

/* Brings the timerfd into line with the earliest timer. */
int loop_timers_arm(struct loop_timers *timers);

/* Runs what is due; returns how many callbacks, or -ECHILD when one of them has forked. */
int loop_timers_run(struct loop *loop);
