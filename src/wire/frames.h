/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Varlink's frames: each message is text that ends with a NUL byte. A stream is cut into them as
 * it comes, half a message or several at a time, and a message longer than the bound is refused
 * before it has been kept.
 */

#include "wire/queue.h"

struct frames {
    struct queue queue;
    size_t max;     /* the longest message, without its end */
    size_t scanned; /* this much of the first message holds no end */
    size_t taken;   /* of the message that frames_next() has handed out */
};

#define FRAMES_INIT(longest) ((struct frames){.max = (longest)})

void frames_finish(struct frames *frames);

/*
 * Reads once what the socket has. Returns how many bytes, 0 at its end, or a negative errno
 * (-EAGAIN from a socket that does not block; -EINTR is tried again). Invalidates what
 * frames_next() gave.
 */
int frames_read(struct frames *frames, int fd);

/* The same bytes from elsewhere: 0 or -ENOMEM. */
int frames_add(struct frames *frames, const char *bytes, size_t length);

/*
 * The next whole message: 1 with a terminated text, good until the next call; 0 when there is none
 * yet; -EMSGSIZE when it is longer than the bound: the stream is of no use any more.
 */
int frames_next(struct frames *frames, const char **ret_text, size_t *ret_length);

/* Whether frames_next() has something to say: a message, or that there is one too long. */
bool frames_ready(struct frames *frames);

/* Bytes that have come and are in no message handed out. */
size_t frames_waiting(const struct frames *frames);
