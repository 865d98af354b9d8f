/* SPDX-License-Identifier: MIT */
#pragma once

/* The time of day, for people and for the names of files; never to wait by: it may jump. */

#include <stdint.h>

/* Nanoseconds since 1970 (CLOCK_REALTIME). */
uint64_t wall_clock(void);
