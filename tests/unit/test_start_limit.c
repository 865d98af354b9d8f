/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>

#include "base/macro.h"
#include "base/random.h"
#include "core/start_limit.h"

Test(start_limit, reads_burst_and_interval)
{
    struct start_limit_rules rules = {.action = LIMIT_STOP};

    cr_assert_eq(start_limit_parse("5/10s", &rules), 0);
    cr_assert_eq(rules.burst, 5);
    cr_assert_eq(rules.interval, 10 * NSEC_PER_SEC);
    cr_assert_eq(rules.action, LIMIT_STOP, "the action is another option's");
    cr_assert_eq(start_limit_parse("1/infinity", &rules), 0);
    cr_assert_eq(rules.interval, NSEC_NEVER);

    static const char *const bad[] = {"", "5", "/", "5/", "/10s", "0/10s", "5/0", "5/0s", "-1/1s",
        "1000001/1s", "5/10s/1", "5 / 10s", "5/x", "11111111111111111/1s"};
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        cr_assert_eq(start_limit_parse(bad[i], &rules), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(rules.burst, 1);
}

Test(start_limit, reads_actions)
{
    static const char *const words[LIMIT_ACTION_MAX] = {"give-up", "stop", "exit"};
    enum limit_action action = LIMIT_EXIT;

    for (int i = 0; i < LIMIT_ACTION_MAX; i++) {
        cr_assert_eq(limit_action_parse(words[i], &action), 0);
        cr_assert_eq(action, (enum limit_action)i);
    }
    cr_assert_eq(limit_action_parse("give up", &action), -EINVAL);
    cr_assert_eq(limit_action_parse("", &action), -EINVAL);
    cr_assert_eq(action, LIMIT_EXIT);
}

Test(start_limit, no_limit_admits_everything)
{
    struct start_limit_rules rules = {0};
    struct start_limit limit = {0};

    for (int i = 0; i < 1000; i++)
        cr_assert(start_limit_admit(&limit, &rules, 5));
}

Test(start_limit, a_window_opens_with_a_start_and_is_forgotten_when_over)
{
    struct start_limit_rules rules = {.burst = 3, .interval = 10};
    struct start_limit limit = {0};

    cr_assert(start_limit_admit(&limit, &rules, 100));
    cr_assert(start_limit_admit(&limit, &rules, 105));
    cr_assert(start_limit_admit(&limit, &rules, 109));
    cr_assert_not(start_limit_admit(&limit, &rules, 109));
    cr_assert(start_limit_admit(&limit, &rules, 110), "the window of 100 is over");
    cr_assert(start_limit_admit(&limit, &rules, 119));
    cr_assert(start_limit_admit(&limit, &rules, 119));
    cr_assert_not(start_limit_admit(&limit, &rules, 119));
}

Test(start_limit, starts_at_time_zero_count_too)
{
    struct start_limit_rules rules = {.burst = 1, .interval = 10};
    struct start_limit limit = {0};

    cr_assert(start_limit_admit(&limit, &rules, 0));
    cr_assert_not(start_limit_admit(&limit, &rules, 0));
}

/* In any span of one interval there are never more than two windows' worth, in a window never more
 * than the burst. */
Test(start_limit, never_admits_more_than_the_burst)
{
    struct random random = {11};

    for (int round = 0; round < 200; round++) {
        struct start_limit_rules rules = {
            .burst = 1 + (uint32_t)random_below(&random, 5),
            .interval = 1 + random_below(&random, 50),
        };
        struct start_limit limit = {0};
        nsec_t admitted[500];
        size_t n = 0;

        for (nsec_t now = 0; n < ELEMENTS(admitted); now += random_below(&random, 10)) {
            if (!start_limit_admit(&limit, &rules, now))
                continue;
            admitted[n++] = now;
            size_t recent = 0;
            for (size_t i = 0; i < n; i++)
                recent += now - admitted[i] < rules.interval;
            cr_assert_leq(recent, 2 * rules.burst);
            cr_assert_leq(limit.count, rules.burst);
        }
    }
}
