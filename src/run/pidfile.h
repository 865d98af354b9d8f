/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A pidfile: "PID\n" under a name, and a POSIX record lock on that file held by the process with
 * this pid. The lock alone is the truth: it ends with its process in every case, and the kernel
 * names its holder. The number in the file is for people and scripts, and is never read here.
 *
 * Readers never see an empty or half-written file: it is written and locked beside its place
 * (PATH.XXXXXX), then moved there in one step. Starters that race cannot both win, since
 *  - a free name is taken by a rename that fails if there is a file by now;
 *  - a file is replaced only by the one who holds *its* lock and, having got it, finds the same
 *    file still under the name. A file whose process lives is locked, so it is never replaced.
 * Nothing is ever written into a file that was there before, and a symbolic link is not followed.
 * Somebody who deletes or replaces the file by other means lets a second daemon start: the rules
 * are kept among those who keep them.
 *
 * Rules for the holder:
 *  - It must be the very process that stays: the lock is not inherited over fork. It survives exec
 *    if its descriptor does (pidfile_inherit()).
 *  - It must never open and close the file again by itself (to read it, say): closing any
 *    descriptor of a file gives up the process's lock on it. So neither pidfile_holder() nor a
 *    second pidfile_acquire() may be called for a pidfile that the calling process holds.
 *  - The lock belongs to the descriptor table. A child that shares the table (CLONE_FILES) must
 *    unshare it before it closes descriptors.
 */

#include <stddef.h>
#include <sys/types.h>

struct pidfile {
    int fd;     /* holds the lock; close-on-exec; never below 3 */
    char *path; /* absolute */
};

#define PIDFILE_NULL ((struct pidfile){.fd = -1})

/* Enough for pidfile_explain(). */
#define PIDFILE_TEXT_SIZE 128

/*
 * Writes and locks the pidfile of the calling process. `path` may be relative to the working
 * directory of now. The file has mode 0644 whatever the umask.
 *
 * -EALREADY: a live process holds it; `ret_holder` is its pid, or 0 when that process is not
 * visible here (see PIDFILE_HIDDEN). -ELOOP: a symbolic link. -EINVAL: not a regular file.
 * -EBUSY: stale, but somebody keeps it locked for reading. Else what the system says: -ENOENT and
 * -EACCES are about the directory.
 */
int pidfile_acquire(const char *path, struct pidfile *ret_pidfile, pid_t *ret_holder);

/* Lets the lock go on in the program that is about to be executed. */
int pidfile_inherit(const struct pidfile *pidfile);

/*
 * Deletes the file, unless the name means another file by now, and gives up the lock. What remains
 * is PIDFILE_NULL, which may be removed again, also when the file could not be deleted.
 */
int pidfile_remove(struct pidfile *pidfile);

enum pidfile_state {
    PIDFILE_ABSENT, /* there is no such file */
    PIDFILE_STALE,  /* there is, and nobody holds it */
    PIDFILE_HELD,   /* by a live process */
    PIDFILE_HIDDEN, /* by a live process without a number in this pid namespace, or on this host */
};

/*
 * Who holds the pidfile now. Returns a pidfile_state; with PIDFILE_HELD `ret_pid` is the holder
 * (else 0), and `ret_pidfd`, which may be NULL, a pidfd for it (else -1).
 *
 * The lock is looked at again once the pidfd is open. If the pid holds it then, the pidfd means
 * the holder, or a process that is gone by now: a recycled pid is never signalled through it.
 */
int pidfile_holder(const char *path, pid_t *ret_pid, int *ret_pidfd);

/*
 * The end of a sentence that begins with the path, for an error of this module: "already running
 * as pid 4711". Returns `buffer`.
 */
const char *pidfile_explain(int error, pid_t holder, char buffer[PIDFILE_TEXT_SIZE]);
