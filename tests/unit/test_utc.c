/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "base/random.h"
#include "base/utc.h"

Test(utc, writes_known_times)
{
    char text[UTC_LENGTH + 1];

    cr_assert_str_eq(utc_format(0, text), "1970-01-01T00:00:00.000000Z");
    cr_assert_str_eq(utc_format(UINT64_C(951782400123456789), text), "2000-02-29T00:00:00.123456Z");
    cr_assert_str_eq(utc_format(UINT64_MAX, text), "2554-07-21T23:34:33.709551Z");
}

/* The C library knows the calendar, too. */
Test(utc, agrees_with_the_library_and_reads_what_it_writes)
{
    struct random random = {11};

    for (int i = 0; i < 200000; i++) {
        uint64_t wall = random_next(&random) / NSEC_PER_USEC * NSEC_PER_USEC, again = 0;
        time_t seconds = (time_t)(wall / NSEC_PER_SEC);
        char text[UTC_LENGTH + 1], expected[32];
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.", &tm);
        utc_format(wall, text);
        cr_assert_eq(strncmp(text, expected, 20), 0, "%s, not %s", text, expected);
        cr_assert_eq(utc_parse(text, &again), 0, "%s", text);
        cr_assert_eq(again, wall, "%s", text);
    }
}

Test(utc, refuses_what_is_no_time)
{
    static const char *const wrong[] = {
        "",
        "2026-11-22T19:28:58.010255",
        "2026-11-22 19:28:58.010255Z",
        "2026-11-22T19:28:58,010255Z",
        "2026-13-22T19:28:58.010255Z",
        "2026-00-22T19:28:58.010255Z",
        "2026-11-00T19:28:58.010255Z",
        "2026-11-31T19:28:58.010255Z",
        "2025-02-29T19:28:58.010255Z",
        "2026-11-22T24:28:58.010255Z",
        "2026-11-22T19:60:58.010255Z",
        "2026-11-22T19:28:60.010255Z",
        "1969-11-22T19:28:58.010255Z",
        "2555-11-22T19:28:58.010255Z",
        "9999-11-22T19:28:58.010255Z",
        "-026-11-22T19:28:58.010255Z",
    };
    uint64_t wall = 7;

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        cr_assert_eq(utc_parse(wrong[i], &wall), -EINVAL, "%s", wrong[i]);
    cr_assert_eq(wall, 7);
}
