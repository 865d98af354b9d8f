/* SPDX-License-Identifier: MIT */
#include "sys/seed.h"

#include <sys/random.h>
#include <unistd.h>

uint64_t seed_random(void) {
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
        seed = (uint64_t)getpid();
    return seed;
}
