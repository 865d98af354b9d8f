/* SPDX-License-Identifier: MIT */

/*
 * logs/archive with a tail: bytes are told of, some in a file and some in memory; then they are
 * written, or others are, and the file is rotated at the end of a line. Whoever follows sees each
 * line once; whoever does not sees the log as it was told.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "logs/archive.h"

#define CURRENT "web.log"
#define ROTATED "web.log.20261122T190000Z-000001"

static char place[] = "/tmp/brood-fuzz-XXXXXX";
static int directory = -1;

static void clear(void) {
    unlinkat(directory, CURRENT, 0);
    unlinkat(directory, ROTATED, 0);
}

static void end(void) {
    clear();
    rmdir(place);
}

static void begin(void) {
    PROMISE(mkdtemp(place));
    directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    PROMISE(directory >= 0 && atexit(end) == 0);
}

static void append(const char *bytes, size_t size) {
    int fd = openat(directory, CURRENT, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    PROMISE(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

/* As above, with a rotation behind the first line that ends there. */
static void append_rotating(const char *bytes, size_t size) {
    const char *newline = size > 0 ? memchr(bytes, '\n', size) : NULL;
    size_t first = newline ? (size_t)(newline - bytes) + 1 : size;

    append(bytes, first);
    if (newline)
        PROMISE(renameat(directory, CURRENT, directory, ROTATED) == 0);
    append(bytes + first, size - first);
}

/* What the lines are worth that there are now, in their order. */
static uint64_t read_lines(struct archive *archive, bool follow, uint64_t sum) {
    struct entry *entry;
    int r;

    while ((r = archive_next(archive, follow, &entry)) > 0) {
        for (size_t i = 0; i < entry->piece.length; i++)
            sum = (sum ^ (unsigned char)entry->piece.text[i]) * 1099511628211U;
        sum = (sum ^ 0x100) * 1099511628211U;
    }
    PROMISE(r == 0);
    return sum;
}

static struct archive *open_log(struct archive_list *list, struct tail *tail) {
    *list = (struct archive_list){0};
    PROMISE(archive_list_add_log(directory, CURRENT, list) == 0);
    list->archives[0].tail = tail;
    PROMISE(archive_begin(&list->archives[0], 0, 0) == 0);
    return &list->archives[0];
}

static uint64_t read_plainly(bool follow) {
    struct archive_list list;
    uint64_t sum = read_lines(open_log(&list, NULL), follow, 0);

    archive_list_finish(&list);
    return sum;
}

static struct tail tell(const char *bytes, size_t written, size_t told, bool goes_on) {
    struct stat status;

    append(bytes, written);
    PROMISE(fstatat(directory, CURRENT, &status, 0) == 0);
    struct tail tail = {
        .device = status.st_dev,
        .inode = status.st_ino,
        .size = written,
        .bytes = bytes + written,
        .n_pending = told - written,
        .length = told - written,
    };
    if (goes_on)
        tail_go_on(&tail);
    return tail;
}

static void check_end(const char *bytes, size_t size, size_t written, size_t told) {
    struct archive_list list;

    append(bytes, told);
    uint64_t expected = read_plainly(false);
    clear();
    struct tail tail = tell(bytes, written, told, false);
    append_rotating(bytes + written, size - written);
    PROMISE(read_lines(open_log(&list, &tail), false, 0) == expected);
    archive_list_finish(&list);
}

static void check_follow(const char *bytes, size_t size, size_t written, size_t told) {
    struct archive_list list;
    struct tail tail = tell(bytes, written, told, true);
    struct archive *archive = open_log(&list, &tail);
    uint64_t sum = read_lines(archive, true, 0);

    append_rotating(bytes + written, size - written);
    sum = read_lines(archive, true, sum);
    PROMISE(sum == read_plainly(true));
    archive_list_finish(&list);
}

/* What comes is something else: then there is no more to promise than that it is read. */
static void check_other(const char *bytes, size_t size, size_t written, size_t told) {
    struct archive_list list;
    struct tail tail = tell(bytes, written, told, true);
    struct archive *archive = open_log(&list, &tail);

    read_lines(archive, true, 0);
    append(bytes, size);
    read_lines(archive, true, 0);
    PROMISE(tail.matched <= tail.n_pending);
    archive_list_finish(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (directory < 0)
        begin();
    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 2;
    size_t length = size - 2, told = data[0] * length / 255, written = data[1] * told / 255;

    clear();
    check_end(bytes, length, written, told);
    clear();
    check_follow(bytes, length, written, told);
    clear();
    check_other(bytes, length, written, told);
    return 0;
}
