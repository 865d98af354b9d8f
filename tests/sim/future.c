/* SPDX-License-Identifier: MIT */
#include "future.h"

#include <stdlib.h>

static bool earlier(const struct future *a, const struct future *b) {
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void futures_push(struct futures *futures, const struct future *future) {
    if (futures->count == futures->capacity) {
        futures->capacity = futures->capacity ? 2 * futures->capacity : 256;
        futures->heap = reallocarray(futures->heap, futures->capacity, sizeof(*futures->heap));
        if (!futures->heap)
            abort();
    }
    struct future entry = *future;
    size_t at = futures->count++;

    entry.order = futures->order++;
    for (; at > 0 && earlier(&entry, &futures->heap[(at - 1) / 2]); at = (at - 1) / 2)
        futures->heap[at] = futures->heap[(at - 1) / 2];
    futures->heap[at] = entry;
}

bool futures_pop(struct futures *futures, struct future *ret_future) {
    size_t at = 0;

    if (futures->count == 0)
        return false;
    *ret_future = futures->heap[0];
    struct future last = futures->heap[--futures->count];
    for (size_t child; (child = 2 * at + 1) < futures->count; at = child) {
        if (child + 1 < futures->count && earlier(&futures->heap[child + 1], &futures->heap[child]))
            child++;
        if (!earlier(&futures->heap[child], &last))
            break;
        futures->heap[at] = futures->heap[child];
    }
    futures->heap[at] = last;
    return true;
}

void futures_clear(struct futures *futures) {
    futures->count = 0;
}

void futures_finish(struct futures *futures) {
    free(futures->heap);
    *futures = (struct futures){0};
}
