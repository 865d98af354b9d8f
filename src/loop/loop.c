/* SPDX-License-Identifier: MIT */

/*
 * The half of the loop that both backends share: the table of sources, the turn, the dispatch.
 *
 * A source's id is its slot and the slot's generation. Forgetting a source moves the generation on,
 * so an id that somebody still holds (the kernel, this turn's batch, a careless caller) matches
 * nothing from then on. The table grows by doubling, so no pointer into it outlives a callback.
 *
 * A turn is: set the timerfd, collect a bounded batch, dispatch it priority by priority, run due
 * timers. The batch is a snapshot: what callbacks make ready is seen in the next turn.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/macro.h"
#include "loop/loop_backend.h"

#define SLOTS_AT_FIRST 16
#define SLOTS_AT_MOST  (UINT32_C(1) << 30)

static const char *const backend_names[] = {
    [LOOP_AUTO] = "auto",
    [LOOP_URING] = "uring",
    [LOOP_EPOLL] = "epoll",
};

const char *loop_backend_name(enum loop_backend backend) {
    return backend_names[backend];
}

int loop_backend_parse(const char *text, enum loop_backend *ret_backend) {
    for (size_t i = 0; i < ELEMENTS(backend_names); i++) {
        if (strcmp(text, backend_names[i]) == 0) {
            *ret_backend = (enum loop_backend)i;
            return 0;
        }
    }
    return -EINVAL;
}

enum loop_backend loop_backend(const struct loop *loop) {
    return loop->ops->kind;
}

struct loop_source *loop_source_find(const struct loop *loop, loop_source_t id) {
    uint32_t slot = loop_source_slot(id);

    if (slot >= loop->n_slots || loop_source_id(loop, slot) != id)
        return NULL;
    return &loop->sources[slot];
}

static int table_grow(struct loop *loop) {
    uint32_t n = loop->n_allocated > 0 ? loop->n_allocated * 2 : SLOTS_AT_FIRST;
    struct loop_source *sources;

    if (n > SLOTS_AT_MOST)
        return -ENOSPC;

    sources = reallocarray(loop->sources, n, sizeof(*sources));
    if (!sources)
        return -ENOMEM;

    loop->sources = sources;
    loop->n_allocated = n;
    return 0;
}

static int slot_acquire(struct loop *loop, uint32_t *ret_slot) {
    int r;

    if (loop->first_free != LOOP_NO_SLOT) {
        *ret_slot = loop->first_free;
        loop->first_free = loop->sources[*ret_slot].next_free;
        return 0;
    }

    if (loop->n_slots == loop->n_allocated) {
        r = table_grow(loop);
        if (r < 0)
            return r;
    }
    *ret_slot = loop->n_slots++;
    loop->sources[*ret_slot].generation = 1;
    return 0;
}

static void slot_release(struct loop *loop, uint32_t slot) {
    struct loop_source *source = &loop->sources[slot];

    *source = (struct loop_source){
        .generation = MAX(source->generation + 1, UINT32_C(1)),
        .next_free = loop->first_free,
    };
    loop->first_free = slot;
}

static void source_forget(struct loop *loop, uint32_t slot) {
    loop->ops->forget(loop, slot);
    slot_release(loop, slot);
}

idle_path int loop_commit(struct loop *loop) {
    int r;

    if (!loop->eager || loop->in_turn || !loop->batch->ours)
        return 0;

    r = loop_timers_arm(&loop->timers);
    return r < 0 ? r : loop->ops->flush(loop);
}

int loop_add(struct loop *loop, const struct loop_watch *watch, loop_source_t *ret_source) {
    uint32_t slot;
    int r;

    if (!loop->batch->ours)
        return -ECHILD;

    r = slot_acquire(loop, &slot);
    if (r < 0)
        return r;

    loop->sources[slot] = (struct loop_source){
        .fn = watch->fn,
        .data = watch->data,
        .value = watch->value,
        .fd = watch->fd,
        .generation = loop->sources[slot].generation,
        .events = (uint8_t)watch->events,
        .priority = (uint8_t)watch->priority,
        .once = watch->once,
    };
    r = loop->ops->add(loop, slot);
    if (r < 0) {
        slot_release(loop, slot);
        return r;
    }
    r = loop_commit(loop);
    if (r < 0) {
        source_forget(loop, slot);
        return r;
    }

    *ret_source = loop_source_id(loop, slot);
    return 0;
}

int loop_modify(struct loop *loop, loop_source_t id, unsigned events) {
    struct loop_source *source;
    int r;

    if (!loop->batch->ours)
        return -ECHILD;

    source = loop_source_find(loop, id);
    if (!source)
        return -ENOENT;
    if (source->events == events)
        return 0;

    source->events = (uint8_t)events;
    r = loop->ops->modify(loop, loop_source_slot(id));
    return r < 0 ? r : loop_commit(loop);
}

void loop_remove(struct loop *loop, loop_source_t id) {
    if (!loop->batch->ours || !loop_source_find(loop, id))
        return;

    source_forget(loop, loop_source_slot(id));
    loop_commit(loop);
}

void loop_batch_push(struct loop *loop, loop_source_t id, unsigned events) {
    struct loop_batch *batch = loop->batch;
    const struct loop_source *source = loop_source_find(loop, id);

    if (!source)
        return;
    batch->ready[batch->count++] = (struct loop_ready){
        .source = id,
        .events = (uint16_t)events,
        .priority = source->priority,
    };
}

/* Returns how many callbacks ran: 0 or 1. */
static idle_path int dispatch_one(struct loop *loop, const struct loop_ready *ready) {
    const struct loop_source *found = loop_source_find(loop, ready->source);
    struct loop_source source;
    unsigned events;

    if (!found || !found->fn || found->events == 0)
        return 0;

    source = *found; /* the callback may move the table */
    events = ready->events & (source.events | LOOP_ERR | LOOP_HUP);
    if (events == 0)
        return 0;

    if (source.once)
        source_forget(loop, loop_source_slot(ready->source));
    source.fn(source.data, source.value, source.fd, events);
    return 1;
}

static idle_path int dispatch(struct loop *loop) {
    const struct loop_batch *batch = loop->batch;
    int callbacks = 0;

    for (unsigned priority = 0; priority < LOOP_PRIORITY_MAX; priority++)
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->ready[i].priority == priority)
                callbacks += dispatch_one(loop, &batch->ready[i]);
    return batch->ours ? callbacks : -ECHILD;
}

static idle_path int turn(struct loop *loop, bool wait) {
    int callbacks, r;

    r = loop_timers_arm(&loop->timers);
    if (r < 0)
        return r;

    r = loop->ops->collect(loop, wait);
    if (r < 0)
        return r;

    callbacks = dispatch(loop);
    if (callbacks < 0)
        return callbacks;

    r = loop_timers_run(loop);
    return r < 0 ? r : callbacks + r;
}

idle_path int loop_turn(struct loop *loop, bool wait) {
    int r;

    if (!loop->batch->ours)
        return -ECHILD;
    if (loop->in_turn)
        return -EBUSY;

    /* Something may have been ready for the loop's own use alone: go on waiting then. */
    loop->in_turn = true;
    do
        r = turn(loop, wait);
    while (wait && r == 0);
    loop->in_turn = false;

    if (r < 0)
        return r == -EINTR ? 0 : r;
    loop_commit(loop);
    return r;
}

int loop_fd(struct loop *loop) {
    loop->eager = true;
    loop_commit(loop);
    return loop->fd;
}

/* With LOOP_AUTO whatever stops the ring, from seccomp to memory, is no reason not to run. */
static int backend_open(struct loop *loop, enum loop_backend backend) {
    int r;

    if (backend != LOOP_EPOLL) {
        loop->ops = &loop_uring_ops;
        r = loop->ops->open(loop);
        if (r >= 0 || backend == LOOP_URING)
            return r;
    }
    loop->ops = &loop_epoll_ops;
    return loop->ops->open(loop);
}

static int batch_new(struct loop_batch **ret_batch) {
    struct loop_batch *batch =
        mmap(NULL, sizeof(*batch), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (batch == MAP_FAILED)
        return -errno;
    if (madvise(batch, sizeof(*batch), MADV_WIPEONFORK) < 0) {
        int r = -errno;

        munmap(batch, sizeof(*batch));
        return r;
    }

    batch->ours = true;
    *ret_batch = batch;
    return 0;
}

static int timers_watch(struct loop *loop) {
    struct loop_watch watch = {
        .fd = loop->timers.fd, .events = LOOP_IN, .priority = LOOP_PRIORITY_LOG};
    loop_source_t source;

    return loop_add(loop, &watch, &source);
}

int loop_new(enum loop_backend backend, struct loop **ret_loop) {
    struct loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop)
        return -ENOMEM;
    loop->first_free = LOOP_NO_SLOT;

    r = batch_new(&loop->batch);
    if (r < 0)
        goto fail;
    r = loop_timers_init(&loop->timers);
    if (r < 0)
        goto fail_batch;
    r = backend_open(loop, backend);
    if (r < 0)
        goto fail_timers;
    r = timers_watch(loop);
    if (r < 0) {
        loop_free(loop);
        return r;
    }

    *ret_loop = loop;
    return 0;

fail_timers:
    loop_timers_finish(&loop->timers);
fail_batch:
    munmap(loop->batch, sizeof(*loop->batch));
fail:
    free(loop);
    return r;
}

struct loop *loop_free(struct loop *loop) {
    if (!loop)
        return NULL;

    loop->ops->close(loop, !loop->batch->ours);
    loop_timers_finish(&loop->timers);
    munmap(loop->batch, sizeof(*loop->batch));
    free(loop->sources);
    free(loop);
    return NULL;
}
