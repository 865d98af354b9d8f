/* SPDX-License-Identifier: MIT */
#include "conf/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 8192
#define ALIGNMENT  16

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    _Alignas(ALIGNMENT) char data[];
};

static int add_chunk(struct arena *arena, size_t size) {
    size_t room = MAX(size, (size_t)CHUNK_SIZE);
    struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + room);

    if (!chunk)
        return -1;
    *chunk = (struct arena_chunk){arena->chunks, room};
    arena->chunks = chunk;
    arena->used = 0;
    return 0;
}

void *arena_alloc(struct arena *arena, size_t size) {
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((!arena->chunks || arena->chunks->size - arena->used < size) && add_chunk(arena, size) < 0)
        return NULL;
    void *memory = arena->chunks->data + arena->used;
    arena->used += size;
    return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length) {
    char *copy = arena_alloc(arena, length + 1);

    if (copy && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* Arrays have room for a power of two: they move only when the count reaches one. */
void *arena_grow(struct arena *arena, const void *array, size_t count, size_t element) {
    if (count > 0 && (count & (count - 1)) != 0)
        return (void *)array;
    void *moved = arena_alloc(arena, (count == 0 ? 1 : 2 * count) * element);
    if (moved && count > 0)
        memcpy(moved, array, count * element);
    return moved;
}

void arena_finish(struct arena *arena) {
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        free(chunk);
    }
    *arena = (struct arena){0};
}
