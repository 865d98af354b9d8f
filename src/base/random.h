/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A small deterministic generator (splitmix64, Steele, Lea, Flood 2014): jitter and the simulator
 * want numbers that a seed replays, not secrets.
 */

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 … bound − 1; bound > 0. The bias is below 2^-32 for any bound used here. */
static inline uint64_t random_below(struct random *random, uint64_t bound) {
    return random_next(random) % bound;
}
