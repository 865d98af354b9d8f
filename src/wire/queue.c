/* SPDX-License-Identifier: MIT */
#include "wire/queue.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

#define QUEUE_START 512

void queue_finish(struct queue *queue) {
    free(queue->data);
    *queue = (struct queue){};
}

static bool grow(struct queue *queue, size_t wanted) {
    size_t capacity = MAX(queue->capacity, (size_t)QUEUE_START);

    while (capacity < wanted && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < wanted)
        return false;
    char *grown = realloc(queue->data, capacity);
    if (!grown)
        return false;
    queue->data = grown;
    queue->capacity = capacity;
    return true;
}

char *queue_room(struct queue *queue, size_t size) {
    if (size > SIZE_MAX / 4 - queue->length)
        goto fail;
    if (queue->begin + queue->length + size > queue->capacity) {
        /* Where moving gains less than half of the room, it would soon have to be done again. */
        size_t wanted = queue->begin > 0 ? 2 * (queue->length + size) : queue->length + size;

        if (queue->begin > 0)
            memmove(queue->data, queue->data + queue->begin, queue->length);
        queue->begin = 0;
        if (wanted > queue->capacity && !grow(queue, wanted))
            goto fail;
    }
    return queue->data + queue->begin + queue->length;
fail:
    queue->failed = true;
    return NULL;
}

void queue_commit(struct queue *queue, size_t length) {
    assert(queue->begin + queue->length + length <= queue->capacity);
    queue->length += length;
}

void queue_drop(struct queue *queue, size_t length) {
    assert(length <= queue->length);
    queue->begin += length;
    queue->length -= length;
    if (queue->length == 0) {
        free(TAKE(queue->data));
        queue->begin = queue->capacity = 0;
    }
}

void queue_add(struct queue *queue, const char *bytes, size_t length) {
    char *room = length > 0 ? queue_room(queue, length) : NULL;

    if (!room)
        return;
    memcpy(room, bytes, length);
    queue_commit(queue, length);
}

void queue_add_text(struct queue *queue, const char *text) {
    queue_add(queue, text, strlen(text));
}

void queue_write(struct queue *queue, queue_write_fn fn, const void *data) {
    struct buffer buffer;

    for (size_t size = QUEUE_START;; size *= 2) {
        char *room = queue_room(queue, size);

        if (!room)
            return;
        *room = '\0';
        buffer = (struct buffer){.data = room, .size = size};
        fn(&buffer, data);
        if (!buffer.cut)
            break;
    }
    queue_commit(queue, buffer.length);
}
