/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Points in time as RFC 3339 writes them, in UTC with microseconds: "2026-11-22T19:28:58.010255Z".
 * Always the same length, so text and time sort alike. Nanoseconds since 1970.
 */

#include <stddef.h>
#include <stdint.h>

#define UTC_LENGTH 27

/* Writes UTC_LENGTH characters and a NUL; returns `buffer`. Years after 9999 are written as 9999.
 */
const char *utc_format(uint64_t wall, char buffer[UTC_LENGTH + 1]);

/* Reads exactly UTC_LENGTH characters. -EINVAL: that is no time, or not one from 1970 to 2554. */
int utc_parse(const char *text, uint64_t *ret_wall);
