/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/random.h"
#include "core/rate.h"

Test(rate, lets_all_pass_without_a_limit)
{
    const struct rate_limit limit = {0};
    struct rate rate = {0};

    for (int i = 0; i < 1000; i++)
        cr_assert(rate_take(&rate, &limit, 5));
    cr_assert_eq(rate_tell(&rate), 0);
}

Test(rate, lets_a_burst_pass_and_then_what_comes_back)
{
    const struct rate_limit limit = {.burst = 4, .interval = 4 * NSEC_PER_SEC};
    struct rate rate = {0};
    nsec_t now = 100 * NSEC_PER_SEC;

    for (int i = 0; i < 4; i++)
        cr_assert(rate_take(&rate, &limit, now));
    cr_assert_not(rate_take(&rate, &limit, now));
    cr_assert_not(rate_take(&rate, &limit, now + NSEC_PER_SEC - 1));
    cr_assert(rate_take(&rate, &limit, now + NSEC_PER_SEC));
    cr_assert_not(rate_take(&rate, &limit, now + NSEC_PER_SEC));
    cr_assert_eq(rate_tell(&rate), 3);
    cr_assert_eq(rate_tell(&rate), 0);

    /* A bucket does not hold more than a burst, however long nobody asks. */
    now += 1000 * NSEC_PER_SEC;
    for (int i = 0; i < 4; i++)
        cr_assert(rate_take(&rate, &limit, now));
    cr_assert_not(rate_take(&rate, &limit, now));
}

/* In any window of one interval, no more than a burst and what came back in it. */
Test(rate, keeps_its_promise_over_any_window)
{
    struct random random = {5};
    nsec_t passed[4096], now = 0;
    unsigned n = 0;
    const struct rate_limit limit = {.burst = 7, .interval = 1000};
    struct rate rate = {0};

    while (n < 4096) {
        now += random_below(&random, 120);
        if (rate_take(&rate, &limit, now))
            passed[n++] = now;
    }
    for (unsigned i = 0; i + 14 < n; i++)
        cr_assert_gt(passed[i + 14] - passed[i], 900, "15 within %lu of %u",
            (unsigned long)(passed[i + 14] - passed[i]), i);
}
