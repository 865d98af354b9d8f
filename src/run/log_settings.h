/* SPDX-License-Identifier: MIT */
#pragma once

/* How brood's own log is kept: what was asked for in one place or another, and what follows. */

#include <stdbool.h>

#include "core/level.h"
#include "run/report_format.h"

enum log_target_kind {
    LOG_TO_STDERR,
    LOG_TO_FILE,
    LOG_TO_JOURNAL,
    LOG_TO_SYSLOG,
    LOG_TO_NULL,
};

struct log_target {
    enum log_target_kind kind;
    const char *path; /* of the file, of the daemon's socket; NULL: where it always is */
};

/* "stderr", "file:PATH", "journal", "syslog", "null". The path lies in the text. -EINVAL. */
int log_target_parse(const char *text, struct log_target *ret_target);

/* By the path of a file; the devices that people name instead of a word are what they stand for. */
struct log_target log_target_file(const char *path);

/* For people: the path of a file, else the word. */
const char *log_target_name(const struct log_target *target);

bool log_target_equal(const struct log_target *a, const struct log_target *b);

/* Fields know whether they were given. */
struct given_level {
    bool given;
    enum log_level value;
};

struct given_format {
    bool given;
    enum report_format value;
};

struct given_target {
    bool given;
    struct log_target value;
};

struct log_choice {
    struct given_level level;
    struct given_format format;
    struct given_target target;
};

struct log_settings {
    enum log_level level; /* what matters less is not told */
    enum report_format format;
    struct log_target target;
};

/*
 * What `first` leaves open is as `second` has it, then as it is by default: info, and text to
 * standard error, coloured where that is a `terminal`.
 */
struct log_settings log_settings_settle(
    const struct log_choice *first, const struct log_choice *second, bool terminal);
