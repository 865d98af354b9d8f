/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * POSIX record locks (fcntl F_SETLK) on a whole file.
 *
 * Such a lock belongs to the process: it survives exec, is not inherited over fork, ends with the
 * process however it ends, and the kernel names its holder. The trap: the process loses the lock
 * when it closes *any* descriptor of that file, also one that it opened elsewhere only to look.
 */

#include <sys/types.h>

/* Takes the write lock without waiting; `fd` must be open for writing. -EAGAIN: not to be had. */
int lock_acquire(int fd);

/*
 * Who else holds the write lock. Returns 0 when nobody does, and 1 with the holder's pid, which is
 * 0 when the holder has no number here: it lives in a pid namespace or on a host that is not ours.
 * Read locks do not count, since everybody who may read the file can take one; nor does a lock of
 * the calling process, which the kernel never reports.
 */
int lock_holder(int fd, pid_t *ret_pid);
