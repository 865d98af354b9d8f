/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macro.h"
#include "core/backoff.h"

static struct backoff_rules read(const char *text) {
    struct backoff_rules rules = {0};

    cr_assert_eq(backoff_parse(text, &rules), 0, "'%s'", text);
    return rules;
}

Test(backoff, reads_its_forms)
{
    struct backoff_rules rules = read("none");

    cr_assert_eq(rules.base, 0);
    rules = read("200ms");
    cr_assert_eq(rules.base, 200 * NSEC_PER_MSEC);
    cr_assert_eq(rules.max, 10 * NSEC_PER_SEC);
    rules = read("1min");
    cr_assert_eq(rules.max, 60 * NSEC_PER_SEC, "the cap follows a base above it");
    rules = read("100ms..30s");
    cr_assert_eq(rules.base, 100 * NSEC_PER_MSEC);
    cr_assert_eq(rules.max, 30 * NSEC_PER_SEC);
    rules = read("1.5s..3s");
    cr_assert_eq(rules.base, 1500 * NSEC_PER_MSEC);
    rules = read("base=1s,factor=1.5,max=1min,jitter=0%,reset=5s");
    cr_assert_eq(rules.base, NSEC_PER_SEC);
    cr_assert_eq(rules.factor_permille, 1500);
    cr_assert_eq(rules.max, 60 * NSEC_PER_SEC);
    cr_assert_eq(rules.jitter_permille, 0);
    cr_assert_eq(rules.reset, 5 * NSEC_PER_SEC);
    rules = read("first=1s,base=20s");
    cr_assert_eq(rules.first, NSEC_PER_SEC);
    cr_assert_eq(rules.max, 20 * NSEC_PER_SEC);
    cr_assert_eq(read("first=1min").max, 60 * NSEC_PER_SEC);
    rules = read("jitter=50%");
    cr_assert_eq(rules.base, backoff_default().base);
    cr_assert_eq(rules.jitter_permille, 500);
}

/* RestartSec= of a unit is before the first restart, too. */
Test(backoff, waits_before_the_first_restart_where_asked_to)
{
    struct backoff_rules rules = read("first=100ms,base=100ms,factor=2,max=1s,jitter=0%,reset=5s");
    static const unsigned delays[] = {100, 100, 200, 400, 800, 1000};
    struct random random = {1};
    struct backoff backoff = {0};

    for (size_t i = 0; i < ELEMENTS(delays); i++)
        cr_assert_eq(backoff_next(&backoff, &rules, 0, &random), delays[i] * NSEC_PER_MSEC);
    cr_assert_eq(backoff_next(&backoff, &rules, 5 * NSEC_PER_SEC, &random), 100 * NSEC_PER_MSEC);
}

Test(backoff, refuses_the_rest)
{
    static const char *const texts[] = {"", "never", "..", "1s..", "..1s", "2s..1s", "1s..2s..3s",
        "base=", "base=1s,,nosuch=1", "factor=0.9", "factor=1001", "jitter=101%", "jitter=-1%",
        "base=10s,max=1s", "first=10s,max=1s", "=", "base", "-1s", "base=none",
        "base=1111111111111111111111111111111111111111111111111111111111111s"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        struct backoff_rules rules, before;

        memset(&rules, 0x55, sizeof(rules));
        before = rules;
        cr_assert_eq(backoff_parse(texts[i], &rules), -EINVAL, "'%s'", texts[i]);
        cr_assert_eq(memcmp(&rules, &before, sizeof(rules)), 0, "'%s'", texts[i]);
    }
}

Test(backoff, none_is_no_delay_ever)
{
    struct backoff_rules rules = read("none");
    struct backoff backoff = {0};
    struct random random = {1};

    for (int i = 0; i < 1000; i++)
        cr_assert_eq(backoff_next(&backoff, &rules, 0, &random), 0);
}

Test(backoff, climbs_and_starts_over)
{
    static const unsigned delays[] = {0, 100, 150, 225, 337, 400, 400};
    struct backoff_rules rules = read("base=100ms,factor=1.5,max=400ms,jitter=0,reset=1s");
    struct backoff backoff = {0};
    struct random random = {1};

    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < ELEMENTS(delays); i++) {
            nsec_t ran = i == 0 ? rules.reset : rules.reset - 1;

            cr_assert_eq(
                backoff_next(&backoff, &rules, ran, &random) / NSEC_PER_MSEC, delays[i], "%zu", i);
        }
}

Test(backoff, a_factor_of_one_stays)
{
    struct backoff_rules rules = read("base=1s,factor=1,jitter=0");
    struct backoff backoff = {.failures = UINT32_MAX - 1};
    struct random random = {1};

    for (int i = 0; i < 3; i++)
        cr_assert_eq(backoff_next(&backoff, &rules, 0, &random), NSEC_PER_SEC);
    cr_assert_eq(backoff.failures, UINT32_MAX);
}

/* The thousandth failure must not cost more than the first. */
Test(backoff, a_ladder_too_flat_to_climb_costs_nothing, .timeout = 5)
{
    struct backoff_rules rules = read("base=1ns,factor=1.001,jitter=0,reset=1s");
    struct backoff backoff = {.failures = UINT32_MAX - 1};
    struct random random = {1};

    cr_assert_leq(backoff_next(&backoff, &rules, 0, &random), rules.max);
}

Test(backoff, saturates_instead_of_wrapping)
{
    struct backoff_rules rules =
        read("base=1s,factor=1000,max=infinity,jitter=100%,reset=infinity");
    struct backoff backoff = {0};
    struct random random = {1};
    nsec_t before = 0;

    rules.jitter_permille = 0;
    for (int i = 0; i < 100; i++) {
        nsec_t delay = backoff_next(&backoff, &rules, 0, &random);

        cr_assert_geq(delay, before);
        before = delay;
    }
    cr_assert_eq(before, NSEC_NEVER);
}

/* Within ± jitter of the ladder, and not always the same. */
Test(backoff, jitter_stays_within_its_bounds)
{
    struct random random = {5};

    for (unsigned jitter = 0; jitter <= 1000; jitter += 50) {
        struct backoff_rules rules = read("base=1s,max=1s");
        nsec_t low = NSEC_NEVER, high = 0;

        rules.jitter_permille = jitter;
        for (int i = 0; i < 5000; i++) {
            struct backoff backoff = {.failures = 1};
            nsec_t delay = backoff_next(&backoff, &rules, 0, &random);

            low = MIN(low, delay);
            high = MAX(high, delay);
        }
        cr_assert_geq(low, (1000 - jitter) * NSEC_PER_MSEC);
        cr_assert_leq(high, (1000 + jitter) * NSEC_PER_MSEC);
        cr_assert_leq(low, (1000 - jitter * 9 / 10) * NSEC_PER_MSEC);
        cr_assert_geq(high, (1000 + jitter * 9 / 10) * NSEC_PER_MSEC);
    }
}
