/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A look at a sink's file and at what is still to be written into it. The loop asks, the writer's
 * thread answers, which alone knows. Nothing is taken from anywhere: what waits is rendered once
 * more, by the code that is going to write it, over copies of what that code changes.
 */

#include <stdatomic.h>

#include "run/sink.h"

struct peek {
    struct peek *next;   /* the writer's, while it is under way */
    void *owner;         /* who has asked; NULL: nobody wants to know any more */
    uint64_t ticket;     /* the asker's */
    atomic_size_t *room; /* bytes that all answers together may still need */

    /* The answer. */
    int error; /* of looking at the file */
    struct sink_file file;
    char *bytes;
    size_t length, capacity;
    size_t n_pending; /* the first bytes: what is going to stand behind the file's `size`, byte for
                         byte; behind them lines whose end has not come yet, as FRAME_UNFINISHED */
    bool is_cut;      /* there was no room for more */
};

/* NULL: out of memory. */
struct peek *peek_new(void *owner, uint64_t ticket, atomic_size_t *room);

/* Accepts NULL; returns NULL. */
struct peek *peek_free(struct peek *peek);

/* In the thread: looks at the sink, and at its chunks from `first` to `last` (NULL: there are
 * none). */
void peek_look(struct peek *peek, struct sink *sink, struct chunk *first, struct chunk *last);
