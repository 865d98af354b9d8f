/* SPDX-License-Identifier: MIT */
#include "logs/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "base/text.h"

/* Noon and midnight of some days do not exist twice: mktime knows. A day that none is, is refused.
 */
static int from_calendar(struct tm tm, bool utc, uint64_t *ret_wall) {
    struct tm asked = tm;

    tm.tm_isdst = -1;
    time_t seconds = utc ? timegm(&tm) : mktime(&tm);
    if (seconds < 0 || tm.tm_mday != asked.tm_mday || tm.tm_mon != asked.tm_mon)
        return -EINVAL;
    *ret_wall = (uint64_t)seconds * NSEC_PER_SEC;
    return 0;
}

static struct tm midnight(uint64_t now, bool utc) {
    time_t seconds = (time_t)(now / NSEC_PER_SEC);
    struct tm tm;

    if (utc)
        gmtime_r(&seconds, &tm);
    else
        localtime_r(&seconds, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return tm;
}

static int parse_word(const char *text, uint64_t now, uint64_t *ret_wall) {
    bool is_yesterday = strcmp(text, "yesterday") == 0;
    struct tm tm = midnight(now, false);

    if (is_yesterday || strcmp(text, "today") == 0) {
        tm.tm_mday -= is_yesterday;
        tm.tm_isdst = -1;
        mktime(&tm);
        return from_calendar(tm, false, ret_wall);
    }
    if (strcmp(text, "now") != 0)
        return -EINVAL;
    *ret_wall = now;
    return 0;
}

/* ".25" behind the seconds; where there is nothing of that kind, nothing. */
static const char *read_fraction(const char *text, uint64_t *ret_nsec) {
    uint64_t unit = NSEC_PER_SEC;

    *ret_nsec = 0;
    if (text[0] != '.' || !isdigit((unsigned char)text[1]))
        return text;
    for (text++; isdigit((unsigned char)*text); text++) {
        unit /= 10;
        *ret_nsec += unit * (uint64_t)(*text - '0');
    }
    return text;
}

static int parse_date(const char *text, uint64_t now, uint64_t *ret_wall) {
    static const struct {
        const char *form;
        bool has_day, has_seconds;
    } forms[] = {
        {"%Y-%m-%d %H:%M:%S", true, true},
        {"%Y-%m-%dT%H:%M:%S", true, true},
        {"%Y-%m-%d %H:%M", true, false},
        {"%Y-%m-%dT%H:%M", true, false},
        {"%Y-%m-%d", true, false},
        {"%H:%M:%S", false, true},
        {"%H:%M", false, false},
    };
    size_t length = strlen(text);
    bool utc = length > 0 && text[length - 1] == 'Z';

    for (size_t i = 0; i < ELEMENTS(forms); i++) {
        struct tm tm = forms[i].has_day ? (struct tm){0} : midnight(now, utc);
        const char *end = strptime(text, forms[i].form, &tm);
        uint64_t fraction = 0;

        if (end && forms[i].has_seconds)
            end = read_fraction(end, &fraction);
        if (!end || end != text + length - utc)
            continue;
        int r = from_calendar(tm, utc, ret_wall);
        *ret_wall += r == 0 ? fraction : 0;
        return r;
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
    if (parse_word(text, now, ret_wall) >= 0 || parse_date(text, now, ret_wall) >= 0)
        return 0;
    return parse_ago(text, now, ret_wall);
}
