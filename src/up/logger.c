/* SPDX-License-Identifier: MIT */
#include "up/logger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sys/wall.h"

/* Room for the last words of a process, each byte of which may need an escape. */
#define LINE_SIZE (1024 + 6 * ENGINE_WORDS)

#define NOTE_SIZE 1024

static size_t tell_lost(void *data, uint64_t lines, char *line, size_t size) {
    const struct logger *logger = data;
    struct buffer buffer = {.data = line, .size = size};
    char text[64];

    snprintf(text, sizeof(text), "%" PRIu64 " lines lost: nobody %s", lines,
        logger->settings.target.kind == LOG_TO_STDERR ? "read them" : "took them");
    record_add_note(&buffer, &logger->style, wall_clock(), NOTE_LOG_LOST, text);
    return buffer.length;
}

static size_t lose_aside(void *data, uint64_t lines, char *line, size_t size) {
    (void)data, (void)lines, (void)line, (void)size;
    return 0;
}

static void pass_over_trouble(void *data, const char *where, int error) {
    (void)data, (void)where, (void)error;
}

/* What cannot stand in the log itself. On standard error there would be no other place for it. */
static void say_aside(struct logger *logger, enum report_note note, const char *text) {
    struct log_target target = {.kind = LOG_TO_STDERR};
    struct log_events events = {lose_aside, pass_over_trouble, NULL};
    enum report_format format = logger->settings.format == REPORT_JSON ? REPORT_JSON : REPORT_TEXT;
    char line[NOTE_SIZE];
    struct buffer buffer = BUFFER(line);

    if (logger->settings.target.kind == LOG_TO_STDERR ||
        report_note_level(note) > logger->settings.level)
        return;
    if (!logger->aside && log_new(logger->loop, &target, &events, &logger->aside) < 0)
        return;
    report_add_note(&buffer, format, wall_clock(), note, text);
    log_write(logger->aside, line, buffer.length);
    log_flush(logger->aside);
}

static void on_trouble(void *data, const char *where, int error) {
    const char *what = strerrordesc_np(error);
    char text[512];

    if (error == 0)
        snprintf(text, sizeof(text), "%s: can be written again", where);
    else
        snprintf(
            text, sizeof(text), "%s: %s; lines wait, trying again", where, what ?: "unknown error");
    say_aside(data, error == 0 ? NOTE_LOG_HEALED : NOTE_LOG_TROUBLE, text);
}

int logger_open(struct loop *loop, const struct log_settings *settings, struct logger *ret_logger) {
    struct log_events events = {tell_lost, on_trouble, ret_logger};

    *ret_logger = (struct logger){.loop = loop, .settings = *settings};
    record_style_init(settings->target.kind, settings->format, &ret_logger->style);
    return log_new(loop, &settings->target, &events, &ret_logger->log);
}

void logger_close(struct logger *logger, nsec_t patience) {
    char text[512];

    if (log_free(logger->log, patience) < 0) {
        snprintf(text, sizeof(text), "%s: not all that was told last could be written",
            log_target_name(&logger->settings.target));
        say_aside(logger, NOTE_LOG_LOST, text);
    }
    log_free(logger->aside, patience);
}

/* A line ends, even where it had to be cut. */
static void add(struct logger *logger, struct buffer *buffer) {
    if (buffer->cut)
        buffer->data[buffer->length - 1] = '\n';
    log_write(logger->log, buffer->data, buffer->length);
}

void logger_report(struct logger *logger, const struct engine_report *told) {
    char line[LINE_SIZE];
    struct buffer buffer = BUFFER(line);

    if (report_kind_level(told->report->kind) > logger->settings.level)
        return;
    record_add_line(&buffer, &logger->style, wall_clock(), told);
    add(logger, &buffer);
}

void logger_note(struct logger *logger, enum report_note note, const char *text) {
    char line[NOTE_SIZE];
    struct buffer buffer = BUFFER(line);

    if (report_note_level(note) > logger->settings.level)
        return;
    record_add_note(&buffer, &logger->style, wall_clock(), note, text);
    add(logger, &buffer);
}

void logger_flush(struct logger *logger) {
    log_flush(logger->log);
}

void logger_change(struct logger *logger, enum log_level level, enum report_format format) {
    logger->settings.level = level;
    logger->settings.format = format;
    record_style_init(logger->settings.target.kind, format, &logger->style);
}

void logger_reopen(struct logger *logger) {
    if (logger->settings.target.kind != LOG_TO_FILE)
        return;
    logger_note(logger, NOTE_LOG_REOPENED, logger->settings.target.path);
    log_reopen(logger->log);
}
