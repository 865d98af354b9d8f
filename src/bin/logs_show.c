/* SPDX-License-Identifier: MIT */
#include "bin/logs_show.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/nsec.h"
#include "bin/commands.h"
#include "sys/wall.h"

/* A log whose file is packed between the question and the reading is asked for once more. */
#define QUESTIONS 3

/* Logs that are read together: those that were there at the start, then each new one. */
struct batch {
    struct batch *next;
    struct archive_list archives;
    struct merge *merge;
};

static const char *place_of(const struct logs_show *show, const struct archive *archive) {
    for (size_t i = 0; i < show->places->count; i++)
        if (show->places->list[i].fd == archive->directory)
            return show->places->list[i].path;
    return "";
}

static void on_trouble(void *data, const struct archive *archive, int error) {
    struct logs_show *show = data;

    show->has_failed = true;
    fprintf(stderr, "brood logs: %s/%s: %s\n", place_of(show, archive), archive_file(archive),
        error == ENOEXEC ? "the program that unpacks it is not installed" : strerror(error));
}

static bool is_read(const struct logs_show *show, const struct archive *archive) {
    for (const struct batch *batch = show->batches; batch; batch = batch->next)
        for (size_t i = 0; i < batch->archives.count; i++)
            if (batch->archives.archives[i].directory == archive->directory &&
                strcmp(batch->archives.archives[i].name, archive->name) == 0)
                return true;
    return false;
}

/* Only what nobody reads yet; 0: there is nothing new. */
static int list_new(const struct logs_show *show, struct archive_list *ret_list) {
    size_t kept = 0;
    int r = 0;

    *ret_list = (struct archive_list){0};
    for (size_t i = 0; i < show->places->count && r >= 0; i++)
        if (show->places->list[i].fd >= 0)
            r = archive_list_add(show->places->list[i].fd, ret_list);
    for (size_t i = 0; i < ret_list->count; i++)
        if (!is_read(show, &ret_list->archives[i]))
            ret_list->archives[kept++] = ret_list->archives[i];
    ret_list->count = kept;
    return r < 0 ? r : kept > 0;
}

static struct archive *find_archive(
    const struct archive_list *list, int directory, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (list->archives[i].directory == directory && strcmp(list->archives[i].name, name) == 0)
            return &list->archives[i];
    return NULL;
}

/* 0: of some log there is not even a file; it is to be read all the same. */
static int add_untouched(const struct logs_show *show, struct archive_list *list) {
    int r = 0;

    for (size_t i = 0; i < show->told->n_tails && r >= 0; i++) {
        const struct logs_tail *tail = &show->told->tails[i];
        int directory = show->places->list[tail->place].fd;

        if (tail->tail.length > 0 && directory >= 0)
            r = archive_list_add_log(directory, tail->name, list);
    }
    return r;
}

/* False where a file that was told of cannot be found: it has been packed or moved away since. */
static bool set_tails(const struct logs_show *show, const struct archive_list *list) {
    bool complete = true;

    for (size_t i = 0; i < show->told->n_tails; i++) {
        struct logs_tail *tail = &show->told->tails[i];
        struct archive *archive =
            find_archive(list, show->places->list[tail->place].fd, tail->name);

        if (!archive)
            continue;
        archive->tail = &tail->tail;
        complete = complete && (tail->tail.inode == 0 || archive_has_tail(archive));
    }
    return complete;
}

/* What is in memory is asked for first: so nothing can fall between that and the files. */
static int list_first(struct logs_show *show, struct archive_list *ret_list) {
    bool complete = false;
    int r = 0;

    *ret_list = (struct archive_list){0};
    for (int i = 0; i < QUESTIONS && r >= 0 && !complete; i++) {
        archive_list_finish(ret_list);
        r = logs_told_ask_tails(show->told, show->places, show->query, show->follow);
        if (r >= 0)
            r = list_new(show, ret_list);
        if (r >= 0)
            r = add_untouched(show, ret_list);
        complete = r >= 0 && set_tails(show, ret_list);
    }
    return r;
}

static int add_batch(struct logs_show *show, struct archive_list *archives, uint64_t last) {
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch) {
        archive_list_finish(archives);
        return -ENOMEM;
    }
    batch->archives = *archives;
    batch->next = show->batches;
    show->batches = batch;
    return merge_new(show->query, &batch->archives, last, on_trouble, show, &batch->merge);
}

static void free_batches(struct logs_show *show) {
    while (show->batches) {
        struct batch *batch = show->batches;

        show->batches = batch->next;
        merge_free(batch->merge);
        archive_list_finish(&batch->archives);
        free(batch);
    }
}

static bool has_subject(const struct logs_show *show, size_t i) {
    struct query one = {.subjects = &show->query->subjects[i], .n_subjects = 1};

    for (size_t k = 0; k < show->batches->archives.count; k++)
        if (query_wants(&one, &show->batches->archives.archives[k]))
            return true;
    return false;
}

/* Who follows may wait for a pool that has not written yet. */
static int check_subjects(const struct logs_show *show) {
    int status = STATUS_OK;

    for (size_t i = 0; i < show->query->n_subjects && !show->follow; i++) {
        const char *pool = show->query->subjects[i].pool;

        if (has_subject(show, i))
            continue;
        if (!logs_places_explain(show->places, pool))
            fprintf(stderr, "brood logs: there is no log of '%s' in %s\n", pool,
                show->places->list[0].path);
        status = STATUS_NO_SUCH_POOL;
    }
    return status;
}

/* Everything there is in the queue is of one kind: something has changed. */
static int wait_for_change(int notifier, uint64_t until) {
    char events[4096];
    struct pollfd change = {.fd = notifier, .events = POLLIN};
    uint64_t left = nsec_sub(until, wall_clock()) / NSEC_PER_MSEC + 1;

    fflush(stdout);
    while (poll(&change, 1, left < INT_MAX ? (int)left : -1) < 0)
        if (errno != EINTR)
            return -errno;
    return read(notifier, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
}

static int print_changes(struct logs_show *show) {
    struct archive_list fresh;
    int r = list_new(show, &fresh);

    if (r > 0)
        r = add_batch(show, &fresh, 0);
    else
        archive_list_finish(&fresh);
    for (struct batch *batch = show->batches; batch && r >= 0; batch = batch->next)
        r = logs_print(show->out, batch->merge, true);
    return r;
}

/* To the end of the time that is asked for, if there is one. */
static int follow(struct logs_show *show, int notifier) {
    uint64_t until = show->query->until;
    bool is_over;
    int r;

    do {
        is_over = wall_clock() > until;
        r = print_changes(show);
        if (r >= 0 && !is_over)
            r = wait_for_change(notifier, until);
    } while (r >= 0 && !is_over);
    return r;
}

/* Watched before anything is read, so that nothing falls between reading and watching. */
static int watch(const struct logs_show *show) {
    static const uint32_t changes = IN_MODIFY | IN_CREATE | IN_MOVE | IN_DELETE;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < show->places->count; i++)
        if (show->places->list[i].fd >= 0 &&
            inotify_add_watch(fd, show->places->list[i].path, changes) < 0) {
            int r = -errno;

            close(fd);
            return r;
        }
    return fd;
}

/* What there is, then what comes. */
static int print_all(struct logs_show *show, int notifier) {
    struct merge *merge = show->batches->merge;
    int r = show->has_last ? logs_print_last(show->out, merge, show->follow, show->last)
                           : logs_print(show->out, merge, show->follow);

    return r >= 0 && show->follow ? follow(show, notifier) : r;
}

int logs_show(struct logs_show *show) {
    struct archive_list archives = {0};
    int notifier = show->follow ? watch(show) : 0;
    int r = notifier < 0 ? notifier : list_first(show, &archives);
    int status = STATUS_OK;

    if (r >= 0)
        r = add_batch(show, &archives, show->has_last ? show->last : 0);
    else
        archive_list_finish(&archives);
    if (r >= 0)
        status = check_subjects(show);
    if (r >= 0 && status == STATUS_OK)
        r = print_all(show, notifier);
    if (r < 0)
        fprintf(stderr, "brood logs: %s\n", strerror(-r));
    free_batches(show);
    if (status != STATUS_OK)
        return status;
    bool is_clean = r >= 0 && !show->has_failed && !show->told->has_failed && fflush(stdout) == 0;
    return is_clean ? STATUS_OK : STATUS_UNCLEAN;
}
