/* SPDX-License-Identifier: MIT */
#pragma once

/* Which state met which event, and which state followed which: what a run has really tried. */

#include <stdbool.h>

#include "core/pool.h"

struct coverage {
    uint64_t events[WORKER_STATE_MAX][EVENT_MAX];
    uint64_t changes[WORKER_STATE_MAX][WORKER_STATE_MAX]; /* from, to */
    uint64_t reports[REPORT_MAX];
};

/* The transitions of the essay in worker.h; any other one is a bug. */
bool coverage_may_follow(enum worker_state from, enum worker_state to);

void coverage_add(struct coverage *sum, const struct coverage *part);

/* Prints the tables; returns how many of the cells that can be hit were not. */
unsigned coverage_print(const struct coverage *coverage);
