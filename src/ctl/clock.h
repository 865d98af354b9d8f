/* SPDX-License-Identifier: MIT */
#pragma once

#include <time.h>

#include "base/nsec.h"

/* The monotonic clock. */
static inline nsec_t clock_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (nsec_t)now.tv_sec * NSEC_PER_SEC + (nsec_t)now.tv_nsec;
}
