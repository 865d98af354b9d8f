/* SPDX-License-Identifier: MIT */
#pragma once

/* How brood's own log is kept: what was asked for in one place or another, and what follows. */

#include <stdbool.h>

#include "core/level.h"
#include "run/report_format.h"

/* Fields know whether they were given. */
struct given_level {
    bool given;
    enum log_level value;
};

struct given_format {
    bool given;
    enum report_format value;
};

struct log_choice {
    struct given_level level;
    struct given_format format;
};

struct log_settings {
    enum log_level level; /* what matters less is not told */
    enum report_format format;
};

/*
 * What `first` leaves open is as `second` has it, then as it is by default: info, and text,
 * coloured on a `terminal`.
 */
struct log_settings log_settings_settle(
    const struct log_choice *first, const struct log_choice *second, bool terminal);
