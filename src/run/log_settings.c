/* SPDX-License-Identifier: MIT */
#include "run/log_settings.h"

#include <errno.h>
#include <string.h>

int report_format_parse(const char *text, enum report_format *ret_format) {
    enum report_format format = strcmp(text, "json") == 0 ? REPORT_JSON : REPORT_TEXT;

    if (format == REPORT_TEXT && strcmp(text, "text") != 0)
        return -EINVAL;
    *ret_format = format;
    return 0;
}

struct log_settings log_settings_settle(
    const struct log_choice *first, const struct log_choice *second, bool terminal) {
    struct given_level level = first->level.given ? first->level : second->level;
    struct given_format format = first->format.given ? first->format : second->format;
    enum report_format by_default = terminal ? REPORT_TEXT_COLOURED : REPORT_TEXT;

    return (struct log_settings){
        .level = level.given ? level.value : LEVEL_INFO,
        .format = format.given ? format.value : by_default,
    };
}
