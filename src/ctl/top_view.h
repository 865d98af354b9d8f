/* SPDX-License-Identifier: MIT */
#pragma once

/* What `top` shows: workers with their share of CPU time, in an order, and the last events. */

#include "ctl/snapshot.h"

/* enumerator, name, key */
#define TOP_ORDERS(X)                                                                              \
    X(NAME, "name", 'n')                                                                           \
    X(CPU, "CPU", 'c')                                                                             \
    X(MEMORY, "memory", 'm')

enum top_order {
#define X(name, text, key) TOP_BY_##name,
    TOP_ORDERS(X)
#undef X
        TOP_ORDER_MAX
};

#define TOP_EVENTS 6

/* The CPU time that a worker's tree had used, and its share since the sample before. */
struct sample {
    pid_t pid;
    nsec_t cpu;
    int permille; /* of one CPU; -1: not known yet */
};

struct top_view {
    enum top_order order;
    size_t first; /* row that is shown first */
    size_t page;  /* rows that were shown */
    struct sample *samples;
    size_t n_samples;
    nsec_t sampled; /* 0: never */
    char *events[TOP_EVENTS];
};

void top_view_finish(struct top_view *view);

/* Takes a sample if the last one is old enough. */
void top_view_sample(struct top_view *view, const struct snapshot *snapshot, nsec_t now);

/* One more event, as the supervisor sends it. */
void top_view_event(struct top_view *view, const json_t *event);

/* Exactly as many lines as the screen has; without a terminal, all rows and no more. */
void top_view_draw(struct top_view *view, const struct snapshot *snapshot,
    const struct screen *screen, FILE *file);
