/* SPDX-License-Identifier: MIT */
#include "logs/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/macro.h"
#include "base/nsec.h"
#include "base/text.h"

#define SUFFIX ".log"

static void add_base(struct buffer *path) {
    const char *given = getenv("LOGS_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (given && given[0] == '/')
        buffer_add(path, given, strcspn(given, ":"));
    else if (geteuid() == 0)
        buffer_add_text(path, "/var/log/brood");
    else if (state && state[0] == '/')
        buffer_add_format(path, "%s/brood/log", state);
    else
        buffer_add_format(path, "%s/.local/state/brood/log", home ? home : "");
}

/* '/' as '-', and what would be taken for that by its number, so that no two paths are one name. */
static void add_escaped(struct buffer *path, char c) {
    if (c == '-' || c == '%')
        buffer_add_format(path, "%%%02x", (unsigned)c);
    else
        buffer_add(path, c == '/' ? "-" : &c, 1);
}

int archive_default_directory(const char *socket, char *buffer, size_t size) {
    struct buffer path = {.data = buffer, .size = size};

    add_base(&path);
    if (socket)
        buffer_add_text(&path, "/");
    for (const char *at = socket ? socket + 1 : ""; *at != '\0'; at++)
        add_escaped(&path, *at);
    return path.cut ? -ENAMETOOLONG : 0;
}

/* "web@3.out" → web, 3, out */
static void parse_raw_name(struct archive *archive, char *name) {
    char *sign = strrchr(name, '@'), *dot = sign ? strchr(sign, '.') : NULL;
    uint64_t worker;

    if (!dot)
        return;
    *dot = '\0';
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        if (strcmp(dot + 1, frame_stream_name((enum frame_stream)i)) != 0 ||
            text_parse_u64(sign + 1, 0, UINT32_MAX, &worker) < 0)
            continue;
        archive->is_raw = true;
        archive->origin.tag.worker = (uint32_t)worker;
        archive->origin.tag.stream = (enum frame_stream)i;
        *sign = '\0';
        return;
    }
    *dot = '.';
}

static void init(struct archive *archive, int directory, const char *name) {
    *archive = (struct archive){.directory = directory};
    strcpy(archive->name, name);
    char *pool = archive->origin.pool;

    snprintf(pool, ENTRY_POOL_MAX + 1, "%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
    parse_raw_name(archive, pool);
}

static bool is_known(const struct archive_list *list, int directory, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (list->archives[i].directory == directory && strcmp(list->archives[i].name, name) == 0)
            return true;
    return false;
}

/* The name of the log that a file belongs to: what is before a suffix of ours, if it has one. */
static bool log_name(const char *file, char name[SEGMENT_NAME_MAX]) {
    struct segment segment;

    if (strlen(file) >= SEGMENT_NAME_MAX)
        return false;
    for (const char *at = file; (at = strstr(at, SUFFIX)); at++) {
        size_t n = (size_t)(at - file) + strlen(SUFFIX);

        if (at == file)
            continue;
        memcpy(name, file, n);
        name[n] = '\0';
        if (file[n] == '\0' || segment_parse(file, name, &segment) >= 0)
            return true;
    }
    return false;
}

int archive_list_add_log(int directory, const char *name, struct archive_list *list) {
    struct archive *grown;

    if (is_known(list, directory, name))
        return 0;
    grown = reallocarray(list->archives, list->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    list->archives = grown;
    init(&grown[list->count++], directory, name);
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct archive *)a)->name, ((const struct archive *)b)->name);
}

int archive_list_add(int directory, struct archive_list *list) {
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    char name[SEGMENT_NAME_MAX];
    int r = 0;

    if (!stream)
        return -errno;
    while (r >= 0 && (entry = readdir(stream)))
        if (log_name(entry->d_name, name))
            r = archive_list_add_log(directory, name, list);
    closedir(stream);
    if (list->count > 0)
        qsort(list->archives, list->count, sizeof(struct archive), by_name);
    return r;
}

void archive_list_finish(struct archive_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        reader_free(list->archives[i].reader);
        segment_list_finish(&list->archives[i].list);
    }
    free(list->archives);
    *list = (struct archive_list){0};
}

/* Of a pair, the plain one: it is whole for sure. */
static void leave_out_copies(struct segment_list *list) {
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct segment *segment = &list->segments[i];

        if (segment->unfinished ||
            (kept > 0 && list->segments[kept - 1].sequence == segment->sequence))
            continue;
        list->segments[kept++] = *segment;
    }
    list->count = kept;
}

static bool is_of_tail(const struct archive *archive, const char *file) {
    const struct tail *tail = archive->tail;
    struct stat status;

    return fstatat(archive->directory, file, &status, 0) == 0 && status.st_dev == tail->device &&
           status.st_ino == tail->inode;
}

/* A log that ends with its tail has no files behind that one. */
static void end_at_tail(struct archive *archive) {
    struct segment_list *list = &archive->list;

    archive->ends_rotated = false;
    for (size_t i = 0; i < list->count && !archive->ends_rotated; i++) {
        archive->ends_rotated = is_of_tail(archive, list->segments[i].file);
        if (archive->ends_rotated)
            list->count = i + 1;
    }
}

/* The files from `next_sequence` on. */
static int look(struct archive *archive) {
    segment_list_finish(&archive->list);
    int r = segment_list(archive->directory, archive->name, &archive->list);

    if (r < 0)
        return r;
    leave_out_copies(&archive->list);
    if (archive->tail && archive->tail->inode != 0 && !archive->tail->goes_on)
        end_at_tail(archive);
    archive->at = 0;
    while (archive->at < archive->list.count &&
           archive->list.segments[archive->at].sequence < archive->next_sequence)
        archive->at++;
    return 0;
}

static int open_file(struct archive *archive, const char *file, enum segment_packing packing) {
    archive->reader = reader_free(archive->reader);
    strcpy(archive->file, file);
    int r = reader_open(archive->directory, file, packing, &archive->origin, &archive->reader);

    if (r >= 0 && archive->tail)
        reader_set_tail(archive->reader, archive->tail, false);
    return r;
}

/* Lines without a time of their own come when their file was rotated, or written to last. */
static uint64_t written_last(const struct archive *archive) {
    struct stat status;

    if (fstatat(archive->directory, archive->name, &status, 0) < 0)
        return 0;
    return (uint64_t)status.st_mtim.tv_sec * NSEC_PER_SEC + (uint64_t)status.st_mtim.tv_nsec;
}

static uint64_t last_sequence(const struct archive *archive) {
    size_t count = archive->list.count;

    return count > 0 ? archive->list.segments[count - 1].sequence : 0;
}

/*
 * Opens the file that is written to. Between listing and opening there may have been a rotation:
 * then the list is not the one that leads up to this file, and is made anew.
 */
static int open_current(struct archive *archive) {
    uint64_t before = last_sequence(archive);

    archive->origin.wall = written_last(archive);
    int r = open_file(archive, archive->name, SEGMENT_PLAIN);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = look(archive);
    if (r < 0 || last_sequence(archive) != before) {
        archive->reader = reader_free(archive->reader);
        return r < 0 ? r : 1;
    }
    archive->is_current = true;
    archive->next_sequence = before + 1;
    return 1;
}

/* A file may be compressed or removed between listing and opening: then it is looked for anew. */
static int open_listed(struct archive *archive) {
    const struct segment *segment = &archive->list.segments[archive->at];
    uint64_t sequence = segment->sequence;

    archive->origin.wall = segment->wall;
    int r = open_file(archive, segment->file, segment->packing);
    if (r == -ENOENT)
        return look(archive) < 0 ? r : 1;
    archive->is_current = false;
    archive->next_sequence = sequence + 1;
    archive->at++;
    return r < 0 ? r : 1;
}

/* The tail alone, behind all files or, where it has none, before the one that came after it. */
static int open_tail(struct archive *archive) {
    archive->reader = reader_free(archive->reader);
    archive->is_current = false;
    archive->origin.wall = written_last(archive);
    int r = reader_open(
        archive->directory, "/dev/null", SEGMENT_PLAIN, &archive->origin, &archive->reader);

    if (r < 0)
        return r;
    reader_set_tail(archive->reader, archive->tail, true);
    return 1;
}

/* Whether it is still to come, though there is no file of its own. */
static bool lacks_tail(const struct archive *archive) {
    return archive->tail && !archive->tail->is_met && !archive->tail->goes_on;
}

/* 1: there is a file, or it is worth trying again; 0: there is none. */
static int open_next(struct archive *archive) {
    const struct tail *tail = archive->tail;

    if (tail && tail->is_met && !tail->goes_on)
        return 0;
    if (archive->at < archive->list.count)
        return open_listed(archive);
    if (archive->ends_rotated)
        return 0;
    if (tail && !tail->is_met && tail->inode == 0)
        return open_tail(archive);
    int r = open_current(archive);
    return r == 0 && lacks_tail(archive) ? open_tail(archive) : r;
}

int archive_begin(struct archive *archive, uint64_t since, size_t first) {
    archive->reader = reader_free(archive->reader);
    archive->is_current = false;
    archive->next_sequence = 0;
    if (archive->tail) {
        archive->tail->is_met = false;
        archive->tail->matched = 0;
    }
    int r = look(archive);

    /* The name has full seconds: what was written within that second is later. */
    while (r >= 0 && archive->at < archive->list.count &&
           (archive->at < first ||
               nsec_add(archive->list.segments[archive->at].wall, NSEC_PER_SEC) < since))
        archive->at++;
    return r;
}

/* The file that was written to has been rotated: what comes after it is what is new. */
static int pass_own(struct archive *archive) {
    archive->next_sequence++;
    int r = look(archive);

    for (size_t i = 0; r >= 0 && i < archive->list.count; i++) {
        const struct segment *segment = &archive->list.segments[i];

        if (!reader_is(archive->reader, archive->directory, segment->file))
            continue;
        archive->next_sequence = segment->sequence + 1;
        archive->at = i + 1;
    }
    archive->reader = reader_free(archive->reader);
    return r;
}

static bool has_moved(const struct archive *archive) {
    return !reader_is(archive->reader, archive->directory, archive->name);
}

/*
 * 1: a line; 0: it has been read to its end; -EAGAIN: it may still grow. What has been moved away
 * is not written to any more: what is read after that is all that there is.
 */
static int read_current(struct archive *archive, bool follow, struct entry **ret_entry) {
    int r = reader_next(archive->reader, !follow, ret_entry);

    if (r != 0)
        return r;
    if (!follow || !has_moved(archive))
        return -EAGAIN;
    r = reader_next(archive->reader, true, ret_entry);
    return r != 0 ? r : pass_own(archive);
}

static int read_rotated(struct archive *archive, struct entry **ret_entry) {
    int r = reader_next(archive->reader, true, ret_entry);

    if (r == 0)
        archive->reader = reader_free(archive->reader);
    return r;
}

int archive_next(struct archive *archive, bool follow, struct entry **ret_entry) {
    for (;;) {
        int r = 0;

        if (archive->reader && archive->is_current)
            r = read_current(archive, follow, ret_entry);
        else if (archive->reader)
            r = read_rotated(archive, ret_entry);
        if (r == -EAGAIN && !lacks_tail(archive))
            return 0;
        if (r != 0 && r != -EAGAIN)
            return r;
        r = r == -EAGAIN ? open_tail(archive) : open_next(archive);
        if (r <= 0)
            return r;
    }
}

bool archive_has_tail(const struct archive *archive) {
    struct segment_list list;
    bool found = is_of_tail(archive, archive->name);

    if (found || segment_list(archive->directory, archive->name, &list) < 0)
        return found;
    for (size_t i = 0; i < list.count && !found; i++)
        found = is_of_tail(archive, list.segments[i].file);
    segment_list_finish(&list);
    return found;
}

const char *archive_file(const struct archive *archive) {
    return archive->file;
}
