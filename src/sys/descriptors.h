/* SPDX-License-Identifier: MIT */
#pragma once

/* The table of descriptors as a whole. */

#include <stddef.h>

/* Descriptors 0, 1 and 2 are for standard streams only, whether they are open or not. */
#define DESCRIPTORS_FIRST_FREE 3

/*
 * Moves a descriptor out of the way of the standard streams if it is in it, close-on-exec. Returns
 * the descriptor to use from now on; on failure the old one is closed. A negative `fd` (a failed
 * open) is -errno, so that calls can be nested.
 */
int descriptors_move_up_consume(int fd);

/* Closes all but 0, 1, 2 and those in `kept` (in any order; negative ones are passed over). */
void descriptors_close_except(const int *kept, size_t count);
