/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * RuntimeDirectory=, StateDirectory=, CacheDirectory= and LogsDirectory= of systemd.exec(5): made
 * before the first start, owned by the pool's user.
 */

#include "conf/conf.h"

/*
 * Makes those that are missing, and gives those that are there the mode and the owner asked for.
 * Also on failure bit n of `made` says that the n-th runtime directory is new.
 * -EBADMSG, with a message: one cannot be had; -ENOMEM.
 */
int directories_make(
    const struct conf_pool *pool, struct conf_messages *messages, uint64_t *ret_made);

/* Removes the runtime directories that were made for a pool that is not to be after all. */
void directories_unmake(const struct conf_pool *pool, uint64_t made);

/* Removes the runtime directories of a pool that is gone, with what is in them. */
void directories_remove(const struct conf_pool *pool);
