/* SPDX-License-Identifier: MIT */
#include "base/utc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/nsec.h"

#define SECONDS_A_DAY 86400

struct date {
    unsigned year, month, day;
};

/*
 * Days since 1970 and dates of the Gregorian calendar, counted in eras of 400 years that begin with
 * a March, so that the leap day is the last one of its year.
 */
static struct date date_of(unsigned days) {
    unsigned shifted = days + 719468;
    unsigned era = shifted / 146097, of_era = shifted % 146097;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned from_march = (5 * of_year + 2) / 153;
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;

    return (struct date){
        .year = year + era * 400 + (month <= 2),
        .month = month,
        .day = of_year - (153 * from_march + 2) / 5 + 1,
    };
}

static unsigned days_of(struct date date) {
    unsigned year = date.year - (date.month <= 2);
    unsigned era = year / 400, year_of_era = year % 400;
    unsigned from_march = date.month > 2 ? date.month - 3 : date.month + 9;
    unsigned of_year = (153 * from_march + 2) / 5 + date.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year -
           719468;
}

static void put_digits(char *text, unsigned value, unsigned digits) {
    while (digits-- > 0) {
        text[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

const char *utc_format(uint64_t wall, char buffer[UTC_LENGTH + 1]) {
    uint64_t seconds = wall / NSEC_PER_SEC;
    unsigned of_day = (unsigned)(seconds % SECONDS_A_DAY);
    struct date date = date_of((unsigned)(seconds / SECONDS_A_DAY));

    snprintf(buffer, UTC_LENGTH + 1, "0000-00-00T00:00:00.000000Z");
    put_digits(buffer, date.year, 4);
    put_digits(buffer + 5, date.month, 2);
    put_digits(buffer + 8, date.day, 2);
    put_digits(buffer + 11, of_day / 3600, 2);
    put_digits(buffer + 14, of_day / 60 % 60, 2);
    put_digits(buffer + 17, of_day % 60, 2);
    put_digits(buffer + 20, (unsigned)(wall % NSEC_PER_SEC / NSEC_PER_USEC), 6);
    return buffer;
}

/* The digits at the places where the pattern has zeros; false where something else is there. */
static bool matches(const char *text, const char *pattern) {
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return true;
}

static unsigned digits(const char *text, unsigned n) {
    unsigned value = 0;

    for (unsigned i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

int utc_parse(const char *text, uint64_t *ret_wall) {
    if (!matches(text, "0000-00-00T00:00:00.000000Z"))
        return -EINVAL;

    struct date date = {digits(text, 4), digits(text + 5, 2), digits(text + 8, 2)};
    unsigned hour = digits(text + 11, 2), minute = digits(text + 14, 2);
    unsigned second = digits(text + 17, 2);
    if (date.year < 1970 || date.month < 1 || date.month > 12 || date.day < 1)
        return -EINVAL;
    if (hour > 23 || minute > 59 || second > 59)
        return -EINVAL;

    /* A day that its month does not have comes back as one of the next month. */
    unsigned days = days_of(date);
    struct date again = date_of(days);
    if (again.month != date.month || again.day != date.day)
        return -EINVAL;

    uint64_t seconds = (uint64_t)days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
    uint64_t wall, part = digits(text + 20, 6) * NSEC_PER_USEC;
    if (__builtin_mul_overflow(seconds, NSEC_PER_SEC, &wall) ||
        __builtin_add_overflow(wall, part, &wall))
        return -EINVAL;
    *ret_wall = wall;
    return 0;
}
