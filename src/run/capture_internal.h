/* SPDX-License-Identifier: MIT */
#pragma once

/* What the parts of capturing share: streams, and who shares a sink. Private to this folder. */

#include <stdatomic.h>

#include "run/capture.h"
#include "run/tap.h"
#include "run/writer.h"

/* A writer, and what those have in common that share it: a directory, or a kind of target. */
struct capture_writer {
    struct capture_writer *next;
    struct writer *writer;
    char *key;
};

/* A sink and how many streams and pools use it. Each file has one sink only. */
struct capture_sink {
    struct capture_sink *next;
    struct capture *capture;
    struct writer *writer;
    struct sink *sink;
    unsigned references;
    const struct capture_pool *owner; /* whose settings it has; NULL: gone */
    char *key;
    char *pool;
    struct peek *asked;  /* under way; NULL: none is */
    struct peek *answer; /* the last one; NULL: there is none, or it is not wanted any more */
    uint64_t answered;   /* the ticket of the last one, or of the time when the sink was made */
};

/* As many processes can be on their way to exec at once, with two streams each. */
#define CAPTURE_LOW_MAX 16

/* Processes that may end before there is time to make pipes for the next ones, or to close theirs.
 */
#define CAPTURE_SPARES_MAX 8
#define CAPTURE_ENDED_MAX  8

/* What all that is read from has in common. */
struct gather {
    struct loop *loop;
    loop_source_t source;
    int fd; /* an epoll set */
    struct loop_timer timer;
    nsec_t hold, due; /* how long the next look is put off, and until when */
    nsec_t wake;      /* when writers are to be woken; NSEC_NEVER: they need not be */
    bool is_resting;  /* until then */
    bool is_looking;  /* writers are woken at the end of it */
};

struct capture {
    struct loop *loop;
    struct gather gather;
    struct capture_options options;
    struct capture_writer *writers;
    struct capture_sink *sinks;
    struct stream *streams;
    struct packer *packer;
    int null_fd; /* for those that are not captured */

    /*
     * Numbers kept for the ends that children get, low because they are reserved before there are
     * many descriptors: a child copies its table up to the highest number that it is given.
     */
    struct {
        int fd;
        bool is_used;
    } low[CAPTURE_LOW_MAX];
    size_t n_low;

    struct stream *spares[CAPTURE_SPARES_MAX];
    size_t n_spares;

    struct capture_process *ended[CAPTURE_ENDED_MAX]; /* yet to be tidied up after */
    size_t n_ended;

    uint64_t ticket;            /* of the last looks at files */
    atomic_size_t peek_room;    /* for their answers */
    void (*peeked)(void *data); /* NULL: nobody waits for them */
    void *peeked_data;

    char *scratch; /* what is read arrives here */
};

/* What outlives a worker's processes. */
struct capture_worker {
    struct capture_sink *sinks[FRAME_STREAM_MAX]; /* of its own; NULL: none yet, or the pool's */
    struct rate rates[FRAME_STREAM_MAX];          /* the thread's; streams that share a sink share
                                                     the first */
    unsigned streams;                             /* open, of whichever generation */
    unsigned missed;                              /* processes that were not captured */
};

struct capture_pool {
    struct capture *capture;
    struct capture_settings settings;
    unsigned references;
    bool closed;
    struct capture_sink *sinks[FRAME_STREAM_MAX]; /* NULL: each worker has its own */
    struct capture_worker **workers;
    size_t n_workers; /* entries in there */
    struct capture_facts facts;
    char name[];
};

struct words {
    char *data;
    size_t size, length;
};

struct stream {
    struct tap tap;
    struct stream *next, **link; /* of all */
    struct capture_pool *pool;
    struct capture_sink *sink;
    struct capture_process *process; /* NULL once it has ended */
    struct capture_worker *worker;
    enum frame_stream which;
    int fd;        /* our end */
    int write_fd;  /* the child's end; -1 once closed */
    int low;       /* its place among the low numbers; -1: none was free */
    bool is_over;  /* read to its end */
    bool is_muted; /* waits for the writer */
    bool moves;
    bool dropping;
    bool mid_line;   /* what has been dropped last does not end a line */
    bool has_put;    /* the thread has heard of it */
    bool has_own;    /* the process has ended, and of what is in the pipe… */
    size_t own;      /* …so many bytes are still its */
    bool is_orphans; /* …nothing is; the thread is told with what comes first */
    uint64_t lost_lines;
};

struct capture_process {
    struct capture_pool *pool;
    uint32_t worker, generation;
    pid_t pid;
    struct stream *streams[FRAME_STREAM_MAX];
    bool missed; /* too much of earlier ones is still waiting: this one is not captured */
    struct words words;
};

/* The sink that a stream of a worker goes to, looked for among all; a reference. */
int capture_sink_get(struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    struct capture_sink **ret_sink);
struct capture_sink *capture_sink_ref(struct capture_sink *sink);
struct capture_sink *capture_sink_unref(struct capture_sink *sink);

/* Hands the pool's settings on to the sink, where it has any. */
void capture_sink_configure(
    struct capture_sink *sink, const struct capture_pool *pool, enum frame_stream stream);

/* A process of the pool begins to write to it: from now on it has the pool's settings. */
void capture_sink_use(
    struct capture_sink *sink, const struct capture_pool *pool, enum frame_stream stream);

void capture_pipes_init(struct capture *capture);
void capture_pipes_finish(struct capture *capture);

/* A stream that has nothing but its pipe, made ahead or now. */
int capture_spare_take(struct capture *capture, struct stream **ret_stream);

/* Closes what processes that have ended do not need any more, and refills. When nobody waits. */
void capture_tidy(struct capture *capture);

/* Makes ahead what has been taken; when nobody waits. */
void capture_spares_refill(struct capture *capture);

/* A look has come back. */
void capture_peeked(struct peek *peek);

/* The sink goes, or its writer: what is known of it, or under way, is forgotten. */
void capture_peek_abandon(struct capture_sink *sink);

/* -ETIMEDOUT where one could not be waited for. */
int capture_writers_free(struct capture *capture, nsec_t deadline);

/* The writer has something to say about a tap. */
void capture_stream_told(struct stream *stream, bool has_ended);

/* What a stream may be given at once, and what `scratch` holds. */
#define CAPTURE_SHARE_AT_MOST 65536

int gather_init(struct capture *capture);
void gather_finish(struct gather *gather);

int gather_add(struct gather *gather, struct stream *stream);
void gather_update(struct stream *stream); /* `is_muted` has changed */
void gather_remove(struct stream *stream);

/* A process has ended, and its replacement shall not wait: what there is to do is done soon. */
void gather_put_off(struct gather *gather);

/* Something has been put: after this look, or soon. */
void gather_wake_writers(struct gather *gather);

/* What has been put waits for nothing but to be looked at: now. */
void gather_hurry_writers(struct capture *capture);

/* Takes what there is, up to `share`. How much there was, as far as that is known. */
size_t stream_look(struct stream *stream, size_t share);

int stream_new(
    struct capture_process *process, enum frame_stream which, struct stream **ret_stream);

/* What a worker's processes have to be written yet, or hold open. */
struct backlog {
    unsigned open;    /* pipes, also those that only an orphan still holds */
    unsigned waiting; /* streams of processes that have ended, for the thread */
    size_t bytes;     /* … and what is in these, or can be */
};

struct backlog stream_backlog(const struct capture_worker *worker, const struct stream *all);

/* Reads what there is room for, and is there; what is left at the end is brood's. */
void stream_drain(struct stream *stream);

/* The pool's settings are others now: who was held back may have room, or be dropped. */
void stream_look_again(struct stream *stream);

/* The process has ended: what comes after what is in the pipe now is an orphan's. */
void stream_disown(struct stream *stream);

/* After that: remembers the last words among what there is no room for yet. */
void stream_overhear(struct stream *stream);

void stream_note(struct stream *stream, const char *text);
void stream_close_child_end(struct stream *stream);

/* Its process has no more to say. Not to be touched after that. */
void stream_detach(struct stream *stream);

/* Ends it, whoever holds the other end. All that is in its pipe now is taken first, room or not. */
void stream_end(struct stream *stream);
struct stream *stream_free(struct stream *stream);

struct capture_pool *capture_pool_ref(struct capture_pool *pool);
struct capture_pool *capture_pool_unref(struct capture_pool *pool);
