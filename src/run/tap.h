/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The writer's half of one captured stream, and what it is sent. Chunks arrive in the order in
 * which the loop has read; the writer's thread cuts them into lines, so that the loop does not have
 * to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"
#include "core/rate.h"
#include "run/sink.h"

struct tap {
    struct sink *sink;

    /* The thread's alone. */
    struct frame_tag tag;
    struct frame frame;
    struct rate *rate;       /* of the worker; NULL: no limit. The thread's alone, too */
    struct rate_limit limit; /* with `rate`: as it was when the process was started */
    struct frame_piece held; /* cut off, and not taken by the sink yet */
    bool is_held;
    bool passes;              /* the line that is being written is one that the limit lets pass */
    struct tap *next, **link; /* of the sink's taps; link NULL: it is not among them */
    struct tap *shadow;       /* while somebody looks (run/peek.h) */

    /* Under the writer's lock. */
    size_t queued;  /* bytes in chunks */
    size_t room_at; /* tell the loop when no more than this is queued; SIZE_MAX: no need to */
    bool ended;     /* the last chunk has been written */
    bool is_told;   /* in the list of those of whom the loop is to be told */
    struct tap *next_told;
};

enum chunk_kind {
    CHUNK_BYTES,
    CHUNK_HOLE,   /* `lines` lines are missing here */
    CHUNK_NOTE,   /* the text is brood's */
    CHUNK_ORPHAN, /* the process has ended; what comes now is by something that it left behind */
    CHUNK_PIPE,   /* move what is in `pipe`, for a while */
    CHUNK_END,
};

struct chunk {
    struct chunk *next;
    struct tap *tap;
    enum chunk_kind kind;
    uint64_t wall; /* when it was read: nanoseconds since 1970 */
    nsec_t now;    /* and on the monotonic clock */
    uint64_t lines;
    bool mid_line; /* the hole ends in the middle of a line */
    int pipe;
    size_t least; /* bytes that have to be moved from it, as far as they are there */
    uint8_t step; /* how much of it has been done */
    size_t offset, length;
    char bytes[];
};

/* Writes a chunk, or what is left of it. Negative errno: the rest later, with the same call. */
int tap_write(struct tap *tap, struct chunk *chunk);

/* Puts it among the sink's taps, where it stays until its last chunk has been written. */
void tap_enlist(struct tap *tap);

/* Frees what the cutting needed. */
void tap_finish(struct tap *tap);
