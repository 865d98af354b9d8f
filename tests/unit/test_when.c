/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "logs/when.h"

/* 2026-11-22 19:28:58 in UTC; in the zone of the test it is two hours later. */
#define NOW (UINT64_C(1795375738) * NSEC_PER_SEC)

Test(when, reads_what_people_write)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"now", 1795375738},
        {"today", 1795298400},
        {"yesterday", 1795212000},
        {"@1795375000", 1795375000},
        {"10min", 1795375138},
        {"-1h 30min", 1795370338},
        {"2026-11-22", 1795298400},
        {"2026-11-22 21:28", 1795375680},
        {"2026-11-22 21:28:58", 1795375738},
        {"2026-11-22T21:28:58", 1795375738},
        {"2026-11-22T19:28:58.000000Z", 1795375738},
        {"2026-11-22T19:28:58Z", 1795375738},
        {"2026-11-22 19:28Z", 1795375680},
        {"2026-11-22Z", 1795305600},
        {"19:28:58Z", 1795375738},
        {"21:28", 1795375680},
        {"00:00:01", 1795298401},
    };

    setenv("TZ", "EET-2", 1);
    tzset();
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t wall = 0;

        cr_assert_eq(when_parse(cases[i].text, NOW, &wall), 0, "%s", cases[i].text);
        cr_assert_eq(wall, cases[i].seconds * NSEC_PER_SEC, "%s: %llu", cases[i].text,
            (unsigned long long)(wall / NSEC_PER_SEC));
    }
}

Test(when, reads_parts_of_seconds)
{
    uint64_t wall;

    cr_assert_eq(when_parse("2026-11-22T19:28:58.25Z", NOW, &wall), 0);
    cr_assert_eq(wall, NOW + NSEC_PER_SEC / 4);
}

Test(when, refuses_the_rest)
{
    static const char *const wrong[] = {"", "tomorrow", "@", "@x", "10 parsecs", "2026-13-22",
        "2026-11-22 25:00", "25:00", "2026-11-22 21:28 and", "-", "2026-11-31", "2026-02-30Z",
        "2026-11-22 21:28.5", "Z"};
    uint64_t wall;

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        cr_assert_eq(when_parse(wrong[i], NOW, &wall), -EINVAL, "%s", wrong[i]);
}
