/* SPDX-License-Identifier: MIT */
#include "coverage.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const event_names[EVENT_MAX] = {
    [EVENT_START] = "START",
    [EVENT_STOP] = "STOP",
    [EVENT_RESTART] = "RESTART",
    [EVENT_KILL] = "KILL",
    [EVENT_SPAWNED] = "SPAWNED",
    [EVENT_SPAWN_FAILED] = "NOSPAWN",
    [EVENT_READY] = "READY",
    [EVENT_EXITED] = "EXITED",
    [EVENT_TREE_GONE] = "GONE",
    [EVENT_TIMER] = "TIMER",
    [EVENT_RELOAD] = "RELOAD",
    [EVENT_RESET] = "RESET",
    [EVENT_ALIVE] = "ALIVE",
    [EVENT_WATCHDOG_SET] = "WATCHDOG",
    [EVENT_WATCHDOG_TRIGGER] = "TRIGGER",
    [EVENT_EXTEND] = "EXTEND",
    [EVENT_SIDE_EXITED] = "SIDE",
};

#define TO(state) (1U << WORKER_##state)

/* Where an end may lead, once it has been cleaned up. */
#define CONCLUSIONS                                                                                \
    (TO(STOPPED) | TO(PREPARING) | TO(STARTING) | TO(BACKOFF) | TO(DONE) | TO(FAILED))

static const unsigned followers[WORKER_STATE_MAX] = {
    [WORKER_STOPPED] = TO(PREPARING) | TO(STARTING),
    [WORKER_PREPARING] =
        TO(STARTING) | TO(STOPPING) | TO(KILLING) | TO(CLEANING) | TO(BACKOFF) | TO(FAILED),
    [WORKER_STARTING] = TO(PREPARING) | TO(READY) | TO(STOPPING) | TO(KILLING) | TO(CLEANING) |
                        TO(DRAINING) | TO(BACKOFF) | TO(DONE) | TO(FAILED),
    [WORKER_READY] = TO(PREPARING) | TO(STARTING) | TO(STOPPING) | TO(KILLING) | TO(CLEANING) |
                     TO(DRAINING) | TO(BACKOFF) | TO(DONE) | TO(FAILED),
    [WORKER_STOPPING] = TO(KILLING) | TO(DRAINING) | TO(FAILED),
    [WORKER_KILLING] = TO(DRAINING) | TO(FAILED),
    [WORKER_DRAINING] = TO(CLEANING) | CONCLUSIONS,
    [WORKER_CLEANING] = TO(KILLING) | CONCLUSIONS,
    [WORKER_BACKOFF] = TO(PREPARING) | TO(STARTING) | TO(DRAINING),
    [WORKER_DONE] = TO(PREPARING) | TO(STARTING) | TO(STOPPED),
    [WORKER_FAILED] =
        TO(PREPARING) | TO(STARTING) | TO(CLEANING) | TO(BACKOFF) | TO(DONE) | TO(STOPPED),
};

bool coverage_may_follow(enum worker_state from, enum worker_state to) {
    return from == to || (followers[from] >> to & 1);
}

void coverage_add(struct coverage *sum, const struct coverage *part) {
    for (int s = 0; s < WORKER_STATE_MAX; s++) {
        for (int e = 0; e < EVENT_MAX; e++)
            sum->events[s][e] += part->events[s][e];
        for (int t = 0; t < WORKER_STATE_MAX; t++)
            sum->changes[s][t] += part->changes[s][t];
    }
    for (int r = 0; r < REPORT_MAX; r++)
        sum->reports[r] += part->reports[r];
}

/* By contract the answer to a SPAWN finds the worker as it was. */
static bool can_meet(int state, int event) {
    return state == WORKER_PREPARING || state == WORKER_STARTING || state == WORKER_CLEANING ||
           (event != EVENT_SPAWNED && event != EVENT_SPAWN_FAILED);
}

static unsigned print_cell(uint64_t count, bool expected) {
    if (!expected && count == 0)
        printf(" %9s", "-");
    else
        printf(" %9" PRIu64 "%s", count, expected && count == 0 ? "!" : "");
    return expected && count == 0;
}

static unsigned print_events(const struct coverage *coverage) {
    unsigned missing = 0;

    printf("# %-12s", "event in");
    for (int e = 0; e < EVENT_MAX; e++)
        printf(" %9s", event_names[e]);
    for (int s = 0; s < WORKER_STATE_MAX; s++) {
        printf("\n# %-12s", worker_state_name((enum worker_state)s));
        for (int e = 0; e < EVENT_MAX; e++)
            missing += print_cell(coverage->events[s][e], can_meet(s, e));
    }
    putchar('\n');
    return missing;
}

/* A clean end whose cleaning up was left alone when it took too long, and has ended since. */
static bool is_rare(int from, int to) {
    return from == WORKER_FAILED && to == WORKER_DONE;
}

static unsigned print_changes(const struct coverage *coverage) {
    unsigned missing = 0;

    printf("#\n# %-12s", "from, to");
    for (int t = 0; t < WORKER_STATE_MAX; t++)
        printf(" %9.9s", worker_state_name((enum worker_state)t));
    for (int s = 0; s < WORKER_STATE_MAX; s++) {
        printf("\n# %-12s", worker_state_name((enum worker_state)s));
        for (int t = 0; t < WORKER_STATE_MAX; t++)
            missing += print_cell(
                coverage->changes[s][t], s != t && (followers[s] >> t & 1) && !is_rare(s, t));
    }
    putchar('\n');
    return missing;
}

unsigned coverage_print(const struct coverage *coverage) {
    unsigned missing = print_events(coverage) + print_changes(coverage);

    printf("#\n# reports:");
    for (int r = 0; r < REPORT_MAX; r++) {
        printf(" %s=%" PRIu64, report_kind_name((enum report_kind)r), coverage->reports[r]);
        missing += coverage->reports[r] == 0 && r != REPORT_SCALED &&
                   r != REPORT_UNHEARD; /* these are the shell's */
    }
    putchar('\n');
    return missing;
}
