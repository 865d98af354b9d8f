/* SPDX-License-Identifier: MIT */
#include "logs/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

/* Workers beyond this are not told apart by process: the number comes from a file. */
#define WORKERS_MAX 65536

struct run {
    struct {
        pid_t pid;
        uint32_t generation;
    } last, before;
};

int query_subject_parse(const char *text, struct query_subject *ret_subject) {
    const char *slash = strrchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    uint64_t worker = 0;

    if (n == 0 || n > ENTRY_POOL_MAX)
        return -EINVAL;
    if (slash && text_parse_u64(slash + 1, 0, UINT32_MAX, &worker) < 0)
        return -EINVAL;
    *ret_subject = (struct query_subject){.has_worker = slash, .worker = (uint32_t)worker};
    memcpy(ret_subject->pool, text, n);
    return 0;
}

static bool is_subject(const struct query *query, const char *pool, const uint32_t *worker) {
    for (size_t i = 0; i < query->n_subjects; i++) {
        const struct query_subject *subject = &query->subjects[i];

        if (strcmp(subject->pool, pool) == 0 &&
            (!subject->has_worker || !worker || subject->worker == *worker))
            return true;
    }
    return query->n_subjects == 0;
}

bool query_wants(const struct query *query, const struct archive *archive) {
    const struct entry *origin = &archive->origin;

    return is_subject(query, origin->pool, archive->is_raw ? &origin->tag.worker : NULL);
}

int runs_note(struct runs *runs, const struct entry *entry) {
    const struct frame_tag *tag = &entry->tag;

    if (!entry->is_tagged || tag->orphan || tag->worker >= WORKERS_MAX)
        return 0;
    if (tag->worker >= runs->count) {
        size_t n = (size_t)tag->worker + 1;
        struct run *grown = reallocarray(runs->runs, n, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        memset(grown + runs->count, 0, (n - runs->count) * sizeof(*grown));
        runs->runs = grown;
        runs->count = n;
    }
    struct run *run = &runs->runs[tag->worker];
    if (run->last.pid == tag->pid && run->last.generation == tag->generation)
        return 0;
    if (run->before.pid == tag->pid && run->before.generation == tag->generation)
        return 0;
    run->before = run->last;
    run->last.pid = tag->pid;
    run->last.generation = tag->generation;
    return 0;
}

void runs_finish(struct runs *runs) {
    free(runs->runs);
    *runs = (struct runs){0};
}

static bool is_of_previous(const struct runs *runs, const struct entry *entry) {
    const struct frame_tag *tag = &entry->tag;

    if (!entry->is_tagged || tag->worker >= runs->count)
        return false;
    const struct run *run = &runs->runs[tag->worker];
    return run->before.pid == tag->pid && run->before.generation == tag->generation;
}

static bool has_pattern(const regex_t *pattern, const struct frame_piece *piece) {
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)piece->length};

    return regexec(pattern, piece->text, 1, &range, REG_STARTEND) == 0;
}

bool query_matches(const struct query *query, const struct runs *runs, const struct entry *entry) {
    if (entry->wall < query->since || entry->wall > query->until)
        return false;
    if (!is_subject(query, entry->pool, &entry->tag.worker))
        return false;
    if (query->previous && !is_of_previous(runs, entry))
        return false;
    return !query->pattern || has_pattern(query->pattern, &entry->piece);
}
