/* SPDX-License-Identifier: MIT */
#include "run/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/log_writer.h"
#include "run/logfile.h"
#include "run/outlet.h"
#include "run/sink_journal.h"
#include "run/sink_output.h"
#include "run/sink_record.h"
#include "run/sink_syslog.h"

#define LOG_ROOM (1 << 20)

/* A buffer that grew past this is given back once it is empty. */
#define LOG_KEEP 4096

struct log {
    struct loop *loop;
    struct log_events events;
    bool is_null;
    bool is_last; /* the rest is to leave, whether there is room or not */
    struct outlet outlet;
    loop_source_t source;      /* waits for room; 0 when it need not */
    struct log_writer *writer; /* in the place of the outlet; NULL */
    uint64_t dropped;
    bool mid_line; /* the last byte written did not end a line */
    size_t length, capacity;
    char *waiting;
};

static void on_writer_room(void *data) {
    log_flush(data);
}

static void on_trouble(void *data, const char *where, int error) {
    const struct log *log = data;

    log->events.trouble(log->events.data, where, error);
}

/* What others write to it, too, goes between the lines. */
static int file_sink(const char *path, struct sink **ret_sink) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *directory = strndup(path, length);
    struct logfile_settings settings = {
        .directory = directory,
        .name = slash + 1,
        .format = FRAME_RAW,
        .shared = true,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    int r = directory ? logfile_new(&settings, ret_sink) : -ENOMEM;

    free(directory);
    return r;
}

static int new_sink(const struct log_target *target, struct sink **ret_sink) {
    switch (target->kind) {
    case LOG_TO_FILE:
        return file_sink(target->path, ret_sink);
    case LOG_TO_JOURNAL:
        return sink_record_new("journal", target->path ?: SINK_JOURNAL_PATH, "\n", ret_sink);
    case LOG_TO_SYSLOG:
        return sink_record_new("syslog", target->path ?: SINK_SYSLOG_PATH, "", ret_sink);
    case LOG_TO_STDERR:
        return sink_output_new(STDERR_FILENO, "standard error", FRAME_RAW, ret_sink);
    case LOG_TO_NULL:
        break;
    }
    return -EINVAL;
}

static int use_writer(struct log *log, const struct log_target *target) {
    struct log_writer_events events = {on_writer_room, on_trouble, log};
    struct sink *sink;
    int r = new_sink(target, &sink);

    return r < 0 ? r : log_writer_new_take(log->loop, sink, &events, &log->writer);
}

/* Standard error is written to in any case: where there is no thread, at the price of waiting. */
static int open_target(struct log *log, const struct log_target *target) {
    log->is_null = target->kind == LOG_TO_NULL;
    if (log->is_null)
        return 0;
    if (target->kind != LOG_TO_STDERR)
        return use_writer(log, target);
    outlet_init(&log->outlet, STDERR_FILENO);
    if (log->outlet.kind == OUTLET_FILE)
        use_writer(log, target);
    return 0;
}

int log_new(struct loop *loop, const struct log_target *target, const struct log_events *events,
    struct log **ret_log) {
    struct log *log = calloc(1, sizeof(*log));

    if (!log)
        return -ENOMEM;
    *log = (struct log){.loop = loop, .events = *events, .outlet.own_fd = -1};
    int r = open_target(log, target);
    if (r < 0) {
        free(log);
        return r;
    }
    *ret_log = log;
    return 0;
}

int log_free(struct log *log, nsec_t patience) {
    int r = 0;

    if (!log)
        return 0;
    log->is_last = true;
    log_flush(log);
    if (log->writer)
        r = log_writer_free(log->writer, patience);
    loop_remove(log->loop, log->source);
    outlet_finish(&log->outlet);
    free(log->waiting);
    free(log);
    return r;
}

static void on_room(void *data, uint64_t value, int fd, unsigned events) {
    struct log *log = data;

    (void)value, (void)fd, (void)events;
    log->source = 0;
    log_flush(log);
}

/* Nobody to write to any more (the reader has gone, the disk is full): the lines are lost. */
static void give_up(struct log *log) {
    for (size_t i = 0; i < log->length; i++)
        log->dropped += log->waiting[i] == '\n';
    log->length = 0;
}

/* False where there is some by now. */
static bool wait_for_room(struct log *log) {
    struct loop_watch watch = {
        .fd = log->outlet.fd,
        .events = LOOP_OUT,
        .priority = LOOP_PRIORITY_LOG,
        .once = true,
        .fn = on_room,
        .data = log,
    };

    if (log->writer)
        return log_writer_wait(log->writer);
    if (log->source == 0 && loop_add(log->loop, &watch, &log->source) < 0)
        give_up(log);
    return true;
}

static void confess(struct log *log) {
    char line[512];
    size_t length = log->events.lost(log->events.data, log->dropped, line, sizeof(line));

    log->dropped = 0;
    if (log->mid_line)
        log_write(log, "\n", 1);
    log_write(log, line, length);
}

static ssize_t write_some(struct log *log) {
    if (log->writer)
        return log_writer_write(log->writer, log->waiting, log->length, log->is_last);
    return outlet_write(&log->outlet, log->waiting, log->length);
}

static idle_path void write_waiting(struct log *log) {
    while (log->length > 0) {
        ssize_t n = write_some(log);

        if (n == -EAGAIN && wait_for_room(log))
            return;
        if (n == -EAGAIN)
            continue;
        if (n < 0) {
            give_up(log);
            return;
        }
        log->mid_line = n > 0 ? log->waiting[n - 1] != '\n' : log->mid_line;
        log->length -= (size_t)n;
        memmove(log->waiting, log->waiting + n, log->length);
    }
}

idle_path void log_flush(struct log *log) {
    bool had_dropped = log->dropped > 0;

    write_waiting(log);
    if (log->length == 0 && had_dropped && log->dropped > 0) {
        confess(log);
        write_waiting(log);
    }
    if (log->length == 0 && log->capacity > LOG_KEEP) {
        free(TAKE(log->waiting));
        log->capacity = 0;
    }
}

static bool make_room(struct log *log, size_t length) {
    size_t capacity = MAX(log->capacity, (size_t)LOG_KEEP);

    while (capacity < log->length + length)
        capacity *= 2;
    if (capacity > LOG_ROOM)
        return false;
    if (capacity == log->capacity)
        return true;
    char *grown = realloc(log->waiting, capacity);
    if (!grown)
        return false;
    log->waiting = grown;
    log->capacity = capacity;
    return true;
}

void log_write(struct log *log, const char *lines, size_t length) {
    if (log->is_null)
        return;
    if (log->length + length > LOG_ROOM / 2)
        write_waiting(log);
    if (!make_room(log, length)) {
        log->dropped++;
        return;
    }
    memcpy(log->waiting + log->length, lines, length);
    log->length += length;
}

void log_reopen(struct log *log) {
    if (log->writer)
        log_writer_reopen(log->writer);
}
