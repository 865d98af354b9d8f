/* SPDX-License-Identifier: MIT */
#include "logs/when.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "base/text.h"
#include "base/utc.h"

static struct tm local(uint64_t wall) {
    time_t seconds = (time_t)(wall / NSEC_PER_SEC);
    struct tm tm;

    localtime_r(&seconds, &tm);
    return tm;
}

/* Noon and midnight of some days do not exist twice: mktime knows. */
static int from_local(struct tm tm, uint64_t *ret_wall) {
    tm.tm_isdst = -1;
    time_t seconds = mktime(&tm);

    if (seconds < 0)
        return -EINVAL;
    *ret_wall = (uint64_t)seconds * NSEC_PER_SEC;
    return 0;
}

static struct tm midnight(uint64_t now, int days_back) {
    struct tm tm = local(now);

    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday -= days_back;
    return tm;
}

static int parse_word(const char *text, uint64_t now, uint64_t *ret_wall) {
    if (strcmp(text, "today") == 0)
        return from_local(midnight(now, 0), ret_wall);
    if (strcmp(text, "yesterday") == 0)
        return from_local(midnight(now, 1), ret_wall);
    if (strcmp(text, "now") != 0)
        return -EINVAL;
    *ret_wall = now;
    return 0;
}

static int parse_date(const char *text, uint64_t now, uint64_t *ret_wall) {
    static const struct {
        const char *form;
        bool has_day;
    } forms[] = {
        {"%Y-%m-%d %H:%M:%S", true},
        {"%Y-%m-%dT%H:%M:%S", true},
        {"%Y-%m-%d %H:%M", true},
        {"%Y-%m-%dT%H:%M", true},
        {"%Y-%m-%d", true},
        {"%H:%M:%S", false},
        {"%H:%M", false},
    };

    for (size_t i = 0; i < ELEMENTS(forms); i++) {
        struct tm tm = forms[i].has_day ? (struct tm){0} : midnight(now, 0);
        const char *end = strptime(text, forms[i].form, &tm);

        if (end && *end == '\0')
            return from_local(tm, ret_wall);
    }
    return -EINVAL;
}

static int parse_ago(const char *text, uint64_t now, uint64_t *ret_wall) {
    nsec_t ago;

    if (*text == '-')
        text++;
    if (text_parse_duration(text, &ago) < 0)
        return -EINVAL;
    *ret_wall = nsec_sub(now, ago);
    return 0;
}

int when_parse(const char *text, uint64_t now, uint64_t *ret_wall) {
    uint64_t seconds;

    if (*text == '@') {
        if (text_parse_u64(text + 1, 0, UINT64_MAX / NSEC_PER_SEC, &seconds) < 0)
            return -EINVAL;
        *ret_wall = seconds * NSEC_PER_SEC;
        return 0;
    }
    if (strlen(text) == UTC_LENGTH && utc_parse(text, ret_wall) >= 0)
        return 0;
    if (parse_word(text, now, ret_wall) >= 0 || parse_date(text, now, ret_wall) >= 0)
        return 0;
    return parse_ago(text, now, ret_wall);
}
