/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where captured lines go: a file, a terminal, syslog, the journal. A sink is made in the thread of
 * the loop and belongs to its writer (run/writer.h) from then on: all of its operations run in the
 * writer's thread, where they may take as long as the disk does.
 *
 * A sink never drops. What it cannot take now it refuses, and it is asked again: so nothing is lost
 * by a full disk that is given room again, and what to do about a sink that takes nothing (hold the
 * worker up, or drop) is decided where the bytes come from (run/capture.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"
#include "core/frame.h"

struct chunk;
struct peek;
struct sink;
struct tap;
struct writer;

/* The file behind a sink. */
struct sink_file {
    enum frame_format format;
    dev_t device;
    ino_t inode; /* 0: there is no file now */
    uint64_t size;
    const char *taken; /* what is to be written behind that; the sink's, until its next operation */
    size_t n_taken;
};

/* Negative errno: not taken, ask again later; -EAGAIN: nothing is wrong, only slow. */
struct sink_ops {
    /* The pieces that follow were read at `wall`, and belong to `tag`. */
    void (*begin)(struct sink *sink, uint64_t wall, const struct frame_tag *tag);

    /* Takes one piece; it need not have been written before flush(). */
    int (*piece)(struct sink *sink, const struct frame_piece *piece);

    /* Writes what has been taken. */
    int (*flush)(struct sink *sink);

    /*
     * Moves what is in a pipe as it is, as long as there is some, but no more than a turn's worth.
     * How many bytes that were; 0: there were none. NULL: it has no use for pipes.
     */
    int (*move)(struct sink *sink, int pipe);

    /* Somebody may have moved the file away: opens it anew. May be NULL. */
    int (*reopen)(struct sink *sink);

    /* Says what the file has. NULL: it has none. */
    int (*look)(struct sink *sink, struct sink_file *ret_file);

    /* Takes new settings over, from memory that is freed afterwards. May be NULL. */
    void (*configure)(struct sink *sink, const void *settings);

    /* Does what time brings, and says when to be called again. May be NULL. */
    nsec_t (*tick)(struct sink *sink, nsec_t now);

    /* Frees it. What has been taken and could not be flushed is lost. */
    void (*close)(struct sink *sink);
};

/* The head of every sink. Zeroed but for ops and name. */
struct sink {
    const struct sink_ops *ops;
    const char *name; /* for people; lives as long as the sink */

    struct tap *taps; /* those that write to it; the thread's alone */

    /* The writer's, under its lock. */
    struct writer *writer;
    struct sink *next, *next_ready;
    struct chunk *first, *last;
    bool is_ready, wants_reopen, closing;
    struct peek *peek; /* somebody wants to look at it; NULL: nobody */
    void *settings;    /* new ones, to be taken over; NULL: none */
    int error;         /* why it takes nothing, or does not do all that it should; 0: it does */
    int told;          /* what has been told of that */
    bool stuck;        /* takes nothing before `due` */
    nsec_t due;        /* when to try again, or to tick */
};
