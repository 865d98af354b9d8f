/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The output of workers, on its way to where it is kept. Each process has a pipe of its own for
 * each stream, so that what an orphan still writes is known for what it is: the process has ended,
 * its replacement writes to another pipe, and the old one goes on being read until nobody holds it
 * any more.
 *
 * The loop only reads, in batches, with the priority of logs and a budget a turn; a writer's thread
 * does the rest. A stream has at most `buffer` bytes on their way. When they are used up, it is
 * either not read any more (block: this worker alone waits, in its own write), or read and dropped
 * (drop: what is missing is counted, and said where it is missing).
 *
 *     capture_process_prepare()    before the spawn: pipes
 *     capture_process_started()    the pid
 *     capture_process_settled()    the child has its own descriptors: ours of its ends are closed
 *     capture_process_ended()      its exit has been taken, its replacement been started
 */

#include "loop/loop.h"
#include "run/logfile.h"

struct capture;
struct capture_pool;
struct capture_process;

/* enumerator, what clients of the control socket are told */
#define CAPTURE_TARGETS(X)                                                                         \
    X(NONE, "none")     /* not captured */                                                         \
    X(FILE, "log")      /* POOL.log; in raw, for each worker and stream POOL@WORKER.STREAM.log */  \
    X(OUTPUT, "output") /* brood's own standard output, coloured by worker on a terminal */        \
    X(SYSLOG, "syslog") /* RFC 5424 */                                                             \
    X(JOURNAL, "journal") /* the journal's own protocol */

enum capture_target {
#define X(name, text) CAPTURE_##name,
    CAPTURE_TARGETS(X)
#undef X
};

static inline const char *capture_target_name(enum capture_target target) {
    static const char *const names[] = {
#define X(name, text) [CAPTURE_##name] = (text),
        CAPTURE_TARGETS(X)
#undef X
    };

    return names[target];
}

enum capture_overflow {
    CAPTURE_BLOCK,
    CAPTURE_DROP,
};

#define CAPTURE_BUFFER     65536
#define CAPTURE_BUFFER_MIN 4096

struct capture_settings {
    const char *pool;

    /* Where to: another place is another pool. */
    enum capture_target targets[FRAME_STREAM_MAX];
    struct logfile_settings file; /* `name` and `packer` are filled in */
    struct frame_label label;     /* for syslog and the journal */
    uid_t reader;                 /* …may open the pipes by name (/dev/stdout); 0: only we may */

    /* How: this can change for what is captured already. */
    bool compress;
    enum capture_overflow overflow;
    uint32_t buffer;     /* bytes a stream; 0: CAPTURE_BUFFER */
    uint32_t line_max;   /* 0: FRAME_LIMIT */
    uint32_t rate_burst; /* lines of a worker within rate_interval; 0: no limit */
    nsec_t rate_interval;
    uint32_t last_words; /* bytes of standard error that are kept for the exit */
};

struct capture_options {
    /* Something cannot be written (errno), or can again (0). May be NULL. */
    void (*trouble)(void *data, const char *sink, int error);
    void *data;

    const char *syslog_path; /* NULL: where they are; not copied */
    const char *journal_path;
};

/* To be made early, while low descriptors are free. -ENOMEM, -EMFILE, -ENFILE. */
int capture_new(
    struct loop *loop, const struct capture_options *options, struct capture **ret_capture);

/*
 * Reads what is in the pipes, writes what is waiting as long as `patience` lasts, and ends.
 * -EIO: not all of it could be written; -ETIMEDOUT: nor in time, and some memory is left behind.
 * Pools and processes must have been freed before. Accepts NULL.
 */
int capture_free(struct capture *capture, nsec_t patience);

/* Opens files anew (SIGUSR1, as logrotate wants it). */
void capture_reopen(struct capture *capture);

/*
 * Looks at all files, and at what waits for them: as of a moment after the call, one for each file.
 * Returns a ticket; `fn` is called whenever an answer has come, until capture_forget_peeks(). A
 * thread that hangs in a write does not answer: whoever waits needs an end of his own.
 */
uint64_t capture_peek(struct capture *capture, void (*fn)(void *data), void *data);

/* Whether all have answered that. */
bool capture_has_peeked(const struct capture *capture, uint64_t ticket);

/* What the answers may need together; what is more is cut off. */
#define CAPTURE_PEEK_MAX ((size_t)2 << 20)

struct capture_file {
    const char *pool, *path;
    const struct peek *peek; /* NULL: it has not answered */
};

/* The files that there were when that was asked. */
void capture_visit_files(const struct capture *capture, uint64_t ticket,
    void (*fn)(void *data, const struct capture_file *file), void *data);

/* Nobody waits for answers any more, nor reads them. */
void capture_forget_peeks(struct capture *capture);

/*
 * How to capture a pool. -ENOMEM, -EAGAIN (no thread), -EMFILE, -ENFILE; -EEXIST: its file is
 * another pool's.
 */
int capture_pool_new(struct capture *capture, const struct capture_settings *settings,
    struct capture_pool **ret_pool);

/*
 * The pool with other settings: where its output goes to the same place, that is `pool` itself with
 * one more reference, and what runs is captured that way from now on (the length of lines, the
 * rate, and overflow of raw output that the kernel moves, from each next start); else a new one,
 * beside which that of the living processes goes on. `pool` may be NULL. Errors, which change
 * nothing, are those of capture_pool_new().
 */
int capture_pool_change(struct capture *capture, struct capture_pool *pool,
    const struct capture_settings *settings, struct capture_pool **ret_pool);

/* Accepts NULL; returns NULL. Its processes' streams go on until they end. */
struct capture_pool *capture_pool_free(struct capture_pool *pool);

/* Makes the pipes. -EMFILE, -ENFILE, -ENOMEM, -EAGAIN, -EEXIST. */
int capture_process_prepare(struct capture_pool *pool, uint32_t worker, uint32_t generation,
    struct capture_process **ret_process);

/* What the child's descriptor 1 or 2 is to be; -1: that is not captured. Stays ours. */
int capture_process_fd(const struct capture_process *process, enum frame_stream stream);

void capture_process_started(struct capture_process *process, pid_t pid);
void capture_process_settled(struct capture_process *process);

/*
 * It has ended, or has never begun. What it has written is read, as far as there is room for it;
 * `ret_words`, unless NULL, gets the last lines that it wrote to standard error. What still comes
 * through its pipes is an orphan's. Accepts NULL; returns NULL.
 */
struct capture_process *capture_process_ended(
    struct capture_process *process, struct buffer *ret_words);

struct capture_facts {
    uint64_t bytes, dropped_bytes, dropped_lines; /* since the pool was made */
    uint32_t streams, blocked;                    /* now: open, and waiting for room */
};

/* As they are filled in. */
const struct capture_settings *capture_pool_settings(const struct capture_pool *pool);

struct capture_facts capture_pool_facts(const struct capture_pool *pool);

/* "web.log: No space left on device; …": what the trouble is, in words. Returns `buffer`. */
const char *capture_explain(const char *sink, int error, char *buffer, size_t size);
