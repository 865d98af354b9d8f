/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Bytes that come in at one end and leave at the other: what a peer has sent and nobody has taken
 * yet, what waits to be sent. It grows as needed; a bound is the user's. An empty queue holds no
 * memory, so that a thousand idle peers cost nothing.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Zeroed before its first use. */
struct queue {
    char *data;
    size_t begin, length, capacity;
    bool failed; /* out of memory once: what is in it is not whole */
};

/* Frees the memory; the queue is empty and can be used again. */
void queue_finish(struct queue *queue);

static inline const char *queue_bytes(const struct queue *queue) {
    return queue->data ? queue->data + queue->begin : "";
}

void queue_add(struct queue *queue, const char *bytes, size_t length);
void queue_add_text(struct queue *queue, const char *text);

/* Adds what `fn` writes; it is called again with more room for as long as its text is cut. */
typedef void (*queue_write_fn)(struct buffer *buffer, const void *data);
void queue_write(struct queue *queue, queue_write_fn fn, const void *data);

/* Room for `size` more bytes, of which queue_commit() says how many were written; or NULL. */
char *queue_room(struct queue *queue, size_t size);
void queue_commit(struct queue *queue, size_t length);

/* Forgets the first `length` bytes. */
void queue_drop(struct queue *queue, size_t length);
