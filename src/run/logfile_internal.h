/* SPDX-License-Identifier: MIT */
#pragma once

/* What the file sink's two halves share: writing, and the files themselves. */

#include "base/macro.h"
#include "run/logfile.h"

struct logfile {
    struct sink sink;
    struct logfile_settings settings;
    char *path; /* directory/name */

    int directory, fd; /* -1: not open */
    uint64_t size;     /* of the file */
    nsec_t rotate_at;  /* by age; NSEC_NEVER */
    nsec_t next_try;   /* after a rotation that has failed */
    uint64_t sequence; /* of the next rotated file; 0: not known yet */
    bool copies;       /* its file system knows no splice(2) */
    int told;          /* a failure without which it goes on: rotation, compression */

    struct buffer prefix;
    struct buffer out;  /* data NULL while there is nothing in it */
    size_t prefix_size; /* 1 in raw, where there is none: there may be thousands of these */
    char prefix_memory[];
};

static inline struct logfile *logfile_of(struct sink *sink) {
    return container_of(sink, struct logfile, sink);
}

/* Sees to it that the file is open, and still the one that its name means. */
int logfile_open(struct logfile *file);
void logfile_close(struct logfile *file);

/* The first bytes are about to be written: its age counts from now on. */
void logfile_begin_age(struct logfile *file);

/* Gives the file its name for good and begins a new one. A failure is told, and tried again later.
 */
void logfile_rotate(struct logfile *file);

/* Writes all of it or says why not; `ret_written` is how much it was. */
int logfile_write(struct logfile *file, const char *bytes, size_t length, size_t *ret_written);
