/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/macro.h"
#include "core/verdict.h"

static struct cause cause(enum cause_kind kind, int value) {
    return (struct cause){.kind = kind, .value = value};
}

Test(verdict, modes_have_names)
{
    for (int i = 0; i < RESTART_MAX; i++) {
        enum restart_mode mode = RESTART_MAX;

        cr_assert_eq(restart_mode_parse(restart_mode_name((enum restart_mode)i), &mode), 0);
        cr_assert_eq(mode, (enum restart_mode)i);
    }
    enum restart_mode mode = RESTART_ALWAYS;
    cr_assert_eq(restart_mode_parse("", &mode), -EINVAL);
    cr_assert_eq(restart_mode_parse("Always", &mode), -EINVAL);
    cr_assert_eq(mode, RESTART_ALWAYS);
    cr_assert_str_eq(restart_mode_name(RESTART_MAX), "unknown");
}

Test(verdict, sets_hold_every_status_and_signal_apart)
{
    for (int member = 0; member < 256; member++) {
        struct exit_set set = {0};

        exit_set_add_status(&set, (unsigned)member);
        for (int status = 0; status < 256; status++)
            cr_assert_eq(exit_set_has(&set, cause(CAUSE_EXIT, status)), status == member);
        cr_assert_not(exit_set_has(&set, cause(CAUSE_SIGNAL, MAX(1, member % 65))));
    }
    for (int member = 1; member <= 64; member++) {
        struct exit_set set = {0};

        exit_set_add_signal(&set, member);
        for (int signal = 1; signal <= 64; signal++) {
            cr_assert_eq(exit_set_has(&set, cause(CAUSE_SIGNAL, signal)), signal == member);
            cr_assert_eq(exit_set_has(&set, cause(CAUSE_CORE, signal)), signal == member);
        }
        cr_assert_not(exit_set_has(&set, cause(CAUSE_EXIT, member)));
        cr_assert_not(exit_set_has(&set, cause(CAUSE_EXEC, member)));
        cr_assert_not(exit_set_has(&set, cause(CAUSE_LOST, 0)));
    }
}

Test(verdict, reads_lists_whole_or_not_at_all)
{
    struct exit_set set = {0};

    cr_assert_eq(exit_set_parse("0,75, SIGTERM kill", &set), 0);
    cr_assert(exit_set_has(&set, cause(CAUSE_EXIT, 75)));
    cr_assert(exit_set_has(&set, cause(CAUSE_SIGNAL, SIGTERM)));
    cr_assert(exit_set_has(&set, cause(CAUSE_CORE, SIGKILL)));
    cr_assert_not(exit_set_has(&set, cause(CAUSE_SIGNAL, SIGHUP)));
    cr_assert_eq(exit_set_parse("1", &set), 0);
    cr_assert(exit_set_has(&set, cause(CAUSE_EXIT, 75)), "a second list adds");

    static const char *const bad[] = {"256", "-1", "0x1", "NOSUCH", "1,NOSUCH", "2,256", "1;2",
        "99999999999999999999", "SIGTERMSIGTERMSIGTERMSIGTERMSIGTERM", "+1", "1.0"};
    struct exit_set before = set;
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        cr_assert_eq(exit_set_parse(bad[i], &set), -EINVAL, "'%s'", bad[i]);
        cr_assert_eq(memcmp(&set, &before, sizeof(set)), 0, "'%s'", bad[i]);
    }
}

/* mode × end → restart, clean */
Test(verdict, judges_each_end_in_each_mode)
{
    static const struct {
        struct cause cause;
        bool clean;
        const char *restart; /* no, on-failure, -abnormal, -abort, -watchdog, -success, always */
    } rows[] = {
        {{.kind = CAUSE_EXIT, .value = 0}, true, "-----yy"},
        {{.kind = CAUSE_EXIT, .value = 1}, false, "-y----y"},
        {{.kind = CAUSE_EXIT, .value = 75}, true, "-----yy"},
        {{.kind = CAUSE_EXIT, .value = 99}, false, "-------"},
        {{.kind = CAUSE_EXIT, .value = 98}, false, "yyyyyyy"},
        {{.kind = CAUSE_SIGNAL, .value = SIGKILL}, false, "-yyy--y"},
        {{.kind = CAUSE_SIGNAL, .value = SIGUSR1}, true, "-----yy"},
        {{.kind = CAUSE_CORE, .value = SIGSEGV}, false, "-yyy--y"},
        {{.kind = CAUSE_EXEC, .value = ENOENT}, false, "-yy---y"},
        {{.kind = CAUSE_LOST}, false, "-yy---y"},
        {{.kind = CAUSE_PROTOCOL}, false, "-yy---y"},
        {{.kind = CAUSE_PROTOCOL, .value = 75}, false, "-yy---y"}, /* as below */
        {{.kind = CAUSE_PROTOCOL, .status = SIGUSR1}, false, "-yy---y"},
        {{.kind = CAUSE_PROTOCOL, .value = 98}, false, "yyyyyyy"},
        {{.kind = CAUSE_PROTOCOL, .status = SIGUSR2}, false, "-------"},
        {{.kind = CAUSE_START_TIMEOUT}, false, "-yy---y"},
        {{.kind = CAUSE_START_TIMEOUT, .value = SIGUSR1}, false, "-yy---y"}, /* not clean by it */
        {{.kind = CAUSE_WATCHDOG, .value = SIGABRT}, false, "-yy-y-y"},
        {{.kind = CAUSE_WATCHDOG, .value = SIGUSR2}, false, "-------"},
        {{.kind = CAUSE_RUNTIME, .value = SIGTERM}, false, "-yy---y"},
        {{.kind = CAUSE_OOM, .value = SIGKILL}, false, "-yy---y"},
    };
    struct restart_policy policy = {0};

    cr_assert_eq(exit_set_parse("75,USR1", &policy.success), 0);
    cr_assert_eq(exit_set_parse("99,USR2", &policy.prevent), 0);
    cr_assert_eq(exit_set_parse("98,99", &policy.force), 0); /* prevent is stronger */
    for (size_t i = 0; i < ELEMENTS(rows); i++)
        for (int mode = 0; mode < RESTART_MAX; mode++) {
            policy.mode = (enum restart_mode)mode;
            struct verdict verdict = restart_policy_judge(&policy, rows[i].cause);

            cr_assert_eq(
                verdict.restart, rows[i].restart[mode] == 'y', "row %zu, mode %d", i, mode);
            cr_assert_eq(verdict.clean, rows[i].clean, "row %zu, mode %d", i, mode);
            cr_assert_not_null(verdict.reason);
        }
}

Test(verdict, prevent_wins_over_success)
{
    struct restart_policy policy = {.mode = RESTART_ALWAYS};

    exit_set_add_status(&policy.success, 3);
    exit_set_add_status(&policy.prevent, 3);
    struct verdict verdict = restart_policy_judge(&policy, cause(CAUSE_EXIT, 3));
    cr_assert_not(verdict.restart);
    cr_assert(verdict.clean);
}
