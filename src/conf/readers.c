/* SPDX-License-Identifier: MIT */
#include "conf/readers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/signame.h"
#include "base/text.h"
#include "sys/limit.h"

int read_text(const char *text, void *field) {
    if (*text == '\0')
        return -EINVAL;
    *(const char **)field = text;
    return 0;
}

int read_word(const char *text, void *field) {
    struct word_list *list = field;
    const char **grown;

    if (*text == '\0')
        return -EINVAL;
    grown = reallocarray(list->words, list->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    list->words = grown;
    list->words[list->count++] = text;
    return 0;
}

int read_duration(const char *text, void *field) {
    return text_parse_duration(text, field);
}

int read_count(const char *text, void *field) {
    return text_parse_u64(text, 0, UINT64_MAX - 1, field);
}

int read_signal(const char *text, void *field) {
    return signame_parse(text, field);
}

int read_signals(const char *text, void *field) {
    uint64_t mask = 0;
    char item[24];
    int signal, r;

    if (strcmp(text, "none") != 0)
        while ((r = text_next_item(&text, item, sizeof(item))) != 0) {
            if (r < 0 || signame_parse(item, &signal) < 0 || signal == SIGKILL ||
                signal == SIGSTOP || signal == SIGCHLD)
                return -EINVAL;
            mask |= UINT64_C(1) << (signal - 1);
        }
    *(uint64_t *)field = mask;
    return 0;
}

int read_mode(const char *text, void *field) {
    struct given_mode *mode = field;
    unsigned value;
    int r = text_parse_mode(text, &value);

    if (r < 0)
        return r;
    *mode = (struct given_mode){true, (mode_t)value & 0777};
    return 0;
}

static int read_bounded(const char *text, int min, int max, struct given_integer *integer) {
    int64_t value;
    int r = text_parse_i64(text, min, max, &value);

    if (r < 0)
        return r;
    *integer = (struct given_integer){true, (int)value};
    return 0;
}

int read_nice(const char *text, void *field) {
    return read_bounded(text, -20, 19, field);
}

int read_oom_score(const char *text, void *field) {
    return read_bounded(text, -1000, 1000, field);
}

int read_cpus(const char *text, void *field) {
    struct given_cpus *cpus = field;
    char item[32];
    int r;

    CPU_ZERO(&cpus->value);
    while ((r = text_next_item(&text, item, sizeof(item))) > 0) {
        char *dash = strchr(item, '-');
        uint64_t first, last;

        if (dash)
            *dash++ = '\0';
        if (text_parse_u64(item, 0, CPU_SETSIZE - 1, &first) < 0 ||
            text_parse_u64(dash ? dash : item, first, CPU_SETSIZE - 1, &last) < 0)
            return -EINVAL;
        for (uint64_t cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, &cpus->value);
    }
    cpus->given = true;
    return r < 0 || CPU_COUNT(&cpus->value) == 0 ? -EINVAL : 0;
}

static int read_limit_value(const char *text, rlim_t *ret_value) {
    uint64_t value;

    if (strcmp(text, "infinity") == 0 || strcmp(text, "unlimited") == 0) {
        *ret_value = RLIM_INFINITY;
        return 0;
    }
    if (text_parse_size(text, &value) < 0)
        return -EINVAL;
    *ret_value = (rlim_t)value;
    return 0;
}

/* NAME=SOFT[:HARD]; one value is both. */
int read_limit(const char *text, void *field) {
    struct limit_spec *limits = field, limit = {.set = true};
    char copy[96], *value, *hard;

    if (strlen(text) >= sizeof(copy) || !strchr(text, '='))
        return -EINVAL;
    strcpy(copy, text);
    value = strchr(copy, '=');
    *value++ = '\0';
    hard = strchr(value, ':');
    if (hard)
        *hard++ = '\0';
    int resource = limit_find(copy);
    if (resource < 0 || read_limit_value(value, &limit.soft) < 0 ||
        read_limit_value(hard ? hard : value, &limit.hard) < 0 || limit.soft > limit.hard)
        return -EINVAL;
    limits[resource] = limit;
    return 0;
}

int read_stdio(const char *text, void *field) {
    static const struct {
        const char *prefix;
        enum stdio_kind kind;
    } forms[] = {{"file:", STDIO_FILE}, {"append:", STDIO_APPEND}, {"truncate:", STDIO_TRUNCATE}};
    struct stdio_spec *stdio = field;

    if (strcmp(text, "inherit") == 0 || strcmp(text, "null") == 0) {
        *stdio = (struct stdio_spec){.kind = *text == 'n' ? STDIO_NULL : STDIO_INHERIT};
        return 0;
    }
    for (size_t i = 0; i < ELEMENTS(forms); i++) {
        size_t length = strlen(forms[i].prefix);

        if (strncmp(text, forms[i].prefix, length) == 0 && text[length] != '\0') {
            *stdio = (struct stdio_spec){forms[i].kind, text + length};
            return 0;
        }
    }
    return -EINVAL;
}

int read_log_level(const char *text, void *field) {
    struct given_level *level = field;

    level->given = level_parse(text, &level->value) == 0;
    return level->given ? 0 : -EINVAL;
}

int read_log_format(const char *text, void *field) {
    struct given_format *format = field;

    format->given = report_format_parse(text, &format->value) == 0;
    return format->given ? 0 : -EINVAL;
}

int read_log_target(const char *text, void *field) {
    struct given_target *target = field;

    target->given = log_target_parse(text, &target->value) == 0;
    return target->given ? 0 : -EINVAL;
}

int read_log_file(const char *text, void *field) {
    struct given_target *target = field;

    target->given = *text != '\0';
    target->value = log_target_file(text);
    return target->given ? 0 : -EINVAL;
}
