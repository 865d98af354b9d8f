/* SPDX-License-Identifier: MIT */

/*
 * The io_uring backend: one-shot polls, one system call a turn.
 *
 * A source has at most one poll in flight (`armed`), and each poll ends with exactly one
 * completion, whether it became ready, was cancelled, or failed. From there the source goes through
 * the batch, and is polled again after the dispatch if it is still there and still wants something.
 * A new poll looks at the file anew, which is what makes the source level-triggered: multishot
 * polls tell of wake-ups, so they would stay silent about the half that a callback left unread.
 * Polling again rides on the turn's one io_uring_enter and costs no call of its own.
 *
 * Changing what is waited for cancels the poll; its completion brings the new wish into force.
 * Completions for a source that is gone carry a generation that is gone, and completions of
 * cancellations carry 0: both fall out at the first look.
 *
 * The queues are small, since a supervisor at rest should be. Completions that do not fit are kept
 * by the kernel (IORING_FEAT_NODROP is required) and come with a later turn: measured, a queue of
 * 1024 is no faster than one of 128 in a storm of 10000, and costs 16 KiB more. Submissions that do
 * not fit are submitted early; where the kernel refuses that for the moment (an old one does while
 * completions overflow) the backend is `starved`, and the next turns look through all sources for
 * what is still to be done. So adding and changing a source never fail for want of room.
 *
 * Nothing here asks for a kernel's version: operations are probed, flags are tried.
 */

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/macro.h"
#include "loop/loop_backend.h"

/* The submission entries fill one page, the rings of indices and of completions another. */
#define ENTRIES          64
#define ENTRIES_AT_LEAST 8
#define CQ_FACTOR        2

_Static_assert(ENTRIES *CQ_FACTOR <= LOOP_BATCH, "all that the queue holds fits into the batch");

struct uring {
    struct io_uring ring;
    bool starved;         /* some polls could not be started or cancelled for want of room */
    uint32_t next_served; /* where the search for them goes on, round and round, to be fair */
};

static uint32_t events_to_poll(unsigned events) {
    return (events & LOOP_IN ? POLLIN : 0) | (events & LOOP_OUT ? POLLOUT : 0);
}

static unsigned events_from_poll(int events) {
    return (events & POLLIN ? LOOP_IN : 0) | (events & POLLOUT ? LOOP_OUT : 0) |
           (events & POLLERR ? LOOP_ERR : 0) | (events & POLLHUP ? LOOP_HUP : 0);
}

/*
 * The better set of flags first; a kernel that does not know them says EINVAL.
 *
 * Not IORING_SETUP_DEFER_TASKRUN: work that it defers does not wake whoever sleeps in a poll on the
 * ring's descriptor, so loop_fd() would be deaf, for half a microsecond gained a wake-up.
 */
static int ring_setup(unsigned entries, struct io_uring *ring) {
    static const unsigned flags[] = {
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
        0,
    };
    int r = -EINVAL;

    for (size_t i = 0; i < ELEMENTS(flags) && r == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = flags[i] | IORING_SETUP_CQSIZE,
            .cq_entries = entries * CQ_FACTOR,
        };

        r = io_uring_queue_init_params(entries, ring, &params);
    }
    return r;
}

/* Where locked memory is short (old kernels count the ring against it), a smaller one may fit. */
static int ring_setup_what_fits(struct io_uring *ring) {
    int r = -ENOMEM;

    for (unsigned entries = ENTRIES; entries >= ENTRIES_AT_LEAST && r == -ENOMEM; entries /= 2)
        r = ring_setup(entries, ring);
    return r;
}

static int ring_check(struct io_uring *ring) {
    struct io_uring_probe *probe;
    bool complete;

    if (!(ring->features & IORING_FEAT_NODROP))
        return -EOPNOTSUPP;

    probe = io_uring_get_probe_ring(ring);
    if (!probe)
        return -EOPNOTSUPP;

    complete = io_uring_opcode_supported(probe, IORING_OP_POLL_ADD) &&
               io_uring_opcode_supported(probe, IORING_OP_POLL_REMOVE);
    io_uring_free_probe(probe);
    return complete ? 0 : -EOPNOTSUPP;
}

static int uring_open(struct loop *loop) {
    struct uring *uring = calloc(1, sizeof(*uring));
    int r;

    if (!uring)
        return -ENOMEM;

    r = ring_setup_what_fits(&uring->ring);
    if (r < 0)
        goto fail;

    r = ring_check(&uring->ring);
    if (r >= 0)
        r = io_uring_ring_dontfork(&uring->ring);
    if (r < 0) {
        io_uring_queue_exit(&uring->ring);
        goto fail;
    }

    loop->uring = uring;
    loop->fd = uring->ring.ring_fd;
    return 0;

fail:
    free(uring);
    return r;
}

static void uring_close(struct loop *loop, bool inherited) {
    /* A forked child has no mapping of the ring: something else may be there by now. */
    if (inherited)
        close(loop->fd);
    else
        io_uring_queue_exit(&loop->uring->ring);
    free(loop->uring);
}

/* A free submission entry, or NULL when the kernel takes nothing now: the backend is starved. */
static struct io_uring_sqe *sqe_get(struct uring *uring) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    if (!sqe && io_uring_submit(&uring->ring) >= 0)
        sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe)
        uring->starved = true;
    return sqe;
}

static void poll_start(struct loop *loop, uint32_t slot) {
    struct loop_source *source = &loop->sources[slot];
    struct io_uring_sqe *sqe = sqe_get(loop->uring);

    if (!sqe)
        return;
    io_uring_prep_poll_add(sqe, source->fd, events_to_poll(source->events));
    io_uring_sqe_set_data64(sqe, loop_source_id(loop, slot));
    source->armed = true;
}

static void poll_cancel(struct loop *loop, uint32_t slot) {
    struct io_uring_sqe *sqe = sqe_get(loop->uring);

    loop->sources[slot].owed = !sqe;
    if (!sqe)
        return;
    io_uring_prep_poll_remove(sqe, loop_source_id(loop, slot));
    io_uring_sqe_set_data64(sqe, 0);
}

/*
 * To the ring a file that cannot be polled is always ready; the contract says -EPERM, as epoll does
 * and which only epoll can tell for every kind of file.
 */
static int check_pollable(int fd) {
    struct epoll_event event = {0};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int r;

    /* Without a descriptor to ask with, it is believed: what needs none is not to fail for that. */
    if (epoll_fd < 0)
        return errno == EMFILE || errno == ENFILE ? 0 : -errno;
    r = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
    close(epoll_fd);
    return r;
}

/* Brings the kernel into line with what the source wants now. */
static void poll_update(struct loop *loop, uint32_t slot) {
    const struct loop_source *source = &loop->sources[slot];

    if (source->batched)
        return; /* after the dispatch */
    if (source->armed)
        poll_cancel(loop, slot);
    else if (source->events != 0)
        poll_start(loop, slot);
}

static int uring_add(struct loop *loop, uint32_t slot) {
    const struct loop_source *source = &loop->sources[slot];

    /* Exits are what is watched once, for each restart anew, and a pidfd can always be polled. */
    if (!source->once) {
        int r = check_pollable(source->fd);

        if (r < 0)
            return r;
    }
    poll_update(loop, slot);
    return 0;
}

static int uring_modify(struct loop *loop, uint32_t slot) {
    poll_update(loop, slot);
    return 0;
}

/* Where even the cancellation finds no room, the poll is left behind: it ends as a stale one. */
static void uring_forget(struct loop *loop, uint32_t slot) {
    if (loop->sources[slot].armed)
        poll_cancel(loop, slot);
}

static void poll_what_starved(struct loop *loop) {
    struct uring *uring = loop->uring;

    uring->starved = false;
    for (uint32_t i = 0; i < loop->n_slots; i++) {
        uint32_t slot = uring->next_served % loop->n_slots;

        if (!loop->sources[slot].armed || loop->sources[slot].owed)
            poll_update(loop, slot);
        if (uring->starved)
            break;
        uring->next_served = slot + 1;
    }
}

/* Starts what a lack of room and the last batch have left to do. */
static idle_path void poll_again(struct loop *loop) {
    struct loop_batch *batch = loop->batch;

    if (loop->uring->starved)
        poll_what_starved(loop);

    for (uint32_t i = 0; i < batch->count; i++) {
        struct loop_source *source = loop_source_find(loop, batch->ready[i].source);

        if (source && source->batched) {
            source->batched = false;
            poll_update(loop, loop_source_slot(batch->ready[i].source));
        }
    }
    batch->count = 0;
}

/* Short of memory, or of room for completions: nothing is lost, what is left goes in later. */
static bool only_for_now(int r) {
    return r == -EAGAIN || r == -EBUSY;
}

static idle_path int uring_flush(struct loop *loop) {
    int r;

    poll_again(loop);
    r = io_uring_submit(&loop->uring->ring);
    return r < 0 && !only_for_now(r) ? r : 0;
}

static idle_path void take_completion(struct loop *loop, const struct io_uring_cqe *cqe) {
    struct loop_source *source = loop_source_find(loop, cqe->user_data);
    unsigned events;

    if (!source)
        return;

    if (cqe->res >= 0)
        events = events_from_poll(cqe->res);
    else
        events = cqe->res == -ECANCELED ? 0 : LOOP_ERR;

    source->armed = false;
    source->owed = false;
    source->batched = true;
    loop_batch_push(loop, cqe->user_data, events);
}

static idle_path unsigned take_completions(struct loop *loop) {
    struct io_uring *ring = &loop->uring->ring;
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    io_uring_for_each_cqe(ring, head, cqe) {
        take_completion(loop, cqe);
        n++;
    }
    io_uring_cq_advance(ring, n);
    return n;
}

static idle_path int uring_collect(struct loop *loop, bool wait) {
    struct io_uring *ring = &loop->uring->ring;
    unsigned n;
    int r;

    poll_again(loop);
    r = wait ? io_uring_submit_and_wait(ring, 1) : io_uring_submit_and_get_events(ring);
    if (r < 0 && r != -EINTR && !only_for_now(r))
        return r;

    /* An interrupted wait that had submitted something does not say so. */
    n = take_completions(loop);
    return wait && n == 0 ? -EINTR : 0;
}

const struct loop_backend_ops loop_uring_ops = {
    .kind = LOOP_URING,
    .open = uring_open,
    .close = uring_close,
    .add = uring_add,
    .modify = uring_modify,
    .forget = uring_forget,
    .flush = uring_flush,
    .collect = uring_collect,
};
