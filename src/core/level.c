/* SPDX-License-Identifier: MIT */
#include "core/level.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"

static const struct {
    const char *name;
    int severity;
} levels[] = {
#define X(name, text, severity) [LEVEL_##name] = {text, severity},
    LOG_LEVELS(X)
#undef X
};

const char *level_name(enum log_level level) {
    return levels[level].name;
}

int level_severity(enum log_level level) {
    return levels[level].severity;
}

int level_parse(const char *text, enum log_level *ret_level) {
    static const struct {
        const char *words[3];
        enum log_level level;
    } severities[] = {
        {{"0", "emerg", "panic"}, LEVEL_ERROR},
        {{"1", "alert"}, LEVEL_ERROR},
        {{"2", "crit"}, LEVEL_ERROR},
        {{"3", "err", "error"}, LEVEL_ERROR},
        {{"4", "warn", "warning"}, LEVEL_WARNING},
        {{"5", "notice"}, LEVEL_INFO},
        {{"6", "info"}, LEVEL_INFO},
        {{"7", "debug"}, LEVEL_DEBUG},
    };

    for (size_t i = 0; i < ELEMENTS(severities); i++)
        for (size_t j = 0; j < 3 && severities[i].words[j]; j++)
            if (strcmp(text, severities[i].words[j]) == 0) {
                *ret_level = severities[i].level;
                return 0;
            }
    return -EINVAL;
}
