/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the tests of capturing share: a directory of their own, a loop on the backend that
 * BROOD_LOOP names, a capture, and a pool in it. The test plays the worker: it writes to the ends
 * that a child would be given. Waiting is for events, bounded by the suites' timeouts.
 */

#include <criterion/criterion.h>

#include "logs/segment.h"
#include "run/capture.h"

#define RIG_TIMEOUT 60

struct rig {
    char directory[64];
    struct loop *loop;
    struct capture *capture;
    struct capture_settings settings;
    struct capture_pool *pool;
    unsigned troubles, recoveries;
    int last_error;
    char syslog_path[96], journal_path[96];
};

/* A capture without a pool; `settings` are for one called "web", in text, in the directory. */
void rig_init(struct rig *rig);

/* Opens the pool as `settings` say. */
void rig_open(struct rig *rig);

/* … and as they say after a change. True: it is the same pool. */
bool rig_change(struct rig *rig);

/* Frees the pool and writes all that there is; the directory stays. */
void rig_close(struct rig *rig);

/* Removes the directory with all that is in it. */
void rig_finish(struct rig *rig);

/* A process with pid 100 + worker; its write ends are duplicates, which the test closes. */
struct rig_process {
    struct capture_process *process;
    int fds[FRAME_STREAM_MAX];
};

struct rig_process rig_start(struct rig *rig, uint32_t worker, uint32_t generation);
void rig_write(const struct rig_process *process, enum frame_stream stream, const char *text);

/* Closes the ends and ends the process. */
void rig_end(struct rig_process *process, struct buffer *ret_words);

/* Opens it with a file in the directory's place: nothing can be written until that goes. */
void rig_spoil(struct rig *rig, char place[96]);

/* Turns the loop until the number has come up to `wanted`. */
void rig_turn_until(struct rig *rig, const unsigned *number, unsigned wanted);

/* Turns the loop until all streams of the pool have come to their end. */
void rig_turn_until_ended(struct rig *rig);

/* Until there is nothing to do, nor has been for longer than a look at the pipes is put off. */
void rig_turn_until_quiet(struct rig *rig);

/* A file of the directory, whole, with a NUL; the caller's. NULL: it is not there. */
char *rig_read(const struct rig *rig, const char *name);

/* All that the log NAME has in its files, the oldest first; the caller's. */
char *rig_read_all(const struct rig *rig, const char *name);

/* The text of the lines of a log without their prefixes. */
char *rig_strip(const char *log);

unsigned rig_count(const char *text, const char *what);

/* Writes lines that are numbered from 0, and turns the loop as often as there is something to do.
 */
void rig_write_lines(struct rig *rig, const struct rig_process *process, unsigned n);

/* One process that writes so many lines, to its end. */
void rig_run(struct rig *rig, unsigned n);

/* These lines, and no others, are in all the files of web.log. */
void rig_check_lines(const struct rig *rig, unsigned n);

/* The rotated files of web.log; to be finished. */
struct segment_list rig_segments(const struct rig *rig);
size_t rig_count_segments(const struct rig *rig);

/* A new file of the directory. */
void rig_put(const struct rig *rig, const char *name, const char *text);
bool rig_exists(const struct rig *rig, const char *name);
