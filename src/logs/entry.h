/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A line of a log, read back into what it was made of: text and JSON are told apart line by line,
 * so that a log may have both. The line is not trusted: one that is neither (torn by a crash, or
 * written by somebody else) is an entry of its text alone, and so is each line of a raw log.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

#define ENTRY_POOL_MAX 255

struct entry {
    uint64_t wall; /* where the line has none: that of the one before it, or of its file */
    bool is_tagged;
    struct frame_tag tag; /* `pool` points to `pool` below */
    struct frame_piece piece;
    char pool[ENTRY_POOL_MAX + 1];
    json_t *json; /* what the text lies in, or NULL */
};

/* Reads one line without its newline; the text points into it, or into `json`. */
void entry_parse(struct entry *entry, const char *line, size_t length);

/* Frees what a line of JSON needed. The entry may be read into again. */
void entry_finish(struct entry *entry);
