/* SPDX-License-Identifier: MIT */
#pragma once

/* Reports as lines. */

#include <stdbool.h>

#include "base/buffer.h"
#include "run/engine.h"
#include "run/report_format.h"

/* Adds the line with its newline; `wall` is nanoseconds since 1970. */
void report_add_line(struct buffer *buffer, enum report_format format, uint64_t wall,
    const struct engine_report *told);

/* What is told of brood itself: enumerator, name in the log, level */
#define REPORT_NOTES(X)                                                                            \
    X(SHUTDOWN, "shutdown", INFO)                                                                  \
    X(LEFTOVERS, "leftover", ERROR)      /* below brood, of no worker */                           \
    X(LOG_LOST, "log-lost", ERROR)       /* lines of this log */                                   \
    X(LOG_TROUBLE, "log-trouble", ERROR) /* it cannot be written */                                \
    X(LOG_HEALED, "log-healed", INFO)                                                              \
    X(LOG_REOPENED, "log-reopened", DEBUG)                                                         \
    X(OUTPUT_TROUBLE, "output-trouble", ERROR)                                                     \
    X(OUTPUT_HEALED, "output-healed", INFO)                                                        \
    X(OUTPUT_LOST, "output-lost", ERROR)                                                           \
    X(CONFIGURATION_ERROR, "configuration", ERROR)                                                 \
    X(CONFIGURATION_WARNING, "configuration", WARNING)                                             \
    X(CONFIGURATION_TAKEN, "configuration", DEBUG)                                                 \
    X(RELOADED_ALL, "reload", INFO)                                                                \
    X(RELOAD_REFUSED, "reload", ERROR)                                                             \
    X(CONTROL, "control", ERROR) /* the control socket */                                          \
    X(NOTIFY, "notify", ERROR)   /* whoever has started us cannot be told */                       \
    X(OUT_OF_MEMORY, "out-of-memory", ERROR)                                                       \
    X(DEMAND, "demand", INFO)    /* the first connection starts a pool */                          \
    X(MISSED, "missed", WARNING) /* to followers of events alone */                                \
    X(LOOP, "loop", DEBUG)                                                                         \
    X(CALL, "call", DEBUG) /* of the control socket, to change something */                        \
    X(SIGNAL, "signal", DEBUG)

enum report_note {
#define X(name, text, level) NOTE_##name,
    REPORT_NOTES(X)
#undef X
        NOTE_MAX
};

const char *report_note_name(enum report_note note);
enum log_level report_note_level(enum report_note note);

/* A line of brood itself, about no pool. */
void report_add_note(struct buffer *buffer, enum report_format format, uint64_t wall,
    enum report_note note, const char *text);
