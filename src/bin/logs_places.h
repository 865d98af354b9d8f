/* SPDX-License-Identifier: MIT */
#pragma once

/* Where `brood logs` looks: what is known of pools, and the directories that come of it. */

#include <stdbool.h>
#include <stddef.h>

#include "logs/query.h"

/* Where a pool's output goes, in the words of CAPTURE_TARGETS. */
struct logs_pool {
    char *name, *output, *error;
    char *directory; /* of what is kept in files; NULL: nothing is */
};

struct logs_place {
    char *path;
    int fd; /* -1: not open */
};

struct logs_places {
    struct logs_pool *pools;
    size_t n_pools;
    struct logs_place *list;
    size_t count;
};

void logs_places_finish(struct logs_places *places);

/* Texts are copied; NULL stands for nothing. -ENOMEM. */
int logs_places_add_pool(struct logs_places *places, const char *name, const char *output,
    const char *error, const char *directory);

/* Each directory once. -ENOMEM. */
int logs_places_add(struct logs_places *places, const char *path);

/*
 * The directories of the pools that are wanted; and `fallback`, for what is known of no pool, or
 * was kept there before. -ENOMEM.
 */
int logs_places_choose(struct logs_places *places, const struct query *query, const char *fallback);

/*
 * What the pools of a configuration say: `files`, or else a directory. Tells what is wrong with it.
 * `fallback` is meant where they name none. -EBADMSG, -ENOMEM.
 */
int logs_places_read(struct logs_places *places, const char *path, const char *fallback);

/* The index of the place with that path, or -1. */
int logs_places_find(const struct logs_places *places, const char *path, size_t length);

/* The pool's output is in no file, now or ever: says where it goes instead. */
bool logs_places_explain(const struct logs_places *places, const char *pool);
