/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * RuntimeDirectory=, StateDirectory=, CacheDirectory= and LogsDirectory= of systemd.exec(5): made
 * before the first start, owned by the pool's user.
 */

#include "conf/conf.h"

/*
 * Makes those that are missing, and gives those that are there the mode and the owner asked for.
 * -EBADMSG, with a message: one cannot be had; -ENOMEM.
 */
int directories_make(const struct conf_pool *pool, struct conf_messages *messages);

/* Removes the runtime directories of a pool that is gone, with what is in them. */
void directories_remove(const struct conf_pool *pool);
