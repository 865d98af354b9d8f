/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "logs/segment.h"

Test(segment, reads_the_names_that_it_writes)
{
    static const struct {
        const char *suffix;
        enum segment_packing packing;
        bool unfinished;
    } cases[] = {
        {"", SEGMENT_PLAIN, false},
        {".zst", SEGMENT_ZSTD, false},
        {".gz", SEGMENT_GZIP, false},
        {".zst.part", SEGMENT_ZSTD, true},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char file[SEGMENT_NAME_MAX];
        struct segment segment;

        cr_assert_eq(segment_format("web.log", UINT64_C(951782400999999999), 42, file), 0);
        cr_assert_str_eq(file, "web.log.20000229T000000Z-000042");
        strcat(file, cases[i].suffix);
        cr_assert_eq(segment_parse(file, "web.log", &segment), 0, "%s", file);
        cr_assert_str_eq(segment.file, file);
        cr_assert_eq(segment.sequence, 42);
        cr_assert_eq(segment.wall, UINT64_C(951782400000000000));
        cr_assert_eq(segment.packing, cases[i].packing);
        cr_assert_eq(segment.unfinished, cases[i].unfinished);
    }
}

Test(segment, gives_no_name_that_it_would_not_know)
{
    char file[SEGMENT_NAME_MAX];
    struct segment segment;

    cr_assert_eq(segment_format("web.log", 0, SEGMENT_SEQUENCE_MAX, file), 0);
    cr_assert_eq(segment_parse(file, "web.log", &segment), 0);
    cr_assert_eq(segment.sequence, SEGMENT_SEQUENCE_MAX);
    cr_assert_eq(segment_format("web.log", 0, SEGMENT_SEQUENCE_MAX + 1, file), -EOVERFLOW);
}

Test(segment, passes_over_other_files)
{
    static const char *const others[] = {
        "web.log",
        "web.log.",
        "web.log.1",
        "web.log.gz",
        "web.logs.20000229T000000Z-000042",
        "web.log.20000230T000000Z-000042",
        "web.log.20000229T000000Z-",
        "web.log.20000229T000000Z-x",
        "web.log.20000229T000000Z-000042.bz2",
        "web.log.20000229T000000Z-99999999999999999999",
        "web.log.20000229T000000Z-18446744073709551615",
        "web.log.20000229T000000Z-1000000000000",
        "job.log.20000229T000000Z-000042",
        "",
    };
    struct segment segment;

    for (size_t i = 0; i < ELEMENTS(others); i++)
        cr_assert_eq(segment_parse(others[i], "web.log", &segment), -EINVAL, "%s", others[i]);
}

Test(segment, refuses_names_that_are_too_long)
{
    char name[SEGMENT_NAME_MAX], file[SEGMENT_NAME_MAX];

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    cr_assert_eq(segment_format(name, 0, 1, file), -ENAMETOOLONG);
}
