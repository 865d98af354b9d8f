/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/macro.h"
#include "base/signame.h"

Test(signame, reads_names_and_numbers)
{
    static const struct {
        const char *text;
        int signal;
    } cases[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"sigterm", SIGTERM}, {"term", SIGTERM},
        {"15", SIGTERM}, {"1", SIGHUP}, {"64", 64}, {"RTMIN", 34}, {"SIGRTMIN+3", 37},
        {"rtmin+30", 64}, {"USR1", SIGUSR1}, {"SYS", SIGSYS}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int signal = 0;

        cr_assert_eq(signame_parse(cases[i].text, &signal), 0, "'%s'", cases[i].text);
        cr_assert_eq(signal, cases[i].signal, "'%s'", cases[i].text);
    }
}

Test(signame, refuses_the_rest)
{
    static const char *const texts[] = {"", "SIG", "0", "65", "-1", "TERMX", "TER", "SIGSIGTERM",
        " TERM", "TERM ", "RTMIN+", "RTMIN+31", "RTMIN-1", "RTMIN3", "EXIT", "1x"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        int signal = 77;

        cr_assert_eq(signame_parse(texts[i], &signal), -EINVAL, "'%s'", texts[i]);
        cr_assert_eq(signal, 77);
    }
}

Test(signame, every_name_reads_back)
{
    char name[24];

    for (int signal = 1; signal <= 64; signal++) {
        int back = 0;

        signame_format(signal, name);
        if (strncmp(name, "signal ", 7) == 0)
            continue; /* 32 and 33 are the C library's own */
        cr_assert_eq(signame_parse(name, &back), 0, "%s", name);
        cr_assert_eq(back, signal, "%s", name);
    }
    cr_assert_str_eq(signame_format(SIGKILL, name), "SIGKILL");
    cr_assert_str_eq(signame_format(34, name), "SIGRTMIN");
    cr_assert_str_eq(signame_format(37, name), "SIGRTMIN+3");
    cr_assert_str_eq(signame_format(32, name), "signal 32");
    cr_assert_str_eq(signame_format(99, name), "signal 99");
    cr_assert_str_eq(signame_format(0, name), "signal 0");
    cr_assert_str_eq(signame_format(-2147483647 - 1, name), "signal -2147483648");
}
