/* SPDX-License-Identifier: MIT */
#include "core/rate.h"

#include "base/macro.h"

/*
 * One number says it all: `full_at` moves on by the time that a token takes to come back, and may
 * not be further ahead than a whole bucket takes.
 */
bool rate_take(struct rate *rate, const struct rate_limit *limit, nsec_t now) {
    if (limit->burst == 0)
        return true;

    nsec_t full_at = MAX(rate->full_at, now);
    nsec_t after = nsec_add(full_at, limit->interval / limit->burst);
    if (nsec_sub(after, now) > limit->interval) {
        rate->suppressed++;
        return false;
    }
    rate->full_at = after;
    return true;
}

uint64_t rate_tell(struct rate *rate) {
    uint64_t suppressed = rate->suppressed;

    rate->suppressed = 0;
    return suppressed;
}
