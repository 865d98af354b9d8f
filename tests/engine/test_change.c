/* SPDX-License-Identifier: MIT */

/* Pools that change while they run: more of them, fewer, other versions, other sizes. */

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run/engine_internal.h"
#include "stage.h"

TestSuite(change, .timeout = STAGE_TIMEOUT);

#define SLEEP "exec sleep 600"

static const struct said *await_ready(struct stage *stage, uint32_t worker) {
    return stage_await(stage, REPORT_READY, worker);
}

Test(change, pools_come_and_go)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(stage_version(&stage, SLEEP));
    struct engine_pool *first = stage_pool(&stage, &settings), *second;
    settings.version = stage_version(&stage, SLEEP);
    cr_assert_eq(engine_add_pool_take(stage.engine, &settings, &second), -EEXIST);
    settings.version = stage_version(&stage, SLEEP);
    settings.name = "second";
    settings.n_workers = 3;
    second = stage_pool(&stage, &settings);
    engine_pool_set_data(second, &stage);
    cr_assert_eq(engine_find_pool(stage.engine, "second"), second);
    stage_start(&stage, second);
    for (int i = 0; i < 3; i++)
        await_ready(&stage, ENGINE_EVERY_WORKER);
    cr_assert(engine_pool_is_up(second));
    cr_assert_not(engine_pool_is_up(first));
    cr_assert_eq(engine_remove_pool(second), -EBUSY);
    cr_assert_eq(engine_remove_pool(first), 0);
    cr_assert_eq(engine_pools(stage.engine), 1);
    cr_assert_eq(engine_pool_at(stage.engine, 0), second);
    stage_stop(&stage);
    cr_assert_eq(engine_remove_pool(second), 0);
    cr_assert_eq(engine_pools(stage.engine), 0);
    stage_close(&stage);
}

static void count(void *data, const struct worker_facts *facts) {
    unsigned *counts = data;

    counts[0] += strcmp(facts->role, "holder") == 0;
    counts[1] += strcmp(facts->role, "retiring") == 0;
}

Test(change, a_pool_grows_and_shrinks)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(
        stage_version(&stage, "[ $BROOD_WORKERS = 40 ] && echo $BROOD_WORKER >>$D/log; " SLEEP));
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    pid_t kept = await_ready(&stage, 0)->pid;
    cr_assert_eq(engine_pool_scale(pool, 40), 0);
    for (int i = 1; i < 40; i++)
        await_ready(&stage, ENGINE_EVERY_WORKER);
    cr_assert_eq(engine_pool_workers(pool), 40);
    cr_assert_eq(engine_pool_scale(pool, 2), 0);
    unsigned counts[2] = {0};
    cr_assert_eq(engine_visit_workers(pool, count, counts), 0);
    cr_assert_eq(counts[0], 2);
    cr_assert_eq(counts[1], 38);
    while (stage_count(&stage, REPORT_STOPPED) < 38)
        engine_turn(stage.engine, true);
    cr_assert_eq(pool_ready(engine_pool_core(pool)), 2);
    struct worker_facts facts;
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    cr_assert_eq(facts.pid, kept);
    cr_assert_eq(engine_worker(pool, 2, &facts), -ENOENT);
    cr_assert_eq(engine_worker_signal(pool, 2, SIGTERM), -ENOENT);
    cr_assert_eq(engine_pool_scale(pool, 0), 0);
    while (!engine_ended(stage.engine))
        engine_turn(stage.engine, true);
    cr_assert_eq(engine_pool_scale(pool, 1), 0);
    await_ready(&stage, 0);
    stage_close(&stage);
}

Test(change, a_roll_brings_in_the_new_version_and_an_exit_does_not)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings =
        stage_settings(stage_version(&stage, "echo old >>$D/log; " SLEEP));
    settings.rules.restart.mode = RESTART_ALWAYS;
    settings.surge = 1;
    settings.n_workers = 2;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    for (int i = 0; i < 2; i++)
        await_ready(&stage, ENGINE_EVERY_WORKER);
    settings.version = stage_version(&stage, "echo new >>$D/log; " SLEEP);
    cr_assert_eq(engine_change_pool_take(pool, &settings), 0);
    engine_worker_signal(pool, 0, SIGKILL);
    await_ready(&stage, 0);
    cr_assert_str_eq(stage_text(&stage, "log"), "old\nold\nold\n");
    cr_assert_eq(engine_pool_roll(pool), 0);
    cr_assert_eq(engine_pool_roll(pool), -EBUSY);
    stage_await(&stage, REPORT_ROLL_DONE, ENGINE_EVERY_WORKER);
    cr_assert_str_eq(stage_text(&stage, "log"), "old\nold\nold\nnew\nnew\n");
    engine_worker_signal(pool, 1, SIGKILL);
    await_ready(&stage, 1);
    cr_assert(strstr(stage_text(&stage, "log"), "new\nnew\nnew\n"));
    stage_close(&stage);
}

static void fail_a_roll(uint32_t surge) {
    struct stage stage;
    struct worker_facts facts;

    stage_open(&stage);
    struct pool_settings settings =
        stage_settings(stage_version(&stage, "echo old >>$D/log; " SLEEP));
    settings.rules.restart.mode = RESTART_ALWAYS;
    settings.surge = surge;
    settings.n_workers = 2;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    for (int i = 0; i < 2; i++)
        await_ready(&stage, ENGINE_EVERY_WORKER);
    cr_assert_eq(engine_worker(pool, 1, &facts), 0);
    pid_t kept = facts.pid;
    settings.version = stage_version(&stage, "exit 5");
    settings.rules.stop_timeout = NSEC_PER_SEC;
    settings.ready = READY_NOTIFY;
    cr_assert_eq(engine_change_pool_take(pool, &settings), 0);
    cr_assert_eq(engine_pool_roll(pool), 0);
    stage_await(&stage, REPORT_ROLL_FAILED, ENGINE_EVERY_WORKER);
    while (pool_ready(engine_pool_core(pool)) < 2)
        engine_turn(stage.engine, true);
    cr_assert_eq(engine_worker(pool, 1, &facts), 0);
    cr_assert_eq(facts.pid, kept);
    cr_assert_eq(engine_pool_core(pool)->rules.stop_timeout, worker_rules_default().stop_timeout);
    engine_worker_signal(pool, 1, SIGKILL);
    await_ready(&stage, 1);
    stage_close(&stage);
}

Test(change, a_failed_roll_puts_the_old_version_back)
{ fail_a_roll(1); }

Test(change, a_failed_roll_in_place_puts_it_back_too)
{ fail_a_roll(0); }

Test(change, who_grows_too_large_is_replaced)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(
        stage_version(&stage, "[ $BROOD_GENERATION = 1 ] && echo old >$D/log; " SLEEP));
    settings.surge = 1;
    settings.recycle_memory = 4096;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    pid_t first = await_ready(&stage, 0)->pid;
    usage_on_timer(stage.engine, 0, loop_clock());
    cr_assert_neq(await_ready(&stage, 0)->pid, first);
    cr_assert_eq(stage_await(&stage, REPORT_STOPPED, 0)->generation, 1);
    stage_close(&stage);
}

Test(change, an_exit_says_what_was_used_and_each_watcher_hears_it)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(stage_version(&stage, "exit 3"));
    stage_start(&stage, stage_pool(&stage, &settings));
    cr_assert(stage_await(&stage, REPORT_EXITED, 0)->has_usage);
    stage_close(&stage);
}
