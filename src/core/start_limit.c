/* SPDX-License-Identifier: MIT */
#include "core/start_limit.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

int limit_action_parse(const char *text, enum limit_action *ret_action) {
    static const char *const names[LIMIT_ACTION_MAX] = {
#define X(name, word) [LIMIT_##name] = word,
        LIMIT_ACTIONS(X)
#undef X
    };

    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_action = (enum limit_action)i;
            return 0;
        }
    return -EINVAL;
}

bool start_limit_admit(
    struct start_limit *limit, const struct start_limit_rules *rules, nsec_t now) {
    if (rules->burst == 0)
        return true;
    if (limit->count == 0 || nsec_sub(now, limit->begin) >= rules->interval)
        *limit = (struct start_limit){.begin = now};
    if (limit->count >= rules->burst)
        return false;
    limit->count++;
    return true;
}

int start_limit_parse(const char *text, struct start_limit_rules *rules) {
    const char *slash = strchr(text, '/');
    uint64_t burst;
    char number[16];
    nsec_t interval;

    if (!slash || (size_t)(slash - text) >= sizeof(number))
        return -EINVAL;
    memcpy(number, text, (size_t)(slash - text));
    number[slash - text] = '\0';
    if (text_parse_u64(number, 1, 1000000, &burst) < 0 ||
        text_parse_duration(slash + 1, &interval) < 0 || interval == 0)
        return -EINVAL;
    rules->burst = (uint32_t)burst;
    rules->interval = interval;
    return 0;
}
