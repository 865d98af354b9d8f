/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>

#include "core/level.h"

static enum log_level parsed(const char *text) {
    enum log_level level = LEVEL_MAX;

    cr_assert_eq(level_parse(text, &level), 0, "%s", text);
    return level;
}

Test(level, names_are_read_back)
{
    for (int level = 0; level < LEVEL_MAX; level++)
        cr_assert_eq((int)parsed(level_name((enum log_level)level)), level);
}

/* The gravest first, as a comparison with the wanted level needs it. */
Test(level, order_is_that_of_syslog)
{
    for (int level = 1; level < LEVEL_MAX; level++)
        cr_assert_lt(
            level_severity((enum log_level)(level - 1)), level_severity((enum log_level)level));
}

Test(level, words_and_numbers_of_syslog)
{
    static const char *const errors[] = {"0", "1", "2", "3", "emerg", "alert", "crit", "err"};

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        cr_assert_eq(parsed(errors[i]), LEVEL_ERROR);
    cr_assert_eq(parsed("4"), LEVEL_WARNING);
    cr_assert_eq(parsed("warn"), LEVEL_WARNING);
    cr_assert_eq(parsed("notice"), LEVEL_INFO);
    cr_assert_eq(parsed("5"), LEVEL_INFO);
    cr_assert_eq(parsed("6"), LEVEL_INFO);
    cr_assert_eq(parsed("7"), LEVEL_DEBUG);
}

Test(level, anything_else_is_refused)
{
    static const char *const wrong[] = {"", "8", "-1", "Info", "info ", "verbose", "07"};
    enum log_level level = LEVEL_MAX;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_eq(level_parse(wrong[i], &level), -EINVAL, "%s", wrong[i]);
    cr_assert_eq(level, LEVEL_MAX);
}
