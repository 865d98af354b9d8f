/* SPDX-License-Identifier: MIT */
#include "run/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "run/outlet.h"

#define LOG_ROOM (1 << 20)

/* A buffer that grew past this is given back once it is empty. */
#define LOG_KEEP 4096

struct log {
    struct loop *loop;
    struct outlet outlet;
    loop_source_t source; /* waits for room; 0 when it need not */
    uint64_t dropped;
    bool mid_line; /* the last byte written did not end a line */
    log_lost_fn lost;
    void *lost_data;
    size_t length, capacity;
    char *waiting;
};

int log_new(struct loop *loop, int fd, log_lost_fn lost, void *data, struct log **ret_log) {
    struct log *log = calloc(1, sizeof(*log));

    if (!log)
        return -ENOMEM;
    *log = (struct log){.loop = loop, .lost = lost, .lost_data = data};
    outlet_init(&log->outlet, fd);
    *ret_log = log;
    return 0;
}

struct log *log_free(struct log *log) {
    if (!log)
        return NULL;
    log_flush(log);
    loop_remove(log->loop, log->source);
    outlet_finish(&log->outlet);
    free(log->waiting);
    free(log);
    return NULL;
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

static void wait_for_room(struct log *log) {
    struct loop_watch watch = {
        .fd = log->outlet.fd,
        .events = LOOP_OUT,
        .priority = LOOP_PRIORITY_LOG,
        .once = true,
        .fn = on_room,
        .data = log,
    };

    if (log->source == 0 && loop_add(log->loop, &watch, &log->source) < 0)
        give_up(log);
}

static void confess(struct log *log) {
    char line[256];
    size_t length = log->lost(log->lost_data, log->dropped, line, sizeof(line));

    log->dropped = 0;
    if (log->mid_line)
        log_write(log, "\n", 1);
    log_write(log, line, length);
}

static idle_path void write_waiting(struct log *log) {
    while (log->length > 0) {
        ssize_t n = outlet_write(&log->outlet, log->waiting, log->length);

        if (n == -EAGAIN) {
            wait_for_room(log);
            return;
        }
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
    if (log->length + length > LOG_ROOM / 2)
        write_waiting(log);
    if (!make_room(log, length)) {
        log->dropped++;
        return;
    }
    memcpy(log->waiting + log->length, lines, length);
    log->length += length;
}
