/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Start limit: at most `burst` starts within `interval`, as systemd.unit(5)'s StartLimitBurst= and
 * StartLimitIntervalSec= count them: a window opens with a start and is forgotten when it is over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/nsec.h"

/* What happens when the limit is hit: enumerator, word on the command line. */
#define LIMIT_ACTIONS(X)                                                                           \
    X(GIVE_UP, "give-up") /* of this worker */                                                     \
    X(STOP, "stop")       /* the pool */                                                           \
    X(EXIT, "exit")       /* stop everything and exit */

enum limit_action {
#define X(name, text) LIMIT_##name,
    LIMIT_ACTIONS(X)
#undef X
        LIMIT_ACTION_MAX
};

int limit_action_parse(const char *text, enum limit_action *ret_action);

struct start_limit_rules {
    uint32_t burst; /* 0: no limit */
    enum limit_action action;
    nsec_t interval;
};

struct start_limit {
    nsec_t begin;
    uint32_t count;
};

/* Counts a start at `now`; false when it would be one too many. */
bool start_limit_admit(
    struct start_limit *limit, const struct start_limit_rules *rules, nsec_t now);

/* Reads "5/10s". -EINVAL. */
int start_limit_parse(const char *text, struct start_limit_rules *rules);
