/* SPDX-License-Identifier: MIT */
#include "logs/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

struct lane {
    struct archive *archive;
    struct entry *entry; /* the next one; NULL: none now */
    struct runs runs;
};

/* A heap of the lanes that have an entry, the earliest first; behind them those that have none. */
struct merge {
    const struct query *query;
    merge_trouble_fn trouble;
    void *data;
    size_t n_lanes, n_ready;
    bool has_given; /* the first of the heap has been given away: it is to be moved on first */
    struct lane **heap;
    struct lane lanes[];
};

static bool comes_before(const struct lane *a, const struct lane *b) {
    if (a->entry->wall != b->entry->wall)
        return a->entry->wall < b->entry->wall;
    return a < b;
}

static void swap(struct merge *merge, size_t i, size_t j) {
    struct lane *lane = merge->heap[i];

    merge->heap[i] = merge->heap[j];
    merge->heap[j] = lane;
}

static void sift_down(struct merge *merge, size_t i) {
    for (;;) {
        size_t first = i, child = 2 * i + 1;

        for (size_t k = child; k < child + 2 && k < merge->n_ready; k++)
            if (comes_before(merge->heap[k], merge->heap[first]))
                first = k;
        if (first == i)
            return;
        swap(merge, i, first);
        i = first;
    }
}

static void sift_up(struct merge *merge, size_t i) {
    for (; i > 0 && comes_before(merge->heap[i], merge->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(merge, i, (i - 1) / 2);
}

/* Moves a lane on to its next wanted line; false when it has none now. */
static bool advance(struct merge *merge, struct lane *lane, bool follow) {
    int r;

    do
        r = archive_next(lane->archive, follow, &lane->entry);
    while (r > 0 && !query_matches(merge->query, &lane->runs, lane->entry));
    if (r > 0)
        return true;
    lane->entry = NULL;
    if (r < 0)
        merge->trouble(merge->data, lane->archive, -r);
    return false;
}

static int note_runs(struct merge *merge, struct lane *lane) {
    struct entry *entry;
    int r = archive_begin(lane->archive, 0, 0);

    while (r >= 0 && (r = archive_next(lane->archive, false, &entry)) > 0)
        r = runs_note(&lane->runs, entry);
    if (r < 0)
        merge->trouble(merge->data, lane->archive, -r);
    return r == -ENOMEM ? r : 0;
}

static uint64_t count_from(struct merge *merge, struct lane *lane, size_t first) {
    uint64_t n = 0;

    if (archive_begin(lane->archive, merge->query->since, first) < 0)
        return 0;
    while (advance(merge, lane, false))
        n++;
    return n;
}

/* How many files at the end hold so many wanted lines: looked for in steps that double. */
static size_t find_first(struct merge *merge, struct lane *lane, uint64_t last) {
    size_t files = lane->archive->list.count;

    if (last == 0)
        return 0;
    for (size_t back = 0; back < files; back = back * 2 + 1)
        if (count_from(merge, lane, files - back) >= last)
            return files - back;
    return 0;
}

static int begin(struct merge *merge, struct lane *lane, uint64_t last) {
    int r = merge->query->previous ? note_runs(merge, lane) : 0;

    if (r >= 0)
        r = archive_begin(lane->archive, 0, 0);
    if (r >= 0)
        r = archive_begin(lane->archive, merge->query->since, find_first(merge, lane, last));
    if (r < 0)
        merge->trouble(merge->data, lane->archive, -r);
    return r == -ENOMEM ? r : 0;
}

int merge_new(const struct query *query, struct archive_list *archives, uint64_t last,
    merge_trouble_fn trouble, void *data, struct merge **ret_merge) {
    struct merge *merge = calloc(1, sizeof(*merge) + archives->count * sizeof(struct lane));
    int r = 0;

    if (!merge)
        return -ENOMEM;
    merge->query = query;
    merge->trouble = trouble;
    merge->data = data;
    merge->heap = calloc(MAX(archives->count, (size_t)1), sizeof(*merge->heap));
    if (!merge->heap)
        r = -ENOMEM;
    for (size_t i = 0; i < archives->count && r >= 0; i++) {
        if (!query_wants(query, &archives->archives[i]))
            continue;
        struct lane *lane = &merge->lanes[merge->n_lanes];
        merge->heap[merge->n_lanes++] = lane;
        lane->archive = &archives->archives[i];
        r = begin(merge, lane, last);
    }
    if (r < 0) {
        merge_free(merge);
        return r;
    }
    *ret_merge = merge;
    return 0;
}

struct merge *merge_free(struct merge *merge) {
    if (!merge)
        return NULL;
    for (size_t i = 0; i < merge->n_lanes; i++)
        runs_finish(&merge->lanes[i].runs);
    free(merge->heap);
    free(merge);
    return NULL;
}

static void settle_first(struct merge *merge, bool follow) {
    merge->has_given = false;
    if (!advance(merge, merge->heap[0], follow))
        swap(merge, 0, --merge->n_ready);
    sift_down(merge, 0);
}

static void look_for_more(struct merge *merge, bool follow) {
    for (size_t i = merge->n_ready; i < merge->n_lanes; i++) {
        if (!advance(merge, merge->heap[i], follow))
            continue;
        swap(merge, i, merge->n_ready);
        sift_up(merge, merge->n_ready++);
    }
}

int merge_next(struct merge *merge, bool follow, const struct entry **ret_entry) {
    if (merge->has_given)
        settle_first(merge, follow);
    if (merge->n_ready == 0)
        look_for_more(merge, follow);
    if (merge->n_ready == 0)
        return 0;
    merge->has_given = true;
    *ret_entry = merge->heap[0]->entry;
    return 1;
}
