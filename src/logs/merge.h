/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The wanted lines of several logs as one sequence, by time. Lines of one log stay in the order in
 * which they were written, whatever the clock did.
 */

#include "logs/query.h"

struct merge;

/* What can be read of which log goes wrong is told, and the others are read all the same. */
typedef void (*merge_trouble_fn)(void *data, const struct archive *archive, int error);

/*
 * Over those archives that the query wants. With `last`, only so many lines from the end are of
 * interest (0: all). The archives are begun here, and stay the caller's.
 */
int merge_new(const struct query *query, struct archive_list *archives, uint64_t last,
    merge_trouble_fn trouble, void *data, struct merge **ret_merge);

/* Accepts NULL; returns NULL. */
struct merge *merge_free(struct merge *merge);

/* 1: a line, good until the next call; 0: none now. With `follow`, there may be more later. */
int merge_next(struct merge *merge, bool follow, const struct entry **ret_entry);
