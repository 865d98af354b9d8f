/* SPDX-License-Identifier: MIT */
#include "run/writer.h"

#include <errno.h>
#include <linux/limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/wall.h"

/* How long a sink rests that could not take anything. */
#define REST NSEC_PER_SEC

/* Before the next sink has its turn. */
#define CHUNKS_A_TURN 64

/* Of address space; what is not touched costs nothing. */
#define STACK_SIZE (256 << 10)

struct writer {
    struct loop *loop;
    struct writer_events events;
    loop_source_t source;
    int wake_fd; /* tells the loop */
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t over; /* has_ended */
    struct sink *sinks;
    struct sink *first_ready, *last_ready;
    struct tap *first_told, *last_told;
    struct peek *peeked;
    nsec_t due; /* the earliest of all sinks, or earlier */
    bool has_news, stopping, has_ended, has_lost;
    nsec_t deadline; /* with `stopping` */

    struct relay relay; /* the thread's alone */
};

static nsec_t sink_due(const struct sink *sink) {
    return sink->due == 0 ? NSEC_NEVER : sink->due;
}

static void wake_loop(struct writer *writer) {
    eventfd_write(writer->wake_fd, 1);
}

static void make_ready(struct writer *writer, struct sink *sink) {
    if (sink->is_ready)
        return;
    sink->is_ready = true;
    sink->next_ready = NULL;
    if (writer->last_ready)
        writer->last_ready->next_ready = sink;
    else
        writer->first_ready = sink;
    writer->last_ready = sink;
}

static struct sink *take_ready(struct writer *writer) {
    struct sink *sink = writer->first_ready;

    if (!sink)
        return NULL;
    writer->first_ready = sink->next_ready;
    if (!writer->first_ready)
        writer->last_ready = NULL;
    sink->is_ready = false;
    return sink;
}

static void set_due(struct writer *writer, struct sink *sink, nsec_t due) {
    sink->due = due;
    writer->due = MIN(writer->due, due);
}

static void set_error(struct writer *writer, struct sink *sink, int error) {
    sink->error = error;
    if (sink->error == sink->told || writer->has_news)
        return;
    writer->has_news = true;
    wake_loop(writer);
}

void writer_tell(struct sink *sink, int error) {
    struct writer *writer = sink->writer;

    pthread_mutex_lock(&writer->lock);
    set_error(writer, sink, error);
    pthread_mutex_unlock(&writer->lock);
}

struct relay *writer_relay(struct sink *sink) {
    return &sink->writer->relay;
}

/* Who writes byte by byte shall not use more memory than others. */
static size_t cost(const struct chunk *chunk) {
    return sizeof(*chunk) + chunk->length;
}

/* The loop */

static void tell_tap(struct writer *writer, struct tap *tap) {
    tap->room_at = SIZE_MAX;
    if (tap->is_told)
        return;
    tap->is_told = true;
    tap->next_told = NULL;
    if (writer->first_told) {
        writer->last_told->next_told = tap;
    } else {
        writer->first_told = tap;
        wake_loop(writer);
    }
    writer->last_told = tap;
}

static struct tap *take_told(struct writer *writer, bool *ret_has_ended) {
    struct tap *tap;

    pthread_mutex_lock(&writer->lock);
    tap = writer->first_told;
    if (tap) {
        tap->is_told = false;
        *ret_has_ended = tap->ended;
        writer->first_told = tap->next_told;
        if (!writer->first_told)
            writer->last_told = NULL;
    }
    pthread_mutex_unlock(&writer->lock);
    return tap;
}

/* The sink may be closed as soon as the lock is free: its name is copied. */
static bool take_news(struct writer *writer, char name[PATH_MAX], int *ret_error) {
    struct sink *sink;

    pthread_mutex_lock(&writer->lock);
    for (sink = writer->sinks; sink && sink->error == sink->told; sink = sink->next)
        ;
    if (sink) {
        *ret_error = sink->told = sink->error;
        snprintf(name, PATH_MAX, "%s", sink->name);
    } else {
        writer->has_news = false;
    }
    pthread_mutex_unlock(&writer->lock);
    return sink != NULL;
}

static struct peek *take_peeked(struct writer *writer) {
    pthread_mutex_lock(&writer->lock);
    struct peek *peek = writer->peeked;
    if (peek)
        writer->peeked = peek->next;
    pthread_mutex_unlock(&writer->lock);
    return peek;
}

static void on_wake(void *data, uint64_t value, int fd, unsigned events) {
    struct writer *writer = data;
    char name[PATH_MAX];
    struct peek *peek;
    struct tap *tap;
    bool has_ended = false;
    eventfd_t count;
    int error = 0;

    (void)value, (void)events;
    eventfd_read(fd, &count);
    while ((tap = take_told(writer, &has_ended)))
        writer->events.told(writer->events.data, tap, has_ended);
    while ((peek = take_peeked(writer)))
        writer->events.peeked(writer->events.data, peek);
    while (take_news(writer, name, &error))
        writer->events.trouble(writer->events.data, name, error);
}

struct chunk *chunk_new(enum chunk_kind kind, struct tap *tap, size_t size) {
    struct chunk *chunk = malloc(sizeof(*chunk) + size);

    if (!chunk)
        return NULL;
    *chunk = (struct chunk){
        .tap = tap,
        .kind = kind,
        .wall = wall_clock(),
        .now = loop_clock(),
        .pipe = -1,
        .length = size,
    };
    return chunk;
}

void writer_put_take(struct writer *writer, struct chunk *chunk) {
    struct sink *sink = chunk->tap->sink;

    pthread_mutex_lock(&writer->lock);
    chunk->tap->queued += cost(chunk);
    if (sink->last)
        sink->last->next = chunk;
    else
        sink->first = chunk;
    sink->last = chunk;
    if (!sink->stuck)
        make_ready(writer, sink);
    pthread_mutex_unlock(&writer->lock);
}

void writer_wake(struct writer *writer) {
    pthread_mutex_lock(&writer->lock);
    bool has_work = writer->first_ready != NULL;
    pthread_mutex_unlock(&writer->lock);
    if (has_work) /* not under the lock, which it would have to wait for first */
        pthread_cond_signal(&writer->work);
}

size_t writer_queued(struct writer *writer, const struct tap *tap) {
    pthread_mutex_lock(&writer->lock);
    size_t queued = tap->queued;
    pthread_mutex_unlock(&writer->lock);
    return queued;
}

bool writer_ask_for_room(struct writer *writer, struct tap *tap, size_t room_at) {
    pthread_mutex_lock(&writer->lock);
    bool is_full = tap->queued > room_at;
    if (is_full)
        tap->room_at = room_at;
    pthread_mutex_unlock(&writer->lock);
    return is_full;
}

void writer_add_sink_take(struct writer *writer, struct sink *sink) {
    pthread_mutex_lock(&writer->lock);
    sink->writer = writer;
    sink->next = writer->sinks;
    writer->sinks = sink;
    set_due(writer, sink, 1); /* its first tick */
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void writer_remove_sink(struct writer *writer, struct sink *sink) {
    pthread_mutex_lock(&writer->lock);
    sink->closing = true;
    make_ready(writer, sink);
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void writer_configure_take(struct writer *writer, struct sink *sink, void *settings) {
    pthread_mutex_lock(&writer->lock);
    free(sink->settings);
    sink->settings = settings;
    make_ready(writer, sink);
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void writer_peek_take(struct writer *writer, struct sink *sink, struct peek *peek) {
    pthread_mutex_lock(&writer->lock);
    sink->peek = peek;
    make_ready(writer, sink);
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void writer_reopen(struct writer *writer) {
    pthread_mutex_lock(&writer->lock);
    for (struct sink *sink = writer->sinks; sink; sink = sink->next) {
        sink->wants_reopen = true;
        make_ready(writer, sink);
    }
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

/* The thread */

static void forget_sink(struct writer *writer, struct sink *sink) {
    struct sink **link = &writer->sinks;

    while (*link != sink)
        link = &(*link)->next;
    *link = sink->next;
}

/* A chunk has been written. */
static void release(struct writer *writer, struct chunk *chunk) {
    struct tap *tap = chunk->tap;

    tap->queued -= cost(chunk);
    tap->ended |= chunk->kind == CHUNK_END;
    if (tap->ended || chunk->kind == CHUNK_PIPE ||
        (tap->room_at != SIZE_MAX && tap->queued <= tap->room_at))
        tell_tap(writer, tap);
    free(chunk);
}

static void drop_first(struct sink *sink) {
    sink->first = sink->first->next;
    if (!sink->first)
        sink->last = NULL;
}

/* Negative where the sink takes no more now. */
static int write_chunk(struct writer *writer, struct sink *sink, struct chunk *chunk) {
    pthread_mutex_unlock(&writer->lock);
    int r = tap_write(chunk->tap, chunk);
    pthread_mutex_lock(&writer->lock);
    if (r < 0)
        return r;
    drop_first(sink);
    release(writer, chunk);
    return 0;
}

static int flush(struct writer *writer, struct sink *sink) {
    pthread_mutex_unlock(&writer->lock);
    int r = sink->ops->flush(sink);
    pthread_mutex_lock(&writer->lock);
    return r;
}

static void configure(struct writer *writer, struct sink *sink) {
    void *settings = TAKE(sink->settings);

    if (!settings)
        return;
    pthread_mutex_unlock(&writer->lock);
    if (sink->ops->configure)
        sink->ops->configure(sink, settings);
    free(settings);
    pthread_mutex_lock(&writer->lock);
}

/* To the end of its chunks, or of what it takes now; the others wait meanwhile, so not for ever. */
static int write_chunks(struct writer *writer, struct sink *sink) {
    unsigned turns = 0;
    int r = 0;

    for (; r >= 0 && turns < CHUNKS_A_TURN && sink->first; turns++) {
        configure(writer, sink);
        r = write_chunk(writer, sink, sink->first);
    }
    int flushed = flush(writer, sink);
    return r < 0 ? r : flushed;
}

static int reopen(struct writer *writer, struct sink *sink) {
    if (!sink->wants_reopen || !sink->ops->reopen)
        return 0;
    sink->wants_reopen = false;
    pthread_mutex_unlock(&writer->lock);
    int r = sink->ops->reopen(sink);
    pthread_mutex_lock(&writer->lock);
    sink->wants_reopen |= r < 0;
    return r;
}

static void tick(struct writer *writer, struct sink *sink, nsec_t now) {
    nsec_t due = NSEC_NEVER;

    if (sink->ops->tick) {
        pthread_mutex_unlock(&writer->lock);
        due = sink->ops->tick(sink, now);
        pthread_mutex_lock(&writer->lock);
    }
    set_due(writer, sink, due);
}

static void hand_back(struct writer *writer, struct peek *peek) {
    peek->next = writer->peeked;
    writer->peeked = peek;
    wake_loop(writer);
}

/* The loop puts chunks behind the last one meanwhile, and only the thread takes any away. */
static void look(struct writer *writer, struct sink *sink) {
    struct peek *peek = TAKE(sink->peek);
    struct chunk *first = sink->first, *last = sink->last;

    if (!peek)
        return;
    pthread_mutex_unlock(&writer->lock);
    peek_look(peek, sink, first, last);
    pthread_mutex_lock(&writer->lock);
    hand_back(writer, peek);
}

static void close_sink(struct writer *writer, struct sink *sink) {
    look(writer, sink);
    forget_sink(writer, sink);
    while (sink->first) {
        struct chunk *chunk = sink->first;

        drop_first(sink);
        release(writer, chunk);
    }
    free(sink->settings);
    pthread_mutex_unlock(&writer->lock); /* nobody else knows the sink any more */
    sink->ops->close(sink);
    pthread_mutex_lock(&writer->lock);
}

static void serve(struct writer *writer, struct sink *sink) {
    configure(writer, sink);
    int r = reopen(writer, sink);

    if (r >= 0)
        r = write_chunks(writer, sink);
    look(writer, sink);
    if (r < 0) {
        if (r != -EAGAIN)
            set_error(writer, sink, -r);
        sink->stuck = true;
        set_due(writer, sink, nsec_add(loop_clock(), REST));
        return;
    }
    if (sink->stuck) {
        sink->stuck = false;
        set_error(writer, sink, 0);
    }
    tick(writer, sink, loop_clock());
    if (sink->first)
        make_ready(writer, sink);
    else if (sink->closing && !sink->is_ready)
        close_sink(writer, sink);
}

/* What rests too long, or has something to do at a time of its own, is due. */
static void look_at_clock(struct writer *writer, nsec_t now) {
    if (now < writer->due)
        return;
    writer->due = NSEC_NEVER;
    for (struct sink *sink = writer->sinks; sink; sink = sink->next) {
        if (sink_due(sink) <= now)
            make_ready(writer, sink);
        else
            writer->due = MIN(writer->due, sink_due(sink));
    }
}

static int wait_until(struct writer *writer, pthread_cond_t *condition, nsec_t when) {
    struct timespec until = {
        .tv_sec = (time_t)(when / NSEC_PER_SEC),
        .tv_nsec = (long)(when % NSEC_PER_SEC),
    };

    return -pthread_cond_timedwait(condition, &writer->lock, &until);
}

static void close_all(struct writer *writer) {
    while (writer->sinks)
        close_sink(writer, writer->sinks);
}

/* The last chance: each sink once more, whether it rests or not. Who reads slowly is waited for. */
static void write_last(struct writer *writer) {
    for (struct sink *sink = writer->sinks; sink; sink = sink->next) {
        int r;

        do
            r = write_chunks(writer, sink);
        while (r >= 0 ? sink->first != NULL : r == -EAGAIN && loop_clock() < writer->deadline);
        writer->has_lost |= r < 0;
    }
}

static void *writer_main(void *data) {
    struct writer *writer = data;

    pthread_mutex_lock(&writer->lock);
    while (!writer->stopping) {
        look_at_clock(writer, loop_clock());
        struct sink *sink = take_ready(writer);
        if (sink)
            serve(writer, sink);
        else
            wait_until(writer, &writer->work, writer->due);
    }
    write_last(writer);
    close_all(writer);
    writer->has_ended = true;
    pthread_cond_signal(&writer->over);
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

static void destroy(struct writer *writer) {
    for (struct peek *peek; (peek = writer->peeked);) {
        writer->peeked = peek->next;
        peek_free(peek);
    }
    close(writer->wake_fd);
    relay_finish(&writer->relay);
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->over);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

/* Signals are for other threads. */
static int start_thread(struct writer *writer) {
    pthread_attr_t attributes;
    sigset_t all, before;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&writer->thread, &attributes, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -r;
}

static void init_lock(struct writer *writer) {
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->work, &monotonic);
    pthread_cond_init(&writer->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&writer->lock, NULL);
}

int writer_new(struct loop *loop, const struct writer_events *events, struct writer **ret_writer) {
    struct writer *writer = calloc(1, sizeof(*writer));
    int r;

    if (!writer)
        return -ENOMEM;
    writer->loop = loop;
    writer->events = *events;
    writer->due = NSEC_NEVER;
    writer->relay = RELAY_NULL;
    init_lock(writer);
    writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = writer->wake_fd < 0 ? -errno : 0;

    struct loop_watch watch = {
        .fd = writer->wake_fd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_LOG,
        .fn = on_wake,
        .data = writer,
    };
    if (r >= 0)
        r = loop_add(loop, &watch, &writer->source);
    if (r >= 0)
        r = start_thread(writer);
    if (r < 0) {
        loop_remove(loop, writer->source);
        destroy(writer);
        return r;
    }
    *ret_writer = writer;
    return 0;
}

void writer_stop(struct writer *writer, nsec_t deadline) {
    loop_remove(writer->loop, writer->source);
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    writer->deadline = deadline;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

int writer_free(struct writer *writer, nsec_t deadline) {
    int r = 0;

    pthread_mutex_lock(&writer->lock);
    while (!writer->has_ended && r == 0)
        r = wait_until(writer, &writer->over, deadline);
    bool has_ended = writer->has_ended;
    pthread_mutex_unlock(&writer->lock);
    if (!has_ended) {
        pthread_detach(writer->thread); /* it may still use all of it */
        return -ETIMEDOUT;
    }
    pthread_join(writer->thread, NULL);
    r = writer->has_lost ? -EIO : 0;
    destroy(writer);
    return r;
}
