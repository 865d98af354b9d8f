/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Memory that is given back all at once: a configuration is many small things that live as long as
 * each other. Nothing in it is freed alone. NULL: out of memory.
 */

#include <stddef.h>

#include "base/macro.h"

struct arena_chunk;

/* Zeroed is empty. */
struct arena {
    struct arena_chunk *chunks; /* the newest first */
    size_t used;                /* of the newest */
};

/* Zeroed memory, aligned for anything. */
void *arena_alloc(struct arena *arena, size_t size);

/* Copies `length` bytes and ends them. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

char *arena_format(struct arena *arena, const char *format, ...) printf_like(2, 3);

/*
 * Room for one more element in an array of `count` (the old content copied where it had to move).
 * Returns the array.
 */
void *arena_grow(struct arena *arena, const void *array, size_t count, size_t element);

void arena_finish(struct arena *arena);
