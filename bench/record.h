/* SPDX-License-Identifier: MIT */
#pragma once

/* What a worker tells the sampler: one record for each start, written into the FIFO that the
 * environment variable BENCH_FIFO names. The time is taken by the worker's first instruction;
 * opening the FIFO and writing come after it, so that the way of telling is not measured. With
 * BENCH_ONCE in the environment the worker exits with status 1 at once, otherwise it sleeps; with
 * BENCH_LINE_MS, which worker_glibc alone knows, it writes a line that often. */

#include <stdint.h>

#define BENCH_FIFO    "BENCH_FIFO"
#define BENCH_ONCE    "BENCH_ONCE"
#define BENCH_LINE_MS "BENCH_LINE_MS"

struct bench_record {
    uint64_t ns; /* CLOCK_MONOTONIC */
    int32_t pid;
    int32_t ppid; /* the process that has to restart it */
};

_Static_assert(sizeof(struct bench_record) == 16, "a record is written and read as it lies");
