/* SPDX-License-Identifier: MIT */

/* Which sink a stream goes to, and which writer serves it. */

#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "logs/segment.h"
#include "run/capture_internal.h"
#include "run/sink_journal.h"
#include "run/sink_output.h"
#include "run/sink_syslog.h"

static void on_told(void *data, struct tap *tap, bool has_ended) {
    (void)data;
    capture_stream_told(container_of(tap, struct stream, tap), has_ended);
}

static void on_trouble(void *data, const char *sink, int error) {
    const struct capture *capture = data;

    if (capture->options.trouble)
        capture->options.trouble(capture->options.data, sink, error);
}

static void on_peeked(void *data, struct peek *peek) {
    (void)data;
    capture_peeked(peek);
}

static int writer_add(struct capture *capture, const char *key, struct writer **ret_writer) {
    struct writer_events events = {
        .told = on_told, .peeked = on_peeked, .trouble = on_trouble, .data = capture};
    struct capture_writer *added = calloc(1, sizeof(*added));
    int r = -ENOMEM;

    if (!added)
        return r;
    added->key = strdup(key);
    if (added->key)
        r = writer_new(capture->loop, &events, &added->writer);
    if (r < 0) {
        free(added->key);
        free(added);
        return r;
    }
    added->next = capture->writers;
    capture->writers = added;
    *ret_writer = added->writer;
    return 0;
}

/* Who may have to wait for each other shares a writer: the files of a directory. */
static int writer_get(struct capture *capture, const char *key, struct writer **ret_writer) {
    for (struct capture_writer *w = capture->writers; w; w = w->next) {
        if (strcmp(w->key, key) == 0) {
            *ret_writer = w->writer;
            return 0;
        }
    }
    return writer_add(capture, key, ret_writer);
}

int capture_writers_free(struct capture *capture, nsec_t deadline) {
    int result = 0;

    for (struct capture_writer *w = capture->writers; w; w = w->next)
        writer_stop(w->writer, deadline);
    while (capture->writers) {
        struct capture_writer *first = capture->writers;
        int r = writer_free(first->writer, deadline);

        result = r < 0 ? r : result;
        capture->writers = first->next;
        free(first->key);
        free(first);
    }
    return result;
}

static int format_name(const struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    char name[SEGMENT_NAME_MAX]) {
    int n = pool->settings.file.format == FRAME_RAW
                ? snprintf(name, SEGMENT_NAME_MAX, "%s@%u.%s.log", pool->name, worker,
                      frame_stream_name(stream))
                : snprintf(name, SEGMENT_NAME_MAX, "%s.log", pool->name);

    return n >= SEGMENT_NAME_MAX - 64 ? -ENAMETOOLONG : 0;
}

static int new_file(const struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    struct sink **ret_sink) {
    struct logfile_settings settings = pool->settings.file;
    char name[SEGMENT_NAME_MAX];
    int r = format_name(pool, worker, stream, name);

    if (r < 0)
        return r;
    settings.name = name;
    settings.packer = pool->settings.compress ? pool->capture->packer : NULL;
    return logfile_new(&settings, ret_sink);
}

static int new_sink(const struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    struct sink **ret_sink) {
    switch (pool->settings.targets[stream]) {
    case CAPTURE_FILE:
        return new_file(pool, worker, stream, ret_sink);
    case CAPTURE_OUTPUT:
        return sink_output_new(STDOUT_FILENO, "standard output", FRAME_TEXT, ret_sink);
    case CAPTURE_SYSLOG:
        return sink_syslog_new(pool->capture->options.syslog_path, ret_sink);
    case CAPTURE_JOURNAL:
        return sink_journal_new(pool->capture->options.journal_path, ret_sink);
    case CAPTURE_NONE:
        break;
    }
    return -EINVAL;
}

/* What a sink, and what its writer, are known by. */
static int format_keys(const struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    char sink_key[PATH_MAX], char writer_key[PATH_MAX]) {
    enum capture_target target = pool->settings.targets[stream];
    char name[SEGMENT_NAME_MAX] = "";
    int r = target == CAPTURE_FILE ? format_name(pool, worker, stream, name) : 0;

    if (r < 0)
        return r;
    int n = snprintf(writer_key, PATH_MAX, "%d:%s", (int)target,
        target == CAPTURE_FILE ? pool->settings.file.directory : "");
    int m = snprintf(sink_key, PATH_MAX, "%s/%s", writer_key, name);
    return n >= PATH_MAX || m >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void capture_sink_configure(
    struct capture_sink *sink, const struct capture_pool *pool, enum frame_stream stream) {
    struct logfile_settings *settings;

    if (pool->settings.targets[stream] != CAPTURE_FILE)
        return;
    settings = malloc(sizeof(*settings));
    if (!settings)
        return; /* then it goes on with the old ones */
    *settings = pool->settings.file;
    settings->packer = pool->settings.compress ? pool->capture->packer : NULL;
    writer_configure_take(sink->writer, sink->sink, settings);
    sink->owner = pool;
}

/* A restart shall not wake the writer for what it knows. */
void capture_sink_use(
    struct capture_sink *sink, const struct capture_pool *pool, enum frame_stream stream) {
    if (sink->owner != pool)
        capture_sink_configure(sink, pool, stream);
}

static int add_sink(struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    struct capture_sink *added) {
    int r = new_sink(pool, worker, stream, &added->sink);

    if (r < 0)
        return r;
    writer_add_sink_take(added->writer, added->sink);
    added->capture = pool->capture;
    added->owner = pool;
    added->references = 1;
    added->next = pool->capture->sinks;
    pool->capture->sinks = added;
    return 0;
}

int capture_sink_get(struct capture_pool *pool, uint32_t worker, enum frame_stream stream,
    struct capture_sink **ret_sink) {
    char key[PATH_MAX], writer_key[PATH_MAX];
    int r = format_keys(pool, worker, stream, key, writer_key);

    if (r < 0)
        return r;
    for (struct capture_sink *sink = pool->capture->sinks; sink; sink = sink->next) {
        if (strcmp(sink->key, key) == 0) {
            if (sink->sink->ops->look && strcmp(sink->pool, pool->name) != 0)
                return -EEXIST; /* a file is one pool's */
            *ret_sink = capture_sink_ref(sink);
            return 0;
        }
    }
    struct capture_sink *added = calloc(1, sizeof(*added));
    if (!added)
        return -ENOMEM;
    added->key = strdup(key);
    added->pool = strdup(pool->name);
    added->answered = pool->capture->ticket;
    r = added->key && added->pool ? writer_get(pool->capture, writer_key, &added->writer) : -ENOMEM;
    if (r >= 0)
        r = add_sink(pool, worker, stream, added);
    if (r < 0) {
        free(added->key);
        free(added->pool);
        free(added);
        return r;
    }
    *ret_sink = added;
    return 0;
}

struct capture_sink *capture_sink_ref(struct capture_sink *sink) {
    sink->references++;
    return sink;
}

struct capture_sink *capture_sink_unref(struct capture_sink *sink) {
    if (!sink || --sink->references > 0)
        return NULL;
    struct capture_sink **link = &sink->capture->sinks;
    while (*link != sink)
        link = &(*link)->next;
    *link = sink->next;
    if (sink->capture->writers)
        writer_remove_sink(sink->writer, sink->sink);
    capture_peek_abandon(sink);
    free(sink->key);
    free(sink->pool);
    free(sink);
    return NULL;
}
