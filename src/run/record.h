/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Lines of brood's own log in the shape that their target wants: as run/report.h has them, or as a
 * message of syslog (RFC 5424) or of the journal, with level, event, pool, worker, generation and
 * pid in fields of their own. Each is one line here (see run/sink_record.h).
 */

#include "run/log_settings.h"
#include "run/report.h"
#include "run/sink_syslog.h"

struct record_style {
    enum log_target_kind target;
    enum report_format format; /* of the line; of the message within */
    char host[SYSLOG_HOST_MAX + 1];
};

void record_style_init(
    enum log_target_kind target, enum report_format format, struct record_style *ret_style);

/* `wall` is nanoseconds since 1970. */
void record_add_line(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    const struct engine_report *told);
void record_add_note(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    enum report_note note, const char *text);
