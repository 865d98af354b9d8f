/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Time is one type everywhere: nanoseconds in 64 bits, on the monotonic clock when it is a point in
 * time. NSEC_NEVER is the far end: a timer that does not fire, a limit that does not bind.
 */

#include <stdint.h>

typedef uint64_t nsec_t;

#define NSEC_NEVER    UINT64_MAX
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC  UINT64_C(1000000000)

/* a + b, saturating at NSEC_NEVER. */
static inline nsec_t nsec_add(nsec_t a, nsec_t b) {
    nsec_t sum;

    return __builtin_add_overflow(a, b, &sum) ? NSEC_NEVER : sum;
}

/* a - b, not below 0. */
static inline nsec_t nsec_sub(nsec_t a, nsec_t b) {
    return a > b ? a - b : 0;
}
