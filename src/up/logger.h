/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Brood's own log: what is told of it, in which shape, and where. That it cannot be written is said
 * on standard error, if it goes anywhere else; the lines wait.
 */

#include "run/log.h"
#include "run/record.h"

struct logger {
    struct loop *loop;
    struct log *log;
    struct log *aside; /* standard error, once there is something to say there; NULL */
    struct log_settings settings;
    struct record_style style;
};

/* What `settings` point to outlives it. As log_new(). */
int logger_open(struct loop *loop, const struct log_settings *settings, struct logger *ret_logger);

/* Writes what can be written, as long as `patience` lasts, and says what cannot. */
void logger_close(struct logger *logger, nsec_t patience);

/* Lines; what matters less than the level is passed over. They leave with logger_flush(). */
void logger_report(struct logger *logger, const struct engine_report *told);
void logger_note(struct logger *logger, enum report_note note, const char *text);
void logger_flush(struct logger *logger);

/* Other settings from now on, all but the target. */
void logger_change(struct logger *logger, enum log_level level, enum report_format format);

/* Opens a file anew. */
void logger_reopen(struct logger *logger);
