/* SPDX-License-Identifier: MIT */
#include "run/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/capture_internal.h"
#include "run/sink_journal.h"
#include "run/sink_syslog.h"

/*
 * Of one worker: so many streams are nothing to think about. More can have all the bytes that these
 * could have, be it for a disk that stands still for a moment, or be held open by orphans.
 */
#define STREAMS_FEW 32
#define WAITING_MAX 1024
#define OPEN_MAX    256

static void destroy(struct capture *capture) {
    capture_pipes_finish(capture);
    if (capture->null_fd >= 0)
        close(capture->null_fd);
    gather_finish(&capture->gather);
    free(capture->scratch);
    free(capture);
}

int capture_new(
    struct loop *loop, const struct capture_options *options, struct capture **ret_capture) {
    struct capture *capture = calloc(1, sizeof(*capture));

    if (!capture)
        return -ENOMEM;
    capture->loop = loop;
    capture->gather.fd = -1;
    capture->options = *options;
    if (!options->syslog_path)
        capture->options.syslog_path = SINK_SYSLOG_PATH;
    if (!options->journal_path)
        capture->options.journal_path = SINK_JOURNAL_PATH;
    capture->peek_room = CAPTURE_PEEK_MAX;
    capture->scratch = malloc(CAPTURE_SHARE_AT_MOST);
    capture->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int r = capture->null_fd < 0 ? -errno : capture->scratch ? 0 : -ENOMEM;
    if (r >= 0)
        r = gather_init(capture);
    if (r >= 0)
        r = packer_new(&capture->packer);
    if (r < 0) {
        destroy(capture);
        return r;
    }
    capture_pipes_init(capture);
    *ret_capture = capture;
    return 0;
}

int capture_free(struct capture *capture, nsec_t patience) {
    if (!capture)
        return 0;

    capture_tidy(capture);
    for (struct stream *stream = capture->streams; stream; stream = stream->next)
        stream_end(stream);
    gather_finish(&capture->gather);
    for (struct capture_sink *sink = capture->sinks; sink; sink = sink->next)
        capture_peek_abandon(sink);
    nsec_t deadline = nsec_add(loop_clock(), patience);
    int r = capture_writers_free(capture, deadline);
    packer_free(capture->packer, deadline);
    if (r == -ETIMEDOUT)
        return r;
    while (capture->streams)
        stream_free(capture->streams);
    destroy(capture);
    return r;
}

void capture_reopen(struct capture *capture) {
    for (struct capture_writer *w = capture->writers; w; w = w->next)
        writer_reopen(w->writer);
}

/* Pools */

struct capture_pool *capture_pool_ref(struct capture_pool *pool) {
    pool->references++;
    return pool;
}

static void unref_sinks(
    const struct capture_pool *pool, struct capture_sink *sinks[FRAME_STREAM_MAX]) {
    for (size_t i = 0; i < FRAME_STREAM_MAX; i++) {
        if (sinks[i] && sinks[i]->owner == pool)
            sinks[i]->owner = NULL;
        capture_sink_unref(sinks[i]);
    }
}

struct capture_pool *capture_pool_unref(struct capture_pool *pool) {
    if (--pool->references > 0)
        return NULL;
    unref_sinks(pool, pool->sinks);
    for (size_t i = 0; i < pool->n_workers; i++) {
        if (pool->workers[i])
            unref_sinks(pool, pool->workers[i]->sinks);
        free(pool->workers[i]);
    }
    free(pool->workers);
    free((char *)pool->settings.file.directory);
    free((char *)pool->settings.label.identifier);
    free(pool);
    return NULL;
}

/* LOG_KERN is the kernel's own. */
static void fill_in_defaults(struct capture_settings *settings) {
    if (settings->label.facility == LOG_KERN)
        settings->label.facility = LOG_DAEMON;
    if (settings->buffer == 0)
        settings->buffer = CAPTURE_BUFFER;
    settings->buffer = MAX(settings->buffer, (uint32_t)CAPTURE_BUFFER_MIN);
    if (settings->line_max == 0)
        settings->line_max = FRAME_LIMIT;
    settings->line_max = MAX(settings->line_max, (uint32_t)FRAME_LIMIT_MIN);
    settings->line_max = MIN(settings->line_max, (uint32_t)FRAME_LIMIT_MAX);
}

/* In raw, each worker and stream has a file of its own, opened when it starts. */
static bool has_one_sink(const struct capture_settings *settings, enum frame_stream stream) {
    enum capture_target target = settings->targets[stream];

    return target != CAPTURE_NONE && (target != CAPTURE_FILE || settings->file.format != FRAME_RAW);
}

static int open_sinks(struct capture_pool *pool) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        if (!has_one_sink(&pool->settings, (enum frame_stream)i))
            continue;
        int r = capture_sink_get(pool, 0, (enum frame_stream)i, &pool->sinks[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Texts are copied: the caller's may go. */
static int copy_texts(struct capture_settings *settings) {
    const char **texts[] = {&settings->file.directory, &settings->label.identifier};
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        if (!*texts[i])
            continue;
        *texts[i] = strdup(*texts[i]);
        r = *texts[i] ? r : -ENOMEM;
    }
    return r;
}

int capture_pool_new(struct capture *capture, const struct capture_settings *settings,
    struct capture_pool **ret_pool) {
    struct capture_pool *pool = calloc(1, sizeof(*pool) + strlen(settings->pool) + 1);

    if (!pool)
        return -ENOMEM;
    strcpy(pool->name, settings->pool);
    pool->capture = capture;
    pool->settings = *settings;
    pool->settings.pool = pool->name;
    pool->references = 1;
    fill_in_defaults(&pool->settings);
    int r = copy_texts(&pool->settings);
    if (r >= 0)
        r = open_sinks(pool);
    if (r < 0) {
        capture_pool_unref(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

static bool is_same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_place(const struct capture_settings *a, const struct capture_settings *b) {
    for (size_t i = 0; i < FRAME_STREAM_MAX; i++)
        if (a->targets[i] != b->targets[i])
            return false;
    return a->file.format == b->file.format && is_same_text(a->file.directory, b->file.directory) &&
           is_same_text(a->label.identifier, b->label.identifier) &&
           a->label.facility == b->label.facility && a->label.has_level == b->label.has_level &&
           a->label.level == b->label.level && a->reader == b->reader;
}

static void configure_sinks(
    struct capture_pool *pool, struct capture_sink *const sinks[FRAME_STREAM_MAX]) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (sinks[i])
            capture_sink_configure(sinks[i], pool, (enum frame_stream)i);
}

static void change(struct capture_pool *pool, const struct capture_settings *settings) {
    struct capture_settings before = pool->settings;

    pool->settings = *settings;
    pool->settings.pool = before.pool;
    pool->settings.file.directory = before.file.directory;
    pool->settings.label.identifier = before.label.identifier;
    configure_sinks(pool, pool->sinks);
    for (size_t i = 0; i < pool->n_workers; i++)
        if (pool->workers[i])
            configure_sinks(pool, pool->workers[i]->sinks);
    for (struct stream *stream = pool->capture->streams; stream; stream = stream->next)
        if (stream->pool == pool)
            stream_look_again(stream);
}

int capture_pool_change(struct capture *capture, struct capture_pool *pool,
    const struct capture_settings *settings, struct capture_pool **ret_pool) {
    struct capture_settings filled = *settings;

    fill_in_defaults(&filled);
    if (!pool || !is_same_place(&pool->settings, &filled))
        return capture_pool_new(capture, settings, ret_pool);
    change(pool, &filled);
    *ret_pool = capture_pool_ref(pool);
    return 0;
}

struct capture_pool *capture_pool_free(struct capture_pool *pool) {
    return pool ? capture_pool_unref(pool) : NULL;
}

const struct capture_settings *capture_pool_settings(const struct capture_pool *pool) {
    return &pool->settings;
}

struct capture_facts capture_pool_facts(const struct capture_pool *pool) {
    return pool->facts;
}

/* Processes */

static void process_free(struct capture_process *process) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->streams[i])
            stream_detach(process->streams[i]);
    capture_pool_unref(process->pool);
    free(process->words.data);
    free(process);
}

static void abandon(struct capture_process *process) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->streams[i])
            stream_free(process->streams[i]);
    process_free(process);
}

static int worker_reserve(struct capture_pool *pool, uint32_t worker) {
    if (worker >= pool->n_workers) {
        size_t n = (size_t)worker + 1;
        struct capture_worker **grown = reallocarray(pool->workers, n, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        memset(grown + pool->n_workers, 0, (n - pool->n_workers) * sizeof(*grown));
        pool->workers = grown;
        pool->n_workers = n;
    }
    if (!pool->workers[worker])
        pool->workers[worker] = calloc(1, sizeof(struct capture_worker));
    return pool->workers[worker] ? 0 : -ENOMEM;
}

/*
 * What a dead process has left waits for room like any other; but where processes die one after
 * another while nothing can be written, or leave orphans, there has to be an end to that.
 */
static bool has_room(const struct capture_pool *pool, uint32_t number) {
    const struct capture_worker *worker = pool->workers[number];

    if (worker->streams < STREAMS_FEW)
        return true;
    struct backlog backlog = stream_backlog(worker, pool->capture->streams);

    return backlog.open < OPEN_MAX && backlog.waiting < WAITING_MAX &&
           backlog.bytes < (size_t)STREAMS_FEW * pool->settings.buffer;
}

static void tell_trouble(const struct capture_process *process, int error) {
    const struct capture_options *options = &process->pool->capture->options;
    char name[128];

    snprintf(name, sizeof(name), "%s/%" PRIu32, process->pool->name, process->worker);
    if (options->trouble)
        options->trouble(options->data, name, error);
}

/* Said at once, and in the worker's log once there is room. */
static void miss(struct capture_process *process) {
    process->missed = true;
    if (process->pool->workers[process->worker]->missed++ == 0)
        tell_trouble(process, EUSERS);
}

static int open_streams(struct capture_process *process) {
    const struct capture_pool *pool = process->pool;
    int r = 0;

    if (!has_room(pool, process->worker)) {
        miss(process);
        return 0;
    }
    if (pool->workers[process->worker]->streams >= STREAMS_FEW / 2)
        gather_hurry_writers(pool->capture);
    for (int i = 0; i < FRAME_STREAM_MAX && r >= 0; i++)
        if (pool->settings.targets[i] != CAPTURE_NONE)
            r = stream_new(process, (enum frame_stream)i, &process->streams[i]);
    return r;
}

int capture_process_prepare(struct capture_pool *pool, uint32_t worker, uint32_t generation,
    struct capture_process **ret_process) {
    struct capture_process *process = calloc(1, sizeof(*process));
    int r;

    if (!process)
        return -ENOMEM;
    process->pool = capture_pool_ref(pool);
    process->worker = worker;
    process->generation = generation;
    process->words.size = pool->settings.last_words;
    r = worker_reserve(pool, worker);
    if (r >= 0)
        r = open_streams(process);
    if (r < 0) {
        abandon(process);
        return r;
    }
    *ret_process = process;
    return 0;
}

int capture_process_fd(const struct capture_process *process, enum frame_stream stream) {
    if (process->missed && process->pool->settings.targets[stream] != CAPTURE_NONE)
        return process->pool->capture->null_fd;
    return process->streams[stream] ? process->streams[stream]->write_fd : -1;
}

/* Notes stand in the stream that is more about the process than about its work. */
static void note(struct capture_process *process, const char *text) {
    struct stream *stream =
        process->streams[FRAME_ERR] ? process->streams[FRAME_ERR] : process->streams[FRAME_OUT];

    if (stream)
        stream_note(stream, text);
}

static void note_missed(struct capture_process *process) {
    struct capture_worker *worker = process->pool->workers[process->worker];
    char text[96];

    if (worker->missed == 0 || process->missed)
        return;
    snprintf(text, sizeof(text), "the output of %u processes before this one is missing",
        worker->missed);
    worker->missed = 0;
    note(process, text);
    tell_trouble(process, 0);
}

void capture_process_started(struct capture_process *process, pid_t pid) {
    process->pid = pid;
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        struct stream *stream = process->streams[i];

        if (!stream)
            continue;
        stream->tap.tag.pid = pid;
        capture_sink_use(stream->sink, process->pool, stream->which);
    }
    note_missed(process);
}

void capture_process_settled(struct capture_process *process) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->streams[i])
            stream_close_child_end(process->streams[i]);
    capture_spares_refill(process->pool->capture);
}

/* Whole lines, where there is more than one. */
static void add_words(struct buffer *buffer, const struct words *words) {
    const char *begin = words->data;
    size_t length = words->length;

    if (length == words->size && length > 0) {
        const char *newline = memchr(begin, '\n', length - 1);

        if (newline) {
            length -= (size_t)(newline + 1 - begin);
            begin = newline + 1;
        }
    }
    while (length > 0 && begin[length - 1] == '\n')
        length--;
    size_t before = buffer->length;
    if (length > 0)
        buffer_add(buffer, begin, length);
    for (char *at = buffer->data + before; at < buffer->data + buffer->length; at++)
        *at = *at == '\0' ? '?' : *at; /* they become a text */
}

static void end_stream(struct stream *stream) {
    stream_close_child_end(stream);
    stream_disown(stream);
    if (!stream->has_own)
        return;
    stream_drain(stream);
    stream_overhear(stream);
}

static void tidy(struct capture_process *process) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->streams[i])
            stream_drain(process->streams[i]);
    process_free(process);
}

void capture_tidy(struct capture *capture) {
    while (capture->n_ended > 0)
        tidy(capture->ended[--capture->n_ended]);
    capture_spares_refill(capture);
}

/* Closing pipes takes longer than finding them empty. */
static void tidy_later(struct capture_process *process) {
    struct capture *capture = process->pool->capture;

    if (capture->n_ended == CAPTURE_ENDED_MAX)
        capture_tidy(capture);
    capture->ended[capture->n_ended++] = process;
    gather_put_off(&capture->gather);
}

struct capture_process *capture_process_ended(
    struct capture_process *process, struct buffer *ret_words) {
    if (!process)
        return NULL;
    if (process->pid == 0) {
        abandon(process);
        return NULL;
    }
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->streams[i])
            end_stream(process->streams[i]);
    if (ret_words)
        add_words(ret_words, &process->words);
    tidy_later(process);
    return NULL;
}

const char *capture_explain(const char *sink, int error, char *buffer, size_t size) {
    const char *what = error == EBUSY ? "another process writes to it" : strerrordesc_np(error);

    if (error == 0)
        snprintf(buffer, size, "%s: can be written again", sink);
    else if (error == EUSERS)
        snprintf(buffer, size,
            "%s: the output of too many dead processes waits, or is held open by what they left; "
            "that of new ones is lost until there is room",
            sink);
    else
        snprintf(buffer, size, "%s: %s; output waits or is dropped, trying again", sink,
            what ? what : "unknown error");
    return buffer;
}
