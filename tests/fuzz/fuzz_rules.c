/* SPDX-License-Identifier: MIT */

/* The rules of a pool as people write them: backoff, start limit, exit sets, signals. */

#include "base/signame.h"
#include "core/backoff.h"
#include "core/start_limit.h"
#include "core/verdict.h"
#include "fuzz.h"

/* Any backoff that is accepted gives delays within its bounds. */
static void try_backoff(const char *text) {
    struct backoff_rules rules;
    struct random random = {1};

    if (backoff_parse(text, &rules) < 0)
        return;
    PROMISE(rules.base <= rules.max && rules.first <= rules.max && rules.factor_permille >= 1000);
    for (uint32_t failures = 0; failures < 100; failures += 9) {
        struct backoff backoff = {failures};
        nsec_t delay = backoff_next(&backoff, &rules, 0, &random);
        double most = (double)rules.max * (1000 + rules.jitter_permille) / 1000;

        PROMISE((double)delay <= most * 1.000001);
        PROMISE(rules.base > 0 || rules.first > 0 || delay == 0);
    }
}

static void try_start_limit(const char *text) {
    struct start_limit_rules rules = {.burst = 0};
    struct start_limit limit = {0};
    enum limit_action action = LIMIT_ACTION_MAX;

    PROMISE(limit_action_parse(text, &action) < 0 || action < LIMIT_ACTION_MAX);
    if (start_limit_parse(text, &rules) < 0) {
        PROMISE(rules.burst == 0);
        return;
    }
    PROMISE(rules.burst > 0 && rules.interval > 0);
    for (uint32_t i = 0; i < 100; i++)
        PROMISE(start_limit_admit(&limit, &rules, 5) == (i < rules.burst));
}

static void try_sets(const char *text) {
    static const struct exit_set empty;
    struct exit_set set = empty;
    enum restart_mode mode = RESTART_MAX;

    PROMISE(restart_mode_parse(text, &mode) < 0 || mode < RESTART_MAX);
    if (exit_set_parse(text, &set) < 0)
        PROMISE(memcmp(&set, &empty, sizeof(set)) == 0);
}

static void try_signal(const char *text) {
    int signal = 0, back = 0;
    char name[24];

    if (signame_parse(text, &signal) < 0)
        return;
    PROMISE(signal >= 1 && signal <= 64);
    if (signal != 32 && signal != 33)
        PROMISE(signame_parse(signame_format(signal, name), &back) == 0 && back == signal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size);

    try_backoff(text);
    try_start_limit(text);
    try_sets(text);
    try_signal(text);
    free(text);
    return 0;
}
