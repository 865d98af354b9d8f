/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A limit on how many lines may pass: a bucket of `burst` tokens that fills up again evenly within
 * `interval`. What does not pass is counted until somebody tells of it. Pure: time is passed in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/nsec.h"

struct rate_limit {
    uint32_t burst; /* 0: no limit */
    nsec_t interval;
};

/* How full the bucket is. Several may take from one, each with a limit of its own. */
struct rate {
    nsec_t full_at; /* when it would be full again */
    uint64_t suppressed;
};

/* Takes a token. False where there is none, and one more is counted as suppressed. */
bool rate_take(struct rate *rate, const struct rate_limit *limit, nsec_t now);

/* How many have been suppressed since the last call. */
uint64_t rate_tell(struct rate *rate);
