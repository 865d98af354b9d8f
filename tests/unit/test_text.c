/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/random.h"
#include "base/text.h"

#define UNTOUCHED UINT64_C(0x5555555555555555)

Test(text, reads_numbers_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } cases[] = {{"0", 0, 0}, {"7", 0, 7}, {"007", 0, 7}, {"100", 0, 100}, {"101", -ERANGE, 0},
        {"18446744073709551615", -ERANGE, 0}, {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0}, {"", -EINVAL, 0}, {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0}, {"+1", -EINVAL, 0}, {"-1", -EINVAL, 0}, {"0x10", -EINVAL, 0},
        {"1e2", -EINVAL, 0}, {"1.0", -EINVAL, 0}, {"\xb2", -EINVAL, 0}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t value = UNTOUCHED;

        cr_assert_eq(
            text_parse_u64(cases[i].text, 0, 100, &value), cases[i].result, "'%s'", cases[i].text);
        cr_assert_eq(value, cases[i].result == 0 ? cases[i].value : UNTOUCHED);
    }
    uint64_t value;
    cr_assert_eq(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &value), 0);
    cr_assert_eq(value, UINT64_MAX);
    cr_assert_eq(text_parse_u64("4", 5, 9, &value), -ERANGE);
}

Test(text, reads_signed_numbers)
{
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } cases[] = {{"-20", 0, -20}, {"+19", 0, 19}, {"0", 0, 0}, {"-0", 0, 0}, {"-21", -ERANGE, 0},
        {"20", -ERANGE, 0}, {"-", -EINVAL, 0}, {"+-1", -EINVAL, 0}, {"--1", -EINVAL, 0},
        {"", -EINVAL, 0}, {"9223372036854775808", -ERANGE, 0}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int64_t value = 0;

        cr_assert_eq(
            text_parse_i64(cases[i].text, -20, 19, &value), cases[i].result, "'%s'", cases[i].text);
        cr_assert_eq(value, cases[i].value);
    }
}

Test(text, reads_file_modes)
{
    unsigned mode = 1;

    cr_assert_eq(text_parse_mode("022", &mode), 0);
    cr_assert_eq(mode, 022);
    cr_assert_eq(text_parse_mode("7777", &mode), 0);
    cr_assert_eq(mode, 07777);
    cr_assert_eq(text_parse_mode("10000", &mode), -ERANGE);
    cr_assert_eq(text_parse_mode("37777777777777777777777", &mode), -ERANGE);
    cr_assert_eq(text_parse_mode("08", &mode), -EINVAL);
    cr_assert_eq(text_parse_mode("", &mode), -EINVAL);
    cr_assert_eq(text_parse_mode("-1", &mode), -EINVAL);
    cr_assert_eq(mode, 07777);
}

Test(text, reads_durations)
{
    static const struct {
        const char *text;
        nsec_t value;
    } cases[] = {{"0", 0}, {"5", 5 * NSEC_PER_SEC}, {"100ms", 100 * NSEC_PER_MSEC},
        {"1.5s", 1500 * NSEC_PER_MSEC}, {"1min 30s", 90 * NSEC_PER_SEC},
        {"2h", 7200 * NSEC_PER_SEC}, {"1m30s", 90 * NSEC_PER_SEC}, {"250us", 250000}, {"7ns", 7},
        {"0.000000001s", 1}, {"0.0000000019s", 1}, {"1d", 86400 * NSEC_PER_SEC},
        {"2weeks", 1209600 * NSEC_PER_SEC}, {"1hour 1minute 1second", 3661 * NSEC_PER_SEC},
        {"0.5", 500 * NSEC_PER_MSEC}, {"1s ", NSEC_PER_SEC}, {"infinity", NSEC_NEVER}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        nsec_t value = UNTOUCHED;

        cr_assert_eq(text_parse_duration(cases[i].text, &value), 0, "'%s'", cases[i].text);
        cr_assert_eq(value, cases[i].value, "'%s': %" PRIu64, cases[i].text, value);
    }
}

Test(text, refuses_what_is_no_duration)
{
    static const char *const texts[] = {"", " ", " 1s", "s", "ms", "1x", "1.s", ".5s", "1..5s",
        "-1s", "+1s", "1s,", "1,5s", "1s x", "infinite", "infinity 1s", "1S", "1e3", "5%",
        "1 fortnight"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        nsec_t value = UNTOUCHED;

        cr_assert_eq(text_parse_duration(texts[i], &value), -EINVAL, "'%s'", texts[i]);
        cr_assert_eq(value, UNTOUCHED);
    }
    nsec_t value = UNTOUCHED;
    cr_assert_eq(text_parse_duration("18446744074s", &value), -ERANGE);
    cr_assert_eq(text_parse_duration("18446744073s 1s", &value), -ERANGE);
    cr_assert_eq(text_parse_duration("99999999999999999999s", &value), -ERANGE);
    cr_assert_eq(value, UNTOUCHED);
}

Test(text, reads_sizes)
{
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } cases[] = {{"0", 0, 0}, {"4096", 0, 4096}, {"64K", 0, 65536}, {"1.5M", 0, 1572864},
        {"2G", 0, UINT64_C(2) << 30}, {"1T", 0, UINT64_C(1) << 40}, {"12B", 0, 12},
        {"0.5K", 0, 512}, {"16383P", 0, UINT64_C(16383) << 50}, {"16384P", -ERANGE, UNTOUCHED},
        {"", -EINVAL, UNTOUCHED}, {"K", -EINVAL, UNTOUCHED}, {"1k", -EINVAL, UNTOUCHED},
        {"1KB", -EINVAL, UNTOUCHED}, {"1 K", -EINVAL, UNTOUCHED}, {"-1", -EINVAL, UNTOUCHED}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t value = UNTOUCHED;

        cr_assert_eq(
            text_parse_size(cases[i].text, &value), cases[i].result, "'%s'", cases[i].text);
        cr_assert_eq(value, cases[i].value, "'%s': %" PRIu64, cases[i].text, value);
    }
}

Test(text, reads_thousandths)
{
    static const struct {
        const char *text;
        int result;
        unsigned value;
    } cases[] = {{"10%", 0, 100}, {"0.1", 0, 100}, {"12.5%", 0, 125}, {"1", 0, 1000},
        {"2", 0, 2000}, {"2.001", -ERANGE, 9}, {"201%", -ERANGE, 9}, {"", -EINVAL, 9},
        {"%", -EINVAL, 9}, {"1%%", -EINVAL, 9}, {"-1%", -EINVAL, 9}, {"1s", -EINVAL, 9},
        {"18446744073709551615%", -ERANGE, 9}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        unsigned value = 9;

        cr_assert_eq(text_parse_permille(cases[i].text, 2000, &value), cases[i].result, "'%s'",
            cases[i].text);
        cr_assert_eq(value, cases[i].value, "'%s': %u", cases[i].text, value);
    }
}

/* All items of a list with '|' between them, and what the last call said. */
static int items(const char *list, size_t size, char *ret_joined) {
    char item[32];
    int r;

    *ret_joined = '\0';
    while ((r = text_next_item(&list, item, size)) > 0) {
        strcat(ret_joined, item);
        strcat(ret_joined, "|");
    }
    return r;
}

Test(text, cuts_lists_into_items)
{
    static const struct {
        const char *list;
        int result;
        const char *items;
    } cases[] = {{"", 0, ""}, {" \t\n", 0, ""}, {"a", 0, "a|"}, {" a ", 0, "a|"},
        {"a,bb\t ccc\nd", 0, "a|bb|ccc|d|"}, {"a , b", 0, "a|b|"}, {",a", -EINVAL, ""},
        {"a,,b", -EINVAL, "a|"}, {"a, ,b", -EINVAL, "a|"}, {"a,b,", -EINVAL, "a|"},
        {"a,b , ", -EINVAL, "a|"}, {",", -EINVAL, ""}, {"1234567", 0, "1234567|"},
        {"a,12345678,b", -ENAMETOOLONG, "a|"}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char joined[64];

        cr_assert_eq(items(cases[i].list, 8, joined), cases[i].result, "'%s'", cases[i].list);
        cr_assert_str_eq(joined, cases[i].items, "'%s': '%s'", cases[i].list, joined);
    }
}

Test(text, writes_durations_for_people)
{
    static const struct {
        nsec_t duration;
        const char *text;
    } cases[] = {{0, "0us"}, {999, "0us"}, {1500, "1us"}, {200 * NSEC_PER_MSEC, "200ms"},
        {NSEC_PER_SEC - 1, "999ms"}, {1500 * NSEC_PER_MSEC, "1.5s"},
        {60 * NSEC_PER_SEC - 1, "59.9s"}, {123 * NSEC_PER_SEC, "2min 3s"},
        {3600 * NSEC_PER_SEC, "1h 0min"}, {90061 * NSEC_PER_SEC, "1d 1h"}, {NSEC_NEVER, "infinity"},
        {NSEC_NEVER - 1, "213503d 23h"}};
    char buffer[32];

    for (size_t i = 0; i < ELEMENTS(cases); i++)
        cr_assert_str_eq(
            text_format_duration(cases[i].duration, buffer), cases[i].text, "%s", buffer);
}

/* What is written can be read, and says nothing longer than what was meant. */
Test(text, durations_survive_the_way_there_and_back)
{
    struct random random = {1};
    char buffer[32];

    for (int i = 0; i < 100000; i++) {
        nsec_t duration = random_next(&random) >> random_below(&random, 64), back;

        text_format_duration(duration, buffer);
        cr_assert_eq(text_parse_duration(buffer, &back), 0, "'%s'", buffer);
        cr_assert_leq(back, duration, "'%s'", buffer);
        if (duration >= NSEC_PER_MSEC && duration < 60 * NSEC_PER_SEC)
            cr_assert_geq(back, duration / 2, "%" PRIu64 " '%s'", duration, buffer);
    }
}

Test(text, measures_how_far_words_are_apart)
{
    cr_assert_eq(text_distance("workers", "workers"), 0);
    cr_assert_eq(text_distance("wrokers", "workers"), 1);
    cr_assert_eq(text_distance("worker", "workers"), 1);
    cr_assert_eq(text_distance("workets", "workers"), 1);
    cr_assert_eq(text_distance("", "abc"), 3);
    cr_assert_eq(text_distance("abc", ""), 3);
    cr_assert_eq(text_distance("kitten", "sitting"), 3);
    cr_assert_eq(text_distance("ca", "abc"), 3); /* restricted: no edit within a swap */
    cr_assert(text_is_near(1, "no"));
    cr_assert(text_is_near(2, "worker"));
    cr_assert_not(text_is_near(3, "worker"));

    char longest[65] = {0};
    memset(longest, 'x', 64);
    cr_assert_eq(text_distance(longest, "x"), 63);
    longest[63] = '\0';
    cr_assert_eq(text_distance(longest, "x"), 62);
}

/* It is a metric: symmetric, 0 for the same alone, never above the longer word. */
Test(text, distance_is_symmetric_and_bounded)
{
    struct random random = {7};

    for (int i = 0; i < 20000; i++) {
        char words[2][12] = {{0}};

        for (int w = 0; w < 2; w++)
            for (uint64_t k = 0, n = random_below(&random, 11); k < n; k++)
                words[w][k] = (char)('a' + random_below(&random, 3));
        unsigned distance = text_distance(words[0], words[1]);
        size_t longer = MAX(strlen(words[0]), strlen(words[1]));

        cr_assert_eq(distance, text_distance(words[1], words[0]), "%s %s", words[0], words[1]);
        cr_assert_leq(distance, longer);
        cr_assert_eq(distance == 0, strcmp(words[0], words[1]) == 0);
    }
}

Test(text, nearest)
{
    static const char *const words[] = {"start", "stop", "status", "restart"};

    cr_expect_str_eq(text_nearest("strat", words, ELEMENTS(words)), "start");
    cr_expect_str_eq(text_nearest("stat", words, ELEMENTS(words)), "start");
    cr_expect_str_eq(text_nearest("statu", words, ELEMENTS(words)), "status");
    cr_expect_null(text_nearest("quux", words, ELEMENTS(words)));
    cr_expect_null(text_nearest("start", words, 0));
}

Test(text, choices)
{
    static const char *const prose[] = {"a number", "a number from 1 to 9", "a, b or a number",
        "a number, b or c", "a", "", "a, b, c, d, e or f"};
    char choices[] = "no, on-failure or always";
    const char *words[5];

    cr_assert_eq(text_split_choices(choices, words, ELEMENTS(words)), 3);
    cr_expect_str_eq(words[0], "no");
    cr_expect_str_eq(words[1], "on-failure");
    cr_expect_str_eq(words[2], "always");
    for (size_t i = 0; i < ELEMENTS(prose); i++) {
        char *copy = strdup(prose[i]);

        cr_expect_eq(text_split_choices(copy, words, ELEMENTS(words)), 0, "%s", prose[i]);
        free(copy);
    }
}

Test(text, suggests_a_choice)
{
    static const char levels[] = "error, warning, info or debug";
    char buffer[64];

    cr_expect_str_eq(text_suggest_choice("wraning", levels, buffer), "; did you mean 'warning'?");
    cr_expect_str_eq(text_suggest_choice("quux", levels, buffer), "");
    cr_expect_str_eq(text_suggest_choice("", levels, buffer), "");
    cr_expect_str_eq(text_suggest_choice("numbers", "a number from 1 to 9", buffer), "");
}

Test(text, formats_sizes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0B"},
        {999, "999B"},
        {1000, "0.9K"},
        {1024, "1.0K"},
        {1536, "1.5K"},
        {102400, "100K"},
        {1048575, "0.9M"},
        {85143347, "81.1M"},
        {UINT64_C(3) << 30, "3.0G"},
        {UINT64_MAX, "15.9E"},
    };
    char buffer[32];

    for (size_t i = 0; i < ELEMENTS(sizes); i++)
        cr_expect_str_eq(text_format_size(sizes[i].bytes, buffer), sizes[i].text, "%s", buffer);
}
