/* SPDX-License-Identifier: MIT */

/* How much of a tree a stop takes with it. */

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/engine_internal.h"
#include "stage.h"
#include "sys/proc.h"

TestSuite(tree, .timeout = STAGE_TIMEOUT);

static pid_t pid_in(const struct stage *stage, const char *name) {
    return atoi(stage_text(stage, name));
}

/* Its new parent may reap it late. */
static bool lives(pid_t pid) {
    struct proc_stat stat;

    return proc_stat(pid, &stat) == 0 && stat.state != 'Z' && stat.state != 'X';
}

/* The main process ends by itself; its child, in the same group, does not care for SIGTERM. */
#define STUBBORN                                                                                   \
    "(trap '' TERM; echo $(sh -c 'echo $PPID') >$D/new; mv $D/new $D/child;"                       \
    " while :; do sleep 0.05; done) & exec sleep 600"

static pid_t start_stubborn(struct stage *stage, enum kill_mode mode) {
    struct pool_settings settings = stage_settings(stage_version(stage, STUBBORN));

    settings.kill_mode = mode;
    settings.rules.stop_timeout = 60 * NSEC_PER_SEC;
    stage_start(stage, stage_pool(stage, &settings));
    stage_await_text(stage, "child", "\n");
    return pid_in(stage, "child");
}

Test(tree, mixed_kills_at_once_what_is_left)
{
    struct stage stage;

    stage_open(&stage);
    pid_t child = start_stubborn(&stage, KILL_MIXED);
    stage_stop(&stage);
    cr_assert_eq(stage_count(&stage, REPORT_KILLING), 0);
    while (lives(child))
        stage_turn(&stage);
    stage_close(&stage);
}

Test(tree, process_leaves_the_rest_alone)
{
    struct stage stage;

    stage_open(&stage);
    pid_t child = start_stubborn(&stage, KILL_PROCESS);
    stage_stop(&stage);
    cr_assert(lives(child));
    kill(child, SIGKILL);
    stage_close(&stage);
}

static struct cgroup_root group_root(void) {
    struct cgroup_root root;
    char reason[CGROUP_TEXT_SIZE], name[64];

    snprintf(name, sizeof(name), "brood-test-%d", getpid());
    if (cgroup_open_root(name, &root, reason) < 0)
        cr_skip_test("%s", reason);
    return root;
}

/* It flees into a session of its own, from where only a group brings it back. */
static void flee_in_a_group(bool kernel_puts_it_there) {
    struct cgroup_root root = group_root();
    struct stage stage;

    stage_open(&stage);
    stage.engine->spawner.features.into_group = kernel_puts_it_there;
    engine_use_groups(stage.engine, &root);
    struct pool_settings settings = stage_settings(
        stage_version(&stage, "setsid sh -c 'trap \"\" TERM; echo $$ >$D/new; mv $D/new $D/child;"
                              " while :; do sleep 0.05; done' & wait"));
    settings.rules.stop_timeout = 200 * NSEC_PER_MSEC;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    stage_await_text(&stage, "child", "\n");
    pid_t child = pid_in(&stage, "child");
    struct worker_facts facts;
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    cr_assert(strstr(facts.group, root.path), "%s", facts.group);
    stage_stop(&stage);
    cr_assert_eq(stage_count(&stage, REPORT_KILLING), 1);
    while (lives(child))
        stage_turn(&stage);
    cr_assert_eq(engine_remove_pool(pool), 0);
    stage_close(&stage);
    cgroup_root_finish(&root);
}

Test(tree, a_control_group_holds_who_has_fled)
{ flee_in_a_group(true); }

Test(tree, a_child_can_enter_its_group_by_itself)
{ flee_in_a_group(false); }

/* The first one ends and leaves a child; the second one stays. */
#define LEAVES_ONE                                                                                 \
    "[ -e $D/child ] && exec sleep 600; "                                                          \
    "sh -c 'echo $$ >$D/new; mv $D/new $D/child; exec sleep 600' & "                               \
    "while [ ! -e $D/child ]; do sleep 0.01; done; exit 3"

static struct engine_pool *start_leaver(struct stage *stage, bool ends_leftovers, nsec_t backoff) {
    struct pool_settings settings = stage_settings(stage_version(stage, LEAVES_ONE));

    settings.ends_leftovers = ends_leftovers;
    settings.rules.restart.mode = RESTART_ON_FAILURE;
    settings.rules.backoff.first = backoff;
    struct engine_pool *pool = stage_pool(stage, &settings);
    stage_start(stage, pool);
    cr_assert_eq(stage_await(stage, REPORT_EXITED, 0)->cause.value, 3);
    return pool;
}

/* What was left by one that ended unasked, with its replacement there, and after the stop. */
static void leave_one(struct stage *stage, bool ends_leftovers) {
    struct engine_pool *pool = start_leaver(stage, ends_leftovers, 0);

    stage_await(stage, REPORT_READY, 0);
    pid_t child = pid_in(stage, "child");
    cr_assert_eq(lives(child), !ends_leftovers);
    stage_stop(stage);
    while (lives(child))
        stage_turn(stage);
    cr_assert_eq(stage_count(stage, REPORT_KILLING), 0);
    cr_assert_eq(engine_remove_pool(pool), 0);
}

/* Without a group, and without being the subreaper, only the group of the last process is known. */
Test(tree, what_is_left_goes_first)
{
    struct stage stage;

    stage_open(&stage);
    leave_one(&stage, true);
    stage_close(&stage);
}

Test(tree, what_is_left_in_a_group_lives_on_or_goes_first)
{
    struct cgroup_root root = group_root();

    for (int ends = 0; ends <= 1; ends++) {
        struct stage stage;

        stage_open(&stage);
        engine_use_groups(stage.engine, &root);
        leave_one(&stage, ends);
        stage_close(&stage);
    }
    cgroup_root_finish(&root);
}

Test(tree, a_stop_in_a_backoff_ends_what_is_left)
{
    struct stage stage;

    stage_open(&stage);
    start_leaver(&stage, false, 3600 * NSEC_PER_SEC);
    pid_t child = pid_in(&stage, "child");
    cr_assert(lives(child));
    stage_stop(&stage);
    while (lives(child))
        stage_turn(&stage);
    stage_close(&stage);
}

/* Nobody is signalled, nobody is waited for longer than the stop timeout, and that is said. */
Test(tree, none_leaves_all_alone)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(stage_version(&stage, "exec sleep 600"));
    settings.kill_mode = KILL_NONE;
    settings.rules.stop_timeout = 50 * NSEC_PER_MSEC;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    pid_t pid = stage_await(&stage, REPORT_READY, 0)->pid;
    stage_stop(&stage);
    cr_assert_eq(stage_count(&stage, REPORT_LEFTOVER), 1);
    cr_assert(lives(pid));
    cr_assert_eq(engine_remove_pool(pool), -EBUSY);
    kill(pid, SIGKILL);
    stage_await(&stage, REPORT_EXITED, 0);
    cr_assert_eq(engine_remove_pool(pool), 0);
    stage_close(&stage);
}

/* Says in the file "alive" that it lives, and does not care for SIGTERM. */
#define DEAF "trap '' TERM; echo alive >>$D/alive; while :; do sleep 0.05; done"

static void await_lives(struct stage *stage, unsigned count) {
    while (strlen(stage_text(stage, "alive")) < count * strlen("alive\n"))
        stage_turn(stage);
}

Test(tree, who_was_killed_in_a_group_starts_again)
{
    struct cgroup_root root = group_root();
    struct stage stage;

    stage_open(&stage);
    engine_use_groups(stage.engine, &root);
    struct pool_settings settings = stage_settings(stage_version(&stage, DEAF));
    settings.rules.stop_timeout = 50 * NSEC_PER_MSEC;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    for (unsigned i = 1; i <= 3; i++) {
        await_lives(&stage, i);
        engine_pool_command(pool, EVENT_RESTART);
        stage_await(&stage, REPORT_KILLING, 0);
    }
    await_lives(&stage, 4);
    stage_stop(&stage);
    cr_assert_eq(stage_count(&stage, REPORT_EXITED), 4);
    cr_assert_eq(engine_remove_pool(pool), 0);
    stage_close(&stage);
    cgroup_root_finish(&root);
}

/* The first start after that may fail, those after it do not. */
Test(tree, who_was_killed_by_somebody_else_starts_again)
{
    struct cgroup_root root = group_root();
    struct worker_facts facts;
    struct stage stage;

    stage_open(&stage);
    engine_use_groups(stage.engine, &root);
    struct pool_settings settings = stage_settings(stage_version(&stage, DEAF));
    settings.rules.restart.mode = RESTART_ALWAYS;
    settings.rules.backoff.first = NSEC_PER_MSEC;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    await_lives(&stage, 1);
    stage_await(&stage, REPORT_READY, 0);
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    int group = open(facts.group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(cgroup_kill(group), 0);
    close(group);
    await_lives(&stage, 2);
    stage_await(&stage, REPORT_READY, 0);
    cr_assert_leq(stage_count(&stage, REPORT_EXITED), 2);
    engine_pool_command(pool, EVENT_STOP);
    engine_pool_signal(pool, SIGKILL);
    stage_stop(&stage);
    cr_assert_eq(engine_remove_pool(pool), 0);
    stage_close(&stage);
    cgroup_root_finish(&root);
}
