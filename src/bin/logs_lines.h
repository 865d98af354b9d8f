/* SPDX-License-Identifier: MIT */
#pragma once

/* How `brood logs` prints lines, as they come or only the last ones. */

#include "logs/merge.h"

struct logs_lines {
    bool json, is_terminal, is_coloured;
    char *out;
    size_t out_size;
};

/* For standard output. */
struct logs_lines logs_lines_init(bool json);
void logs_lines_finish(struct logs_lines *lines);

/* What there is now; with `follow` there may be more later. -ENOMEM. */
int logs_print(struct logs_lines *lines, struct merge *merge, bool follow);

/* As above, but only the last `count` of that. */
int logs_print_last(struct logs_lines *lines, struct merge *merge, bool follow, uint64_t count);
