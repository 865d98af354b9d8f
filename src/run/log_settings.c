/* SPDX-License-Identifier: MIT */
#include "run/log_settings.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"

#define FILE_PREFIX "file:"

int report_format_parse(const char *text, enum report_format *ret_format) {
    enum report_format format = strcmp(text, "json") == 0 ? REPORT_JSON : REPORT_TEXT;

    if (format == REPORT_TEXT && strcmp(text, "text") != 0)
        return -EINVAL;
    *ret_format = format;
    return 0;
}

static const char *const target_words[] = {
    [LOG_TO_STDERR] = "stderr",
    [LOG_TO_FILE] = NULL,
    [LOG_TO_JOURNAL] = "journal",
    [LOG_TO_SYSLOG] = "syslog",
    [LOG_TO_NULL] = "null",
};

int log_target_parse(const char *text, struct log_target *ret_target) {
    for (size_t i = 0; i < ELEMENTS(target_words); i++)
        if (target_words[i] && strcmp(text, target_words[i]) == 0) {
            *ret_target = (struct log_target){(enum log_target_kind)i, NULL};
            return 0;
        }
    if (strncmp(text, FILE_PREFIX, strlen(FILE_PREFIX)) != 0 || text[strlen(FILE_PREFIX)] == '\0')
        return -EINVAL;
    *ret_target = log_target_file(text + strlen(FILE_PREFIX));
    return 0;
}

struct log_target log_target_file(const char *path) {
    if (strcmp(path, "/dev/null") == 0)
        return (struct log_target){LOG_TO_NULL, NULL};
    if (strcmp(path, "/dev/stderr") == 0)
        return (struct log_target){LOG_TO_STDERR, NULL};
    return (struct log_target){LOG_TO_FILE, path};
}

const char *log_target_name(const struct log_target *target) {
    return target_words[target->kind] ?: target->path;
}

bool log_target_equal(const struct log_target *a, const struct log_target *b) {
    return a->kind == b->kind && strcmp(a->path ?: "", b->path ?: "") == 0;
}

struct log_settings log_settings_settle(
    const struct log_choice *first, const struct log_choice *second, bool terminal) {
    struct given_level level = first->level.given ? first->level : second->level;
    struct given_format format = first->format.given ? first->format : second->format;
    struct given_target target = first->target.given ? first->target : second->target;
    bool coloured = terminal && target.value.kind == LOG_TO_STDERR;

    return (struct log_settings){
        .level = level.given ? level.value : LEVEL_INFO,
        .format = format.given ? format.value
                  : coloured   ? REPORT_TEXT_COLOURED
                               : REPORT_TEXT,
        .target = target.value,
    };
}
