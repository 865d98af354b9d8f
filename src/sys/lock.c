/* SPDX-License-Identifier: MIT */
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int lock_acquire(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

int lock_holder(int fd, pid_t *ret_pid) {
    /* What would stop a reader is a write lock. */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &lock) < 0)
        return -errno;
    *ret_pid = lock.l_type == F_UNLCK || lock.l_pid < 0 ? 0 : lock.l_pid;
    return lock.l_type != F_UNLCK;
}
