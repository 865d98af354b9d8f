/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>

#include "base/macro.h"
#include "run/log_settings.h"

Test(log_settings, targets)
{
    static const struct {
        const char *text;
        struct log_target target;
    } good[] = {
        {"stderr", {LOG_TO_STDERR, NULL}},
        {"journal", {LOG_TO_JOURNAL, NULL}},
        {"syslog", {LOG_TO_SYSLOG, NULL}},
        {"null", {LOG_TO_NULL, NULL}},
        {"file:x", {LOG_TO_FILE, "x"}},
        {"file:/dev/null", {LOG_TO_NULL, NULL}},
        {"file:/dev/stderr", {LOG_TO_STDERR, NULL}},
        {"file:/var/log/file:", {LOG_TO_FILE, "/var/log/file:"}},
    };
    static const char *const bad[] = {"", "file", "file:", "File:x", "stderr ", "/x", "stdout"};
    struct log_target target;

    for (size_t i = 0; i < ELEMENTS(good); i++) {
        cr_assert_eq(log_target_parse(good[i].text, &target), 0, "%s", good[i].text);
        cr_assert(log_target_equal(&target, &good[i].target), "%s", good[i].text);
    }
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        cr_assert_eq(log_target_parse(bad[i], &target), -EINVAL, "%s", bad[i]);
}

Test(log_settings, targets_differ_by_kind_and_path)
{
    struct log_target one = {LOG_TO_FILE, "/one"}, two = {LOG_TO_FILE, "/two"};
    struct log_target journal = {LOG_TO_JOURNAL, NULL}, syslog = {LOG_TO_SYSLOG, NULL};

    cr_assert_not(log_target_equal(&one, &two));
    cr_assert_not(log_target_equal(&journal, &syslog));
    cr_assert_str_eq(log_target_name(&one), "/one");
    cr_assert_str_eq(log_target_name(&journal), "journal");
}

Test(log_settings, the_first_choice_wins_then_the_second_then_the_default)
{
    struct log_choice none = {0}, first = {.level = {true, LEVEL_ERROR}};
    struct log_choice second = {.level = {true, LEVEL_DEBUG}, .format = {true, REPORT_JSON}};
    struct log_settings settings = log_settings_settle(&first, &second, true);

    cr_assert_eq(settings.level, LEVEL_ERROR);
    cr_assert_eq(settings.format, REPORT_JSON);
    settings = log_settings_settle(&none, &second, true);
    cr_assert_eq(settings.level, LEVEL_DEBUG);
    settings = log_settings_settle(&none, &none, false);
    cr_assert_eq(settings.level, LEVEL_INFO);
    cr_assert_eq(settings.format, REPORT_TEXT);
    cr_assert_eq(settings.target.kind, LOG_TO_STDERR);
}

Test(log_settings, only_a_terminal_is_coloured)
{
    struct log_choice none = {0}, text = {.format = {true, REPORT_TEXT}};
    struct log_choice file = {.target = {true, {LOG_TO_FILE, "/x"}}};

    cr_assert_eq(log_settings_settle(&none, &none, true).format, REPORT_TEXT_COLOURED);
    cr_assert_eq(log_settings_settle(&none, &file, true).format, REPORT_TEXT);
    cr_assert_eq(log_settings_settle(&text, &none, true).format, REPORT_TEXT);
}
