/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Descriptors that a process has asked to be kept for its successors (FDSTORE=1), with their names:
 * one bounded store for each place. They are handed over with every start, and stay until they
 * are removed by name, until they hang up or have an error (unless FDPOLL=0), or until the store is
 * finished.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/notify.h"
#include "loop/loop.h"

struct fdstore_entry {
    int fd;
    bool watched;
    char name[NOTIFY_NAME_MAX + 1];
};

/* Does not move while it is in use. */
struct fdstore {
    struct loop *loop;
    struct fdstore_entry *entries; /* the oldest first */
    uint32_t count;
    uint32_t max; /* FileDescriptorStoreMax= */
    int epoll; /* tells of hang-ups alone, which a source of the loop cannot; -1: none is watched */
    loop_source_t source;
};

/* Nothing is opened or allocated before the first descriptor is kept. */
void fdstore_init(struct fdstore *store, struct loop *loop, uint32_t max);

/* Closes them all. */
void fdstore_finish(struct fdstore *store);

/*
 * Keeps a descriptor, which is the store's from now on, also on failure: then it is closed. A file
 * that is kept already is not kept twice (0). -ENOSPC: the store is full; -EINVAL: no valid name;
 * -ENOMEM, -EMFILE. With `watch` it goes when it hangs up; what cannot be polled stays.
 */
int fdstore_add_consume(
    struct fdstore *store, int fd, const char *name, size_t name_size, bool watch);

/* Closes those with that name; returns how many they were. */
uint32_t fdstore_remove(struct fdstore *store, const char *name, size_t name_size);

/* What a notification says about descriptors; takes them out of `fds` (-1 is left). As add. */
int fdstore_obey(
    struct fdstore *store, const struct notify_message *message, int *fds, size_t n_fds);

/* FileDescriptorStoreMax= has changed: what is above it stays until it goes by itself. */
void fdstore_set_max(struct fdstore *store, uint32_t max);
