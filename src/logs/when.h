/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Points in time as people write them, in local time unless they end with Z: "2026-11-22",
 * "2026-11-22 19:28", "2026-11-22T19:28:58.010255Z", "19:28", "now", "today", "yesterday",
 * "@1795375738" (seconds since 1970), and a duration, which is that long ago: "10min", "1h 30min".
 */

#include <stdint.h>

/* Nanoseconds since 1970; `now` likewise. -EINVAL. */
int when_parse(const char *text, uint64_t now, uint64_t *ret_wall);
