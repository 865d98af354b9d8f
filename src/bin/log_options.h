/* SPDX-License-Identifier: MIT */
#pragma once

/* The options of `brood run` that say where what workers write is kept. */

#include <limits.h>

#include "bin/options.h"
#include "run/capture.h"
#include "run/plan.h"

struct log_options {
    const char *where; /* NULL: nowhere, it is left alone; "-": brood's own standard output */
    enum frame_format style;
    uint64_t max_size, keep;
    char directory[PATH_MAX];
};

/* The table, aimed at `options`. */
struct option_table log_options_table(struct log_options *options);

/* Says on standard error what cannot be; `pool` becomes the name of a file. */
bool log_options_are_sane(const char *command, const struct log_options *options, const char *pool);

/*
 * What they mean: what `stdio` leaves to be inherited is captured. The result refers to `options`.
 * -ENAMETOOLONG, and what getcwd(3) says.
 */
int log_options_settings(struct log_options *options, const struct stdio_spec stdio[3],
    struct capture_settings *ret_settings);
