/* SPDX-License-Identifier: MIT */
#pragma once

/* From a pool as the configuration has it to what the engine, and its sockets, are made of. */

#include "conf/conf.h"
#include "run/engine.h"
#include "run/listen.h"

/* What we have done to ourselves; workers are to get it as it was. */
struct surroundings {
    struct limit_spec open_files; /* what we were started with; ours has been raised, for pidfds */
    bool has_null_input;       /* our standard input is /dev/null, and may be inherited as such */
    const char *log_directory; /* where logs go that no LogDirectory= names; outlives the pools */
};

/*
 * Works out plans and rules; what refers to the output lies in `ret_capture`, which is to stay as
 * long as the settings. What cannot be (an unknown user, a program that is not there) is added
 * to `messages` where it was said. -EBADMSG: there is such a message; -ENOMEM.
 */
int settings_make(const struct conf_pool *pool, const struct surroundings *surroundings,
    struct pool_settings *ret_settings, struct capture_settings *ret_capture,
    struct conf_messages *messages);

/* Gives back what settings_make() has made and nobody has taken. */
void settings_drop(struct pool_settings *settings);

/* What the pool listens on, one spec for each line; on the heap. Errors as above. */
int settings_listen(
    const struct conf_pool *pool, struct listen_spec **ret_specs, struct conf_messages *messages);
