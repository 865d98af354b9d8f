/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From a pipe to a file without the bytes coming to us: splice(2) into a pipe of our own, and from
 * there into the file. Straight into the file, the kernel would hold the lock of the first pipe
 * while it writes, and whoever writes to that would wait for the disk.
 */

#include <stddef.h>
#include <sys/types.h>

struct relay {
    int in, out; /* -1: not open yet */
};

#define RELAY_NULL ((struct relay){-1, -1})

void relay_finish(struct relay *relay);

/*
 * Takes what is in the pipe, up to `most` bytes, which must be given before more is taken. How many
 * they were; 0: nothing there now. -EMFILE, -ENFILE.
 */
ssize_t relay_take(struct relay *relay, int pipe, size_t most);

/*
 * Writes what has been taken to a file that is not open for appending, at `*offset`. On failure
 * `*left` bytes can still be read from `relay->out`, and are to be. -EINVAL: its file system cannot
 * do it.
 */
int relay_give(struct relay *relay, int file, off_t *offset, size_t *left);
