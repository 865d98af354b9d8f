/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>

#include "base/macro.h"
#include "core/cause.h"

Test(cause, has_a_status_and_words_for_each_kind)
{
    static const struct {
        struct cause cause;
        int status;
        const char *text;
    } cases[] = {
        {{.kind = CAUSE_NONE}, 0, "no cause"},
        {{.kind = CAUSE_EXIT, .value = 0}, 0, "exit status 0"},
        {{.kind = CAUSE_EXIT, .value = 255}, 255, "exit status 255"},
        {{.kind = CAUSE_SIGNAL, .value = SIGKILL}, 137, "killed by SIGKILL"},
        {{.kind = CAUSE_SIGNAL, .value = 37}, 165, "killed by SIGRTMIN+3"},
        {{.kind = CAUSE_CORE, .value = SIGSEGV}, 139, "dumped core on SIGSEGV"},
        {{.kind = CAUSE_EXEC, .status = 127, .value = ENOENT}, 127, "No such file or directory"},
        {{.kind = CAUSE_EXEC, .status = 126, .value = EACCES}, 126, "Permission denied"},
        {{.kind = CAUSE_SPAWN, .value = EAGAIN}, 126, "Resource temporarily unavailable"},
        {{.kind = CAUSE_SPAWN, .value = 4095}, 126, "unknown error"},
        {{.kind = CAUSE_START_TIMEOUT}, 1, "start timeout"},
        {{.kind = CAUSE_START_TIMEOUT, .value = SIGKILL}, 137, "start timeout (killed by SIGKILL)"},
        {{.kind = CAUSE_WATCHDOG, .status = true, .value = SIGABRT}, 134,
            "watchdog: no sign of life (dumped core on SIGABRT)"},
        {{.kind = CAUSE_RUNTIME, .value = SIGTERM}, 143,
            "ran for its longest time (killed by SIGTERM)"},
        {{.kind = CAUSE_OOM, .value = SIGKILL}, 137, "out of memory (killed by SIGKILL)"},
        {{.kind = CAUSE_PROTOCOL}, 1, "exit status 0 before it was ready"},
        {{.kind = CAUSE_PROTOCOL, .value = 75}, 75, "exit status 75 before it was ready"},
        {{.kind = CAUSE_PROTOCOL, .status = SIGTERM}, 143, "killed by SIGTERM before it was ready"},
        {{.kind = CAUSE_LOST}, 125, "exit status taken by another wait"},
    };
    char buffer[80];

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        cr_assert_eq(cause_exit_status(cases[i].cause), cases[i].status, "%zu", i);
        cr_assert_str_eq(cause_format(cases[i].cause, buffer), cases[i].text, "%zu: %s", i, buffer);
    }
}

Test(cause, names_its_kinds)
{
    cr_assert_str_eq(cause_kind_name(CAUSE_NONE), "none");
    cr_assert_str_eq(cause_kind_name(CAUSE_LOST), "lost");
    cr_assert_str_eq(cause_kind_name(CAUSE_MAX), "unknown");
}
