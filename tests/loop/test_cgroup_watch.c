/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"
#include "sys/cgroup.h"

TestSuite(cgroup_watch, .timeout = FIXTURE_TIMEOUT);

struct news {
    int numbers[16];
    size_t count;
};

static void on_news(void *data, uint64_t value, int fd, unsigned events) {
    struct news *news = data;

    (void)value, (void)events;
    news->count +=
        cgroup_watch_next(fd, news->numbers + news->count, ELEMENTS(news->numbers) - news->count);
}

static pid_t live_in(int group) {
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cgroup_write(group, "cgroup.procs", "0") == 0)
            pause();
        _exit(1);
    }
    return child;
}

Test(cgroup_watch, tells_the_loop_of_the_group_that_changed)
{
    struct loop *loop = fixture_loop();
    struct cgroup_root root;
    struct news news = {.count = 0};
    char reason[CGROUP_TEXT_SIZE], name[64];
    struct loop_watch watch = {.events = LOOP_IN, .fn = on_news, .data = &news};
    loop_source_t source;
    int groups[2], numbers[2];
    pid_t child;

    snprintf(name, sizeof(name), "brood-test-%d", (int)getpid());
    if (cgroup_open_root(name, &root, reason) < 0)
        cr_skip_test("%s", reason);
    watch.fd = cgroup_watch_open();
    cr_assert_eq(loop_add(loop, &watch, &source), 0);
    for (int i = 0; i < 2; i++) {
        groups[i] = cgroup_make(root.fd, i == 0 ? "one" : "two");
        numbers[i] = cgroup_watch_add(watch.fd, groups[i]);
        cr_assert_gt(numbers[i], 0);
    }
    cr_assert_eq(loop_turn(loop, false), 0);

    child = live_in(groups[1]);
    while (news.count == 0)
        loop_turn(loop, true);
    cr_assert_eq(news.numbers[0], numbers[1]);
    cr_assert_eq(cgroup_is_populated(groups[1]), 1);
    news.count = 0;
    cr_assert_eq(cgroup_kill(groups[1]), 0);
    while (cgroup_is_populated(groups[1]) == 1)
        loop_turn(loop, true);
    cr_assert_eq(waitpid(child, NULL, 0), child);

    loop_remove(loop, source);
    close(watch.fd);
    close(groups[0]);
    close(groups[1]);
    cgroup_root_finish(&root);
    loop_free(loop);
}
