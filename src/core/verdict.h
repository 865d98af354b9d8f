/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The restart policy: one pure question, one answer with its reason. The modes are those of
 * systemd.service(5), Restart=.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/cause.h"

/* enumerator, word on the command line */
#define RESTART_MODES(X)                                                                           \
    X(NO, "no")                                                                                    \
    X(ON_FAILURE, "on-failure")   /* anything but a clean exit, as Tornado's fork_processes */     \
    X(ON_ABNORMAL, "on-abnormal") /* signals, timeouts and what never ran; no exit status */       \
    X(ON_ABORT, "on-abort")       /* signals, cores */                                             \
    X(ON_WATCHDOG, "on-watchdog")                                                                  \
    X(ON_SUCCESS, "on-success")                                                                    \
    X(ALWAYS, "always")

enum restart_mode {
#define X(name, text) RESTART_##name,
    RESTART_MODES(X)
#undef X
        RESTART_MAX
};

const char *restart_mode_name(enum restart_mode mode);
int restart_mode_parse(const char *text, enum restart_mode *ret_mode);

/* A set of exit statuses and signals. Zeroed is empty. */
struct exit_set {
    uint64_t statuses[4];
    uint64_t signals;
};

void exit_set_add_status(struct exit_set *set, unsigned status);
void exit_set_add_signal(struct exit_set *set, int signal);
bool exit_set_has(const struct exit_set *set, struct cause cause);

/* Adds a list such as "0,75,SIGTERM" to the set. -EINVAL leaves the set as it was. */
int exit_set_parse(const char *list, struct exit_set *set);

struct restart_policy {
    enum restart_mode mode;
    struct exit_set success; /* counts as a clean end, besides exit status 0 */
    struct exit_set prevent; /* never restarted, whatever the mode says */
    struct exit_set force;   /* always restarted, whatever the mode says */
};

struct verdict {
    bool restart;
    bool clean;
    const char *reason; /* a literal, for messages */
};

/* Whether the end of a process is a clean one. */
bool restart_policy_is_clean(const struct restart_policy *policy, struct cause cause);

struct verdict restart_policy_judge(const struct restart_policy *policy, struct cause cause);
