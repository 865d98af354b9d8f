/* SPDX-License-Identifier: MIT */
#include "run/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/descriptors.h"
#include "sys/lock.h"
#include "sys/process.h"

/*
 * Every new attempt means that somebody replaced or left the file meanwhile. So many in a row do
 * not happen, unless a reader's lock on a stale file stands in the way until it is given up.
 */
#define ATTEMPTS_MAX 64

static int absolute_path(const char *path, char **ret_path) {
    char *directory;
    int r;

    if (path[0] == '/') {
        *ret_path = strdup(path);
        return *ret_path ? 0 : -ENOMEM;
    }
    directory = getcwd(NULL, 0);
    if (!directory)
        return -errno;
    r = asprintf(ret_path, "%s/%s", directory, path);
    free(directory);
    return r < 0 ? -ENOMEM : 0;
}

/* Opens what is there, and only to look at it: nothing about it is trusted. */
static int open_existing(const char *path, int access) {
    struct stat status;
    int fd = open(path, access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return errno == EISDIR ? -EINVAL : -errno;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}

/* Whether the name still means the file that we have open. */
static bool is_in_place(const char *path, int fd) {
    struct stat named, opened;

    return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

static int write_pid(int fd) {
    char text[16];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    ssize_t written = write(fd, text, (size_t)length);

    if (written < 0)
        return -errno;
    return written == length ? 0 : -ENOSPC;
}

/* A written and locked file under a name of its own, which the caller frees. Returns its fd. */
static int make_beside(const char *path, char **ret_temporary) {
    int fd, r;

    if (asprintf(ret_temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    /* Moved before it is locked: closing the lower number would give the lock up. */
    fd = descriptors_move_up_consume(mkostemp(*ret_temporary, O_CLOEXEC));
    if (fd < 0) {
        free(TAKE(*ret_temporary));
        return fd;
    }
    r = fchmod(fd, 0644) < 0 ? -errno : write_pid(fd);
    if (r == 0)
        r = lock_acquire(fd);
    if (r < 0) {
        unlink(*ret_temporary);
        free(TAKE(*ret_temporary));
        close(fd);
        return r;
    }
    return fd;
}

static bool is_held(const char *path, pid_t *ret_holder) {
    int state = pidfile_holder(path, ret_holder, NULL);

    return state == PIDFILE_HELD || state == PIDFILE_HIDDEN;
}

/* Replaces a file that nobody holds. -EAGAIN: things have changed, begin again. */
static int replace_stale(const char *path, const char *temporary, pid_t *ret_holder) {
    int fd = open_existing(path, O_RDWR);
    int r;

    if (fd < 0)
        return fd == -ENOENT ? -EAGAIN : fd;
    r = lock_acquire(fd);
    if (r == -EAGAIN)
        r = is_held(path, ret_holder) ? -EALREADY : -EAGAIN;
    else if (r == 0 && !is_in_place(path, fd))
        r = -EAGAIN;
    else if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Takes a free name. -EEXIST: it is not free. */
static int take_name(const char *path, const char *temporary) {
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* A file system (NFS, say) without this kind of rename. */
    if (link(temporary, path) < 0)
        return -errno;
    unlink(temporary);
    return 0;
}

static int put_in_place(const char *path, const char *temporary, pid_t *ret_holder) {
    int r = take_name(path, temporary);

    return r == -EEXIST ? replace_stale(path, temporary, ret_holder) : r;
}

int pidfile_acquire(const char *path, struct pidfile *ret_pidfile, pid_t *ret_holder) {
    struct pidfile pidfile = PIDFILE_NULL;
    char *temporary;
    int r;

    /* Asked first, so that who may not write in the directory is still told that it is running. */
    if (is_held(path, ret_holder))
        return -EALREADY;
    r = absolute_path(path, &pidfile.path);
    if (r < 0)
        return r;
    pidfile.fd = make_beside(pidfile.path, &temporary);
    if (pidfile.fd < 0) {
        free(pidfile.path);
        return pidfile.fd;
    }

    r = -EAGAIN;
    for (int attempt = 0; r == -EAGAIN && attempt < ATTEMPTS_MAX; attempt++)
        r = put_in_place(pidfile.path, temporary, ret_holder);
    if (r < 0) {
        unlink(temporary);
        close(pidfile.fd);
        free(pidfile.path);
    } else
        *ret_pidfile = pidfile;
    free(temporary);
    return r == -EAGAIN ? -EBUSY : r;
}

int pidfile_inherit(const struct pidfile *pidfile) {
    return fcntl(pidfile->fd, F_SETFD, 0) < 0 ? -errno : 0;
}

int pidfile_remove(struct pidfile *pidfile) {
    int r = 0;

    if (pidfile->fd < 0)
        return 0;
    /* Nobody replaces it between the question and the deed: we hold its lock. */
    if (is_in_place(pidfile->path, pidfile->fd) && unlink(pidfile->path) < 0)
        r = -errno;
    close(pidfile->fd);
    free(pidfile->path);
    *pidfile = PIDFILE_NULL;
    return r;
}

/* -EAGAIN: the holder has gone or changed under our eyes, look again. */
static int look(const char *path, int fd, pid_t *ret_pid, int *ret_pidfd) {
    pid_t holder, holder_now;
    int pidfd, r;

    r = lock_holder(fd, &holder);
    if (r < 0)
        return r;
    if (!is_in_place(path, fd))
        return -EAGAIN;
    if (r == 0)
        return PIDFILE_STALE;
    if (holder == 0)
        return PIDFILE_HIDDEN;
    if (ret_pidfd) {
        r = process_open(holder, &pidfd);
        if (r < 0)
            return r == -ESRCH ? -EAGAIN : r;
        if (lock_holder(fd, &holder_now) != 1 || holder_now != holder) {
            close(pidfd);
            return -EAGAIN;
        }
        *ret_pidfd = pidfd;
    }
    *ret_pid = holder;
    return PIDFILE_HELD;
}

int pidfile_holder(const char *path, pid_t *ret_pid, int *ret_pidfd) {
    int r = -EAGAIN;

    *ret_pid = 0;
    if (ret_pidfd)
        *ret_pidfd = -1;
    for (int attempt = 0; r == -EAGAIN && attempt < ATTEMPTS_MAX; attempt++) {
        int fd = open_existing(path, O_RDONLY);

        if (fd < 0)
            return fd == -ENOENT ? PIDFILE_ABSENT : fd;
        r = look(path, fd, ret_pid, ret_pidfd);
        close(fd);
    }
    return r == -EAGAIN ? -EBUSY : r;
}

const char *pidfile_explain(int error, pid_t holder, char buffer[PIDFILE_TEXT_SIZE]) {
    if (error == -EALREADY && holder > 0)
        snprintf(buffer, PIDFILE_TEXT_SIZE, "already running as pid %d", (int)holder);
    else if (error == -EALREADY)
        snprintf(
            buffer, PIDFILE_TEXT_SIZE, "already running as a process that is not visible here");
    else if (error == -ELOOP)
        snprintf(buffer, PIDFILE_TEXT_SIZE, "is a symbolic link");
    else if (error == -EINVAL)
        snprintf(buffer, PIDFILE_TEXT_SIZE, "is not a regular file");
    else if (error == -EBUSY)
        snprintf(buffer, PIDFILE_TEXT_SIZE, "is stale, but locked by a reader");
    else
        snprintf(buffer, PIDFILE_TEXT_SIZE, "%s", strerror(-error));
    return buffer;
}
