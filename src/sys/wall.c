/* SPDX-License-Identifier: MIT */
#include "sys/wall.h"

#include <time.h>

#include "base/nsec.h"

uint64_t wall_clock(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}
