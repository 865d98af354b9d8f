/* SPDX-License-Identifier: MIT */

/* The file sink's files: opening, rotating, keeping no more than wanted. */

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "logs/segment.h"
#include "loop/loop.h"
#include "run/logfile_internal.h"
#include "run/writer.h"
#include "sys/wall.h"

#define REST NSEC_PER_SEC

/* Said when it changes, whatever the sink does otherwise. */
static void tell(struct logfile *file, int error) {
    if (file->told == error)
        return;
    file->told = error;
    writer_tell(&file->sink, error);
}

void logfile_close(struct logfile *file) {
    if (file->fd >= 0)
        close(file->fd);
    if (file->directory >= 0)
        close(file->directory);
    file->fd = file->directory = -1;
}

static int make_directories(const char *path, mode_t mode) {
    char part[PATH_MAX];
    size_t length = strlen(path);

    if (length >= sizeof(part))
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int open_directory(struct logfile *file) {
    static const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(file->settings.directory, flags);

    if (fd < 0 && errno == ENOENT) {
        int r = make_directories(file->settings.directory, file->settings.directory_mode);

        if (r < 0)
            return r;
        fd = open(file->settings.directory, flags);
    }
    if (fd < 0)
        return -errno;
    file->directory = fd;
    return 0;
}

/* As asked for, whatever the umask is; who may not give files away keeps them. */
static int set_owner(const struct logfile *file, int fd) {
    uid_t uid = file->settings.uid;
    gid_t gid = file->settings.gid;

    if (fchmod(fd, file->settings.mode) < 0)
        return -errno;
    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0 && errno != EPERM)
        return -errno;
    return 0;
}

/* Raw files know their offset themselves, since splice(2) refuses those opened for appending. */
static bool is_appended(const struct logfile *file) {
    return file->settings.format != FRAME_RAW || file->settings.shared;
}

/* Never waits for the reader of a FIFO, and follows no link that brood was not told of. */
static int open_as(const struct logfile *file, int flags) {
    flags |= O_CLOEXEC | O_NONBLOCK | (file->settings.shared ? 0 : O_NOFOLLOW) |
             (is_appended(file) ? O_APPEND : 0);
    int fd = openat(file->directory, file->settings.name, flags, 0600);

    return fd < 0 ? -errno : fd;
}

/*
 * One that is shared was tried at the start: what could be written then can be here, though it may
 * not be read (no torn line is ended in it), or is yet to be made behind a link.
 */
static int open_file(const struct logfile *file) {
    bool shared = file->settings.shared;
    int fd = open_as(file, O_RDWR);

    if (fd == -EACCES && shared)
        fd = open_as(file, O_WRONLY);
    if (fd != -ENOENT)
        return fd;
    fd = open_as(file, O_RDWR | O_CREAT | (shared ? 0 : O_EXCL));
    int r = fd < 0 ? fd : set_owner(file, fd);
    if (fd >= 0 && r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* A line that a crash has torn is ended, so that the next one is not lost with it. */
static int mend_end(const struct logfile *file, int fd, uint64_t *size) {
    char last;

    if (*size == 0 || !is_appended(file))
        return 0;
    if (pread(fd, &last, 1, (off_t)*size - 1) != 1 || last == '\n')
        return 0;
    if (write(fd, "\n", 1) != 1)
        return -errno;
    (*size)++;
    return 0;
}

/* When the file was made, as far as the file system knows; else when it was written to last. */
static uint64_t birth_of(int fd) {
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &status) < 0)
        return wall_clock();
    const struct statx_timestamp *time =
        status.stx_mask & STATX_BTIME ? &status.stx_btime : &status.stx_mtime;
    return (uint64_t)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

static nsec_t age_limit(const struct logfile *file, int fd) {
    if (file->settings.max_age == 0)
        return NSEC_NEVER;
    nsec_t age = nsec_sub(wall_clock(), birth_of(fd));
    return nsec_add(loop_clock(), nsec_sub(file->settings.max_age, age));
}

void logfile_begin_age(struct logfile *file) {
    if (file->settings.max_age > 0)
        file->rotate_at = nsec_add(loop_clock(), file->settings.max_age);
}

static int adopt(struct logfile *file, int fd) {
    struct stat status;
    uint64_t size;
    int r;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (!file->settings.shared && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return -EBUSY;
    size = (uint64_t)status.st_size;
    r = mend_end(file, fd, &size);
    if (r < 0)
        return r;
    if (lseek(fd, (off_t)size, SEEK_SET) < 0)
        return -errno;
    file->fd = fd;
    file->size = size;
    file->rotate_at = age_limit(file, fd);
    return 0;
}

static void unlink_segment(const struct logfile *file, const struct segment *segment) {
    unlinkat(file->directory, segment->file, 0);
}

static uint64_t size_of(const struct logfile *file, const struct segment *segment) {
    struct stat status;

    if (fstatat(file->directory, segment->file, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (uint64_t)status.st_size;
}

/* From the newest to the oldest: what comes after the last that may stay, goes. */
static void keep_newest(const struct logfile *file, const struct segment_list *list) {
    uint64_t total = 0;
    uint32_t count = 0;

    for (size_t i = list->count; i-- > 0;) {
        const struct segment *segment = &list->segments[i];

        if (segment->unfinished)
            continue;
        count++;
        total += file->settings.max_total > 0 ? size_of(file, segment) : 0;
        if ((file->settings.max_files > 0 && count > file->settings.max_files) ||
            (file->settings.max_total > 0 && total > file->settings.max_total))
            unlink_segment(file, segment);
    }
}

static bool has_work_for_packer(const struct segment_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (list->segments[i].packing == SEGMENT_PLAIN || list->segments[i].unfinished)
            return true;
    return false;
}

static void wake_packer(struct logfile *file) {
    if (file->settings.packer)
        packer_put(file->settings.packer, file->settings.directory, file->settings.name);
}

/* Looks over what is there, once: the next number, what goes, what an earlier life has left. */
static int take_stock(struct logfile *file) {
    struct segment_list list;

    if (file->sequence > 0)
        return 0;
    int r = segment_list(file->directory, file->settings.name, &list);
    if (r < 0)
        return r;
    file->sequence = list.count > 0 ? list.segments[list.count - 1].sequence + 1 : 1;
    keep_newest(file, &list);
    if (has_work_for_packer(&list))
        wake_packer(file);
    segment_list_finish(&list);
    return 0;
}

static int open_anew(struct logfile *file) {
    int fd, r;

    logfile_close(file);
    r = open_directory(file);
    if (r < 0)
        return r;
    fd = open_file(file);
    r = fd < 0 ? fd : adopt(file, fd);
    if (r >= 0)
        r = take_stock(file);
    if (r < 0 && fd >= 0 && file->fd < 0)
        close(fd);
    if (r < 0)
        logfile_close(file);
    return r;
}

int logfile_open(struct logfile *file) {
    struct stat status;

    if (file->fd < 0 || fstat(file->fd, &status) < 0 || status.st_nlink == 0)
        return open_anew(file);

    /* Somebody may have cut it off (logrotate's copytruncate). */
    if ((uint64_t)status.st_size < file->size) {
        file->size = (uint64_t)status.st_size;
        if (lseek(file->fd, status.st_size, SEEK_SET) < 0)
            return -errno;
    }
    return 0;
}

static void enforce_limits(struct logfile *file) {
    struct segment_list list;

    if (file->settings.max_files == 0 && file->settings.max_total == 0)
        return;
    if (segment_list(file->directory, file->settings.name, &list) < 0)
        return;
    keep_newest(file, &list);
    segment_list_finish(&list);
}

/* Not over another file, where the file system can promise it. */
static int rename_to(const struct logfile *file, const char *name) {
    int d = file->directory;

    if (renameat2(d, file->settings.name, d, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (faccessat(d, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(d, file->settings.name, d, name) < 0 ? -errno : 0;
}

static int give_name(struct logfile *file) {
    char name[SEGMENT_NAME_MAX];
    int r;

    do {
        r = segment_format(file->settings.name, wall_clock(), file->sequence, name);
        if (r >= 0)
            r = rename_to(file, name);
        file->sequence += r == 0 || r == -EEXIST;
    } while (r == -EEXIST);
    return r == -ENOENT ? 0 : r; /* somebody has moved it already */
}

void logfile_rotate(struct logfile *file) {
    nsec_t now = loop_clock();

    if (now < file->next_try)
        return;
    int r = give_name(file);
    if (r < 0) {
        file->next_try = nsec_add(now, REST);
        tell(file, -r);
        return;
    }
    file->next_try = 0;
    tell(file, 0);
    enforce_limits(file);
    close(file->fd);
    file->fd = -1;
    file->size = 0;
    wake_packer(file);
    logfile_open(file); /* where it fails, the next write says so */
}
