/* SPDX-License-Identifier: MIT */
#pragma once

/* What `brood logs` shows: the logs of all its places, as they stand, and as they go on. */

#include "bin/logs_lines.h"
#include "bin/logs_told.h"

struct logs_show {
    const struct query *query;
    const struct logs_places *places; /* open */
    struct logs_told *told;
    struct logs_lines *out;
    bool follow;
    bool has_last; /* only the last… */
    uint64_t last; /* …so many lines */

    bool has_failed;
    struct batch *batches;
};

/* Returns an exit status; with `follow`, only where something has gone wrong. */
int logs_show(struct logs_show *show);
