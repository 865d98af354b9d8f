/* SPDX-License-Identifier: MIT */
#include "core/backoff.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

struct backoff_rules backoff_default(void) {
    return (struct backoff_rules){
        .base = 100 * NSEC_PER_MSEC,
        .max = 10 * NSEC_PER_SEC,
        .reset = NSEC_PER_SEC,
        .factor_permille = 2000,
        .jitter_permille = 100,
    };
}

static nsec_t scale(nsec_t value, uint64_t permille) {
    unsigned __int128 product = (unsigned __int128)value * permille / 1000;

    return product > NSEC_NEVER ? NSEC_NEVER : (nsec_t)product;
}

/* base × factor^steps, not above max. A ladder too flat to climb (1 ns × 1.001) ends where it is.
 */
static nsec_t ladder(const struct backoff_rules *rules, uint32_t steps) {
    nsec_t delay = MIN(rules->base, rules->max);

    for (; steps > 0; steps--) {
        nsec_t next = MIN(scale(delay, rules->factor_permille), rules->max);

        if (next <= delay)
            break;
        delay = next;
    }
    return delay;
}

nsec_t backoff_jitter(nsec_t value, unsigned permille, struct random *random) {
    if (value == 0 || permille == 0)
        return value;
    return scale(value, 1000 - permille + random_below(random, 2 * permille + 1));
}

nsec_t backoff_next(
    struct backoff *backoff, const struct backoff_rules *rules, nsec_t ran, struct random *random) {
    nsec_t delay = rules->first;

    if (ran >= rules->reset)
        backoff->failures = 0;
    if (backoff->failures > 0)
        delay = ladder(rules, backoff->failures - 1);
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return backoff_jitter(delay, rules->jitter_permille, random);
}

static int parse_setting(const char *setting, struct backoff_rules *rules) {
    if (strncmp(setting, "first=", 6) == 0)
        return text_parse_duration(setting + 6, &rules->first);
    if (strncmp(setting, "base=", 5) == 0)
        return text_parse_duration(setting + 5, &rules->base);
    if (strncmp(setting, "max=", 4) == 0)
        return text_parse_duration(setting + 4, &rules->max);
    if (strncmp(setting, "reset=", 6) == 0)
        return text_parse_duration(setting + 6, &rules->reset);
    if (strncmp(setting, "factor=", 7) == 0)
        return text_parse_permille(setting + 7, 1000000, &rules->factor_permille);
    if (strncmp(setting, "jitter=", 7) == 0)
        return text_parse_permille(setting + 7, 1000, &rules->jitter_permille);
    return -EINVAL;
}

/* "100ms..30s" */
static int parse_range(const char *text, const char *dots, struct backoff_rules *rules) {
    char base[32];

    if ((size_t)(dots - text) >= sizeof(base))
        return -EINVAL;
    memcpy(base, text, (size_t)(dots - text));
    base[dots - text] = '\0';
    if (text_parse_duration(base, &rules->base) < 0)
        return -EINVAL;
    return text_parse_duration(dots + 2, &rules->max);
}

int backoff_parse(const char *text, struct backoff_rules *ret_rules) {
    struct backoff_rules rules = backoff_default();
    const char *dots = strstr(text, ".."), *cursor = text;
    char item[64];
    int r = 0;

    if (strcmp(text, "none") == 0)
        rules.base = rules.max = 0;
    else if (dots)
        r = parse_range(text, dots, &rules);
    else if (strchr(text, '='))
        while ((r = text_next_item(&cursor, item, sizeof(item))) > 0) {
            r = parse_setting(item, &rules);
            if (r < 0)
                break;
        }
    else
        r = text_parse_duration(text, &rules.base);
    if (r < 0 || rules.factor_permille < 1000)
        return -EINVAL;
    nsec_t most = MAX(rules.first, rules.base);
    if (!dots && !strstr(text, "max="))
        rules.max = MAX(rules.max, most);
    if (rules.max < most)
        return -EINVAL;
    *ret_rules = rules;
    return 0;
}
