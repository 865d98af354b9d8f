/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a log. The one that is written to is called NAME; a rotated one
 * NAME.TIMESTAMP-SEQUENCE, as in web.log.20261122T192858Z-000042, with the time of its last line
 * and a number that grows by one with each; a compressed one has .zst or .gz behind that. The
 * number alone gives the order: clocks jump.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enumerator, what comes behind the name, program */
#define SEGMENT_PACKINGS(X)                                                                        \
    X(PLAIN, "", NULL)                                                                             \
    X(ZSTD, ".zst", "zstd")                                                                        \
    X(GZIP, ".gz", "gzip")

enum segment_packing {
#define X(name, suffix, program) SEGMENT_##name,
    SEGMENT_PACKINGS(X)
#undef X
        SEGMENT_PACKING_MAX
};

const char *segment_suffix(enum segment_packing packing);
const char *segment_program(enum segment_packing packing);

/* What a compression that is still going on writes to has this behind its name to be. */
#define SEGMENT_UNFINISHED ".part"

#define SEGMENT_NAME_MAX 256

/* No log gets so far: a file with a higher number is somebody else's, and does not end the count.
 */
#define SEGMENT_SEQUENCE_MAX UINT64_C(999999999999)

struct segment {
    char file[SEGMENT_NAME_MAX];
    uint64_t sequence;
    uint64_t wall; /* when it was rotated, in nanoseconds since 1970, to the second */
    enum segment_packing packing;
    bool unfinished; /* a compression that was interrupted, or goes on */
};

/* The name of a rotated file. -ENAMETOOLONG; -EOVERFLOW: no number is left. */
int segment_format(const char *name, uint64_t wall, uint64_t sequence, char file[SEGMENT_NAME_MAX]);

/* -EINVAL: that is no rotated file of the log NAME. */
int segment_parse(const char *file, const char *name, struct segment *ret_segment);

struct segment_list {
    struct segment *segments; /* the oldest first; of a pair, the plain one first */
    size_t count;
};

/* The rotated files of a log. The list is empty on failure. */
int segment_list(int directory, const char *name, struct segment_list *ret_list);

void segment_list_finish(struct segment_list *list);
