/* SPDX-License-Identifier: MIT */

/* What killing and starting in a control group rely on the kernel for; see test_kernel.c. */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "sys/cgroup.h"

TestSuite(kernel_group, .timeout = FIXTURE_TIMEOUT);

static struct cgroup_root root_new(void) {
    struct cgroup_root root;
    char reason[CGROUP_TEXT_SIZE], name[64];

    snprintf(name, sizeof(name), "brood-test-%d", (int)getpid());
    if (cgroup_open_root(name, &root, reason) < 0)
        cr_skip_test("%s", reason);
    return root;
}

static int group_new(const struct cgroup_root *root) {
    int group = cgroup_make(root->fd, "group");

    cr_assert_geq(group, 0);
    return group;
}

/* Kills the group as a whole, or skips the test; `group` is empty. */
static void group_kill(int group) {
    if (cgroup_write(group, "cgroup.kill", "1") == -ENOENT)
        cr_skip_test("no cgroup.kill");
}

/* How a child ends that is made in the group and does nothing but exit with 7. */
static int born_in(int group) {
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group};
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    int status;

    if (child == 0)
        _exit(7);
    if (child < 0)
        cr_skip_test("no CLONE_INTO_CGROUP: %s", strerror(errno));
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static bool is_well(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

/*
 * Why a group that was killed is not used again. A child that is cloned into a group is compared
 * with the kills of its parent's group (Linux 5.14 to at least 6.18). Where that is mended it
 * lives.
 */
Test(kernel_group, killed_group_kills_whoever_is_born_there_or_is_mended)
{
    struct cgroup_root root = root_new();
    int group = group_new(&root);

    cr_assert(is_well(born_in(group)));
    group_kill(group);
    int status = born_in(group);
    cr_assert(is_well(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    cr_assert_eq(born_in(group), status, "once and for all");
    close(group);
    cgroup_root_finish(&root);
}

Test(kernel_group, group_made_anew_has_not_been_killed)
{
    struct cgroup_root root = root_new();
    int group = group_new(&root);

    group_kill(group);
    close(group);
    cr_assert_eq(cgroup_remove(root.fd, "group"), 0);
    group = group_new(&root);
    cr_assert(is_well(born_in(group)));
    close(group);
    cgroup_root_finish(&root);
}

/* What is above or beside is not killed with it. */
Test(kernel_group, other_groups_do_not_count)
{
    struct cgroup_root root = root_new();
    int group = group_new(&root), below = cgroup_make(group, "below");

    group_kill(below);
    cr_assert(is_well(born_in(group)));
    close(below);
    close(group);
    cgroup_root_finish(&root);
}
