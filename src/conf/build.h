/* SPDX-License-Identifier: MIT */
#pragma once

/* From what the files say to pools. */

#include "conf/internal.h"

struct pools {
    struct conf_pool **list;
    size_t count;
};

struct build {
    struct arena *arena;
    struct conf_messages *messages;
    const struct sections *sections;
    bool strict;
};

/* Mistakes go to the messages. -ENOMEM. */
int build_brood(struct build *build, struct conf_brood *ret_brood);
int build_pools(struct build *build, struct pools *ret_pools);
