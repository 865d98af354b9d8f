/* SPDX-License-Identifier: MIT */
#pragma once

/* Reports as lines: for people, and as one JSON object each for programs. */

#include <stdbool.h>

#include "base/buffer.h"
#include "run/engine.h"

enum report_format {
    REPORT_TEXT,
    REPORT_TEXT_COLOURED,
    REPORT_JSON,
};

/* What is said even where only trouble is wanted: something failed for good. */
bool report_is_trouble(enum report_kind kind);

/* Adds the line with its newline; `wall` is nanoseconds since 1970. */
void report_add_line(struct buffer *buffer, enum report_format format, uint64_t wall,
    const struct engine_report *told);

/* A line of brood itself, about no pool. */
void report_add_note(struct buffer *buffer, enum report_format format, uint64_t wall,
    const char *event, const char *text);
