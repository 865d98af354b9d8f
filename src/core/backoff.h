/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Backoff: how long to wait before the next restart. The first restart is at once, or after
 * `first`; the second failure in a row waits `base`, each further one `factor` times more, up to
 * `max`, with a random part of `jitter` to either side so that a pool does not come back in step. A
 * run of at least `reset` is stable and starts the ladder over.
 */

#include "base/nsec.h"
#include "base/random.h"

struct backoff_rules {
    nsec_t first; /* before the first restart */
    nsec_t base;  /* 0: no delay ever */
    nsec_t max;
    nsec_t reset;
    unsigned factor_permille; /* 2000 = doubling */
    unsigned jitter_permille; /* 100 = ± 10 % */
};

struct backoff {
    uint32_t failures; /* in a row */
};

/* What brood does when nobody says otherwise. */
struct backoff_rules backoff_default(void);

/* Counts a failure after a run of `ran` and returns the delay before the restart. */
nsec_t backoff_next(
    struct backoff *backoff, const struct backoff_rules *rules, nsec_t ran, struct random *random);

/* The value, and up to `permille` of it more or less. */
nsec_t backoff_jitter(nsec_t value, unsigned permille, struct random *random);

/*
 * Reads "none", "200ms" (base), "100ms..30s" (base and max) or a list of first=, base=, factor=,
 * max=, jitter=, reset= over the defaults. -EINVAL.
 */
int backoff_parse(const char *text, struct backoff_rules *ret_rules);
