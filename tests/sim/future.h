/* SPDX-License-Identifier: MIT */
#pragma once

/* What is yet to happen in virtual time: a binary heap, in the order of time and then of asking. */

#include <stdbool.h>
#include <stddef.h>

#include "core/worker.h"

enum future_kind {
    FUTURE_EVENT,   /* an event for a worker */
    FUTURE_COMMAND, /* somebody does something by hand */
};

struct future {
    nsec_t when;
    uint64_t order;
    enum future_kind kind;
    uint32_t worker; /* the seat */
    uint32_t epoch;  /* … and its occupant */
    struct worker_event event;
};

struct futures {
    struct future *heap;
    size_t count, capacity;
    uint64_t order;
};

void futures_push(struct futures *futures, const struct future *future);

/* False when nothing is left. */
bool futures_pop(struct futures *futures, struct future *ret_future);

void futures_clear(struct futures *futures);
void futures_finish(struct futures *futures);
