/* SPDX-License-Identifier: MIT */
#pragma once

/* Which lines are wanted: of whom, from when to when, with what in them, of which process. */

#include <regex.h>

#include "logs/archive.h"

struct query_subject {
    char pool[ENTRY_POOL_MAX + 1];
    bool has_worker;
    uint32_t worker;
};

struct query {
    struct query_subject *subjects; /* none: all */
    size_t n_subjects;
    uint64_t since, until;  /* UINT64_MAX: no end */
    const regex_t *pattern; /* NULL: any text */
    bool previous;          /* of each worker, what the process before the last one wrote */
};

/* "web" or "web/3". -EINVAL. */
int query_subject_parse(const char *text, struct query_subject *ret_subject);

/* Whether the log can have a wanted line at all. */
bool query_wants(const struct query *query, const struct archive *archive);

/* The last two processes of each worker of one log; {0} is empty. */
struct runs {
    struct run *runs;
    size_t count;
};

/* Takes notice of a line. -ENOMEM. */
int runs_note(struct runs *runs, const struct entry *entry);
void runs_finish(struct runs *runs);

/* `runs` is of the entry's log, complete; NULL unless `previous`. */
bool query_matches(const struct query *query, const struct runs *runs, const struct entry *entry);
