/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "conf/readers.h"

Test(readers, words_are_collected_and_not_empty)
{
    struct word_list list = {0};
    const char *word = "before";

    cr_assert_eq(read_word("a", &list), 0);
    cr_assert_eq(read_word("b", &list), 0);
    cr_assert_lt(read_word("", &list), 0);
    cr_assert_eq(list.count, 2);
    cr_assert_str_eq(list.words[1], "b");
    free(list.words);
    cr_assert_eq(read_text("x", &word), 0);
    cr_assert_str_eq(word, "x");
    cr_assert_lt(read_text("", &word), 0);
    cr_assert_str_eq(word, "x");
}

Test(readers, signals_are_a_mask)
{
    uint64_t mask = 0;

    cr_assert_eq(read_signals("USR1,SIGHUP 64", &mask), 0);
    cr_assert_eq(
        mask, UINT64_C(1) << (SIGUSR1 - 1) | UINT64_C(1) << (SIGHUP - 1) | UINT64_C(1) << 63);
    cr_assert_lt(read_signals("USR1,NOSUCH", &mask), 0);
    cr_assert_lt(read_signals("SIGTERMSIGTERMSIGTERMSIGTERM", &mask), 0);
    cr_assert_neq(mask, 0);
    cr_assert_eq(read_signals("none", &mask), 0);
    cr_assert_eq(mask, 0);

    int signal = 0;
    cr_assert_eq(read_signal("QUIT", &signal), 0);
    cr_assert_eq(signal, SIGQUIT);
}

Test(readers, modes_and_numbers_know_that_they_were_given)
{
    struct given_mode mode = {0};
    struct given_integer integer = {0};

    cr_assert_eq(read_mode("027", &mode), 0);
    cr_assert(mode.given && mode.value == 027);
    cr_assert_lt(read_mode("rw", &mode), 0);
    cr_assert_lt(read_nice("-21", &integer), 0);
    cr_assert_lt(read_nice("20", &integer), 0);
    cr_assert_lt(read_nice("x", &integer), 0);
    cr_assert_not(integer.given);
    cr_assert_eq(read_nice("-20", &integer), 0);
    cr_assert(integer.given && integer.value == -20);
    cr_assert_eq(read_oom_score("1000", &integer), 0);
    cr_assert_eq(integer.value, 1000);
    cr_assert_lt(read_oom_score("-1001", &integer), 0);

    uint64_t count = 7;
    cr_assert_eq(read_count("0", &count), 0);
    cr_assert_eq(count, 0);
    cr_assert_lt(read_count("18446744073709551615", &count), 0, "that one means no limit");
    nsec_t duration = 0;
    cr_assert_eq(read_duration("2s", &duration), 0);
    cr_assert_eq(duration, 2 * NSEC_PER_SEC);
}

Test(readers, cpus_are_numbers_and_ranges)
{
    struct given_cpus cpus = {0};

    cr_assert_eq(read_cpus("0-3,6", &cpus), 0);
    cr_assert(cpus.given);
    cr_assert_eq(CPU_COUNT(&cpus.value), 5);
    cr_assert(CPU_ISSET(3, &cpus.value));
    cr_assert_not(CPU_ISSET(4, &cpus.value));
    cr_assert_eq(read_cpus("1023", &cpus), 0);
    cr_assert_eq(CPU_COUNT(&cpus.value), 1);

    static const char *const bad[] = {"", "-", "1-", "-1", "3-1", "1024", "0-1024", "a", "1-2-3",
        "1;2", "99999999999999999999", "11111111111111111111111111111111111"};
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        cr_assert_lt(read_cpus(bad[i], &cpus), 0, "'%s'", bad[i]);
}

Test(readers, limits_have_a_name_and_one_or_two_values)
{
    struct limit_spec limits[RLIM_NLIMITS] = {0};

    cr_assert_eq(read_limit("NOFILE=1024:4096", limits), 0);
    cr_assert(limits[RLIMIT_NOFILE].set);
    cr_assert_eq(limits[RLIMIT_NOFILE].soft, 1024);
    cr_assert_eq(limits[RLIMIT_NOFILE].hard, 4096);
    cr_assert_eq(read_limit("core=0", limits), 0);
    cr_assert_eq(limits[RLIMIT_CORE].hard, 0);
    cr_assert_eq(read_limit("LimitAS=1G:infinity", limits), 0);
    cr_assert_eq(limits[RLIMIT_AS].soft, UINT64_C(1) << 30);
    cr_assert_eq(limits[RLIMIT_AS].hard, RLIM_INFINITY);
    cr_assert_eq(read_limit("RLIMIT_STACK=unlimited", limits), 0);
    cr_assert_eq(limits[RLIMIT_STACK].soft, RLIM_INFINITY);

    static const char *const bad[] = {"", "NOFILE", "=1", "NOSUCH=1", "NOFILE=", "NOFILE=x",
        "NOFILE=2:1", "NOFILE=1:", "NOFILE=:1", "NOFILE=infinity:1", "NOFILE=1:2:3", "NOFILE=-1"};
    struct limit_spec before = limits[RLIMIT_NOFILE];
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        cr_assert_lt(read_limit(bad[i], limits), 0, "'%s'", bad[i]);
    cr_assert_eq(memcmp(&before, &limits[RLIMIT_NOFILE], sizeof(before)), 0);

    char longest[200];
    memset(longest, '0', sizeof(longest) - 1);
    memcpy(longest, "NOFILE=", 7);
    longest[sizeof(longest) - 1] = '\0';
    cr_assert_lt(read_limit(longest, limits), 0);
}

Test(readers, stdio_has_five_forms)
{
    struct stdio_spec stdio = {0};

    cr_assert_eq(read_stdio("null", &stdio), 0);
    cr_assert_eq(stdio.kind, STDIO_NULL);
    cr_assert_eq(read_stdio("inherit", &stdio), 0);
    cr_assert_eq(stdio.kind, STDIO_INHERIT);
    cr_assert_eq(read_stdio("file:a:b", &stdio), 0);
    cr_assert_eq(stdio.kind, STDIO_FILE);
    cr_assert_str_eq(stdio.path, "a:b");
    cr_assert_eq(read_stdio("append:/x", &stdio), 0);
    cr_assert_eq(stdio.kind, STDIO_APPEND);
    cr_assert_eq(read_stdio("truncate:/x", &stdio), 0);
    cr_assert_eq(stdio.kind, STDIO_TRUNCATE);

    static const char *const bad[] = {"", "file", "file:", "append:", "/dev/null", "NULL", "null:"};
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        cr_assert_lt(read_stdio(bad[i], &stdio), 0, "'%s'", bad[i]);
}
