/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/cgroup_internal.h"

/*
 * Two kinds of trees: real groups, where this machine lets us make some (else skipped), and
 * directories with files as the kernel would have them, for controllers that this machine lacks.
 */

static char directory[] = "/tmp/brood-cgroup.XXXXXX";
static char reason[CGROUP_TEXT_SIZE];
static char real[PATH_MAX]; /* where the root for real groups is, if one was made */

static void set_up(void) {
    cr_assert(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void tear_down(void) {
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
    if (real[0] != '\0')
        cgroup_remove_tree(real);
}

TestSuite(cgroup, .init = set_up, .fini = tear_down, .timeout = 60);

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");

    cr_assert(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

static const char *content(const char *path) {
    static char text[256];
    FILE *file = fopen(path, "re");
    size_t size;

    cr_assert(file, "%s", path);
    size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static int open_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cr_assert_geq(fd, 0, "%s", path);
    return fd;
}

/* A group as a directory, with the files that it is to have: "cgroup.procs", "…", NULL. */
static int fake_group(const char *path, const char *const files[]) {
    char name[128];

    mkdir(path, 0700);
    for (size_t i = 0; files[i]; i += 2) {
        snprintf(name, sizeof(name), "%s/%s", path, files[i]);
        write_file(name, files[i + 1]);
    }
    return open_directory(path);
}

#define FAKE(path, ...) fake_group(path, (const char *const[]){__VA_ARGS__, NULL})

/* A root for real groups of this test alone. */
static struct cgroup_root real_root(void) {
    struct cgroup_root root;
    char name[64];

    snprintf(name, sizeof(name), "brood-test-%d", (int)getpid());
    if (cgroup_open_root(name, &root, reason) < 0)
        cr_skip_test("%s", reason);
    snprintf(real, sizeof(real), "%s", root.made);
    return root;
}

/* A child that sleeps in the group. */
static pid_t live_in(int group) {
    char text[16];
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    snprintf(text, sizeof(text), "%d", (int)child);
    cr_assert_eq(cgroup_write(group, "cgroup.procs", text), 0);
    return child;
}

static void assert_killed(pid_t child) {
    int status;

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Looks after each event: the news may be older than the look. */
static void wait_populated(int watch, int group, int populated) {
    struct pollfd polled = {.fd = watch, .events = POLLIN};
    int numbers[4];

    while (cgroup_is_populated(group) != populated) {
        cr_assert_eq(poll(&polled, 1, 10000), 1);
        cgroup_watch_next(watch, numbers, ELEMENTS(numbers));
    }
}

static int locate(const char *mountinfo, const char *own, char **ret_top, char **ret_own) {
    FILE *mounts = fmemopen((char *)(uintptr_t)mountinfo, strlen(mountinfo), "r");
    FILE *groups = fmemopen((char *)(uintptr_t)own, strlen(own), "r");
    int r;

    r = cgroup_locate(mounts, groups, ret_top, ret_own);
    fclose(mounts);
    fclose(groups);
    return r;
}

#define OTHERS                                                                                     \
    "21 1 0:19 / /sys rw shared:7 - sysfs sysfs rw\n"                                              \
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"

Test(cgroup, where_the_hierarchy_is)
{
    static const struct {
        const char *mountinfo, *own, *top, *where;
    } rows[] = {
        {OTHERS "30 21 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n",
            "0::/system.slice/brood.service\n", "/sys/fs/cgroup",
            "/sys/fs/cgroup/system.slice/brood.service"},
        {OTHERS "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "12:pids:/x\n1:name=systemd:/y\n0::/\n", "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/unified"},
        {"41 31 0:38 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/docker/abc/x\n",
            "/sys/fs/cgroup", "/sys/fs/cgroup/x"},
        {"41 31 0:38 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/docker/abc\n",
            "/sys/fs/cgroup", "/sys/fs/cgroup"},
        {"41 31 0:38 / /mnt/a\\040b rw - cgroup2 none rw\n", "0::/x", "/mnt/a b", "/mnt/a b/x"},
        {"40 31 0:38 /other /first rw - cgroup2 cgroup2 rw\n"
         "41 31 0:38 / /second rw - cgroup2 cgroup2 rw\n",
            "0::/x\n", "/second", "/second/x"},
    };

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        char *top = NULL, *own = NULL;

        cr_assert_eq(locate(rows[i].mountinfo, rows[i].own, &top, &own), 0, "row %zu", i);
        cr_assert_str_eq(top, rows[i].top);
        cr_assert_str_eq(own, rows[i].where);
        free(top);
        free(own);
    }
}

Test(cgroup, where_no_hierarchy_is)
{
    static const char here[] = "41 31 0:38 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    char *top = NULL, *own = NULL;

    cr_assert_eq(locate(OTHERS, "0::/\n", &top, &own), -EOPNOTSUPP);
    cr_assert_eq(locate(here, "1:name=systemd:/\n", &top, &own), -EOPNOTSUPP);
    cr_assert_eq(locate(here, "0::/docker/abcdef\n", &top, &own), -EACCES);
    cr_assert_eq(locate(here, "0::/docker\n", &top, &own), -EACCES);
    cr_assert_eq(locate("41 31 0:38 / /x rw - cgroup2 c rw\n", "0::/../y\n", &top, &own), -EACCES);
    cr_assert_eq(locate("x - cgroup2 c\n", "0::/\n", &top, &own), -EOPNOTSUPP);
    cr_assert_null(top);
    cr_assert_null(own);
}

static void fake_hierarchy(void) {
    close(FAKE("own", "cgroup.procs", "", "cgroup.controllers", "cpu memory hugetlb\n",
        "cgroup.subtree_control", "", "cgroup.type", "domain\n"));
    close(FAKE("own/ready", "cgroup.procs", ""));
}

/* It is one of our own, there. */
static void assert_in(const struct cgroup_root *root, const char *place) {
    char path[128];

    snprintf(path, sizeof(path), "%s/brood-%d", place, (int)getpid());
    cr_assert_str_eq(root->path, path);
    cr_assert_eq(access(path, F_OK), 0);
}

Test(cgroup, a_delegated_group_is_used_as_it_is)
{
    struct cgroup_root root;
    char own[64], leaf[80];

    fake_hierarchy();
    snprintf(own, sizeof(own), "%s/own", directory);
    cr_assert_eq(cgroup_open_below(directory, own, NULL, &root, reason), 0, "%s", reason);
    assert_in(&root, own);
    cr_assert_null(root.made);
    cr_assert_eq(root.controllers, 1U << CGROUP_CPU | 1U << CGROUP_MEMORY);
    cgroup_root_finish(&root);

    /* After a life in which this process had to make room. */
    snprintf(leaf, sizeof(leaf), "%s/supervisor", own);
    cr_assert_eq(cgroup_open_below(directory, leaf, NULL, &root, reason), 0);
    assert_in(&root, own);
    cgroup_root_finish(&root);
    cgroup_root_finish(&root);
}

Test(cgroup, a_name_is_from_the_top_or_from_here)
{
    struct cgroup_root root;
    char own[64], path[80];

    fake_hierarchy();
    snprintf(own, sizeof(own), "%s/own", directory);
    cr_assert_eq(cgroup_open_below(directory, own, "ready", &root, reason), 0);
    snprintf(path, sizeof(path), "%s/ready", own);
    assert_in(&root, path);
    cr_assert_str_eq(root.base, own);
    cgroup_root_finish(&root);
    cr_assert_eq(cgroup_open_below(directory, own, "/own/ready", &root, reason), 0);
    assert_in(&root, path);
    cr_assert_str_eq(root.base, directory);
    cgroup_root_finish(&root);
    cr_assert_eq(access("own/ready", F_OK), 0, "it was there, and stays");
}

Test(cgroup, bad_names_of_a_root)
{
    static const char *const names[] = {"", "/", "a//b", "a/", "..", "a/../b", ".x", "/./x",
        "cgroup.procs", "x/cgroup.kill", "a\nb"};
    struct cgroup_root root;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        cr_assert_eq(cgroup_open_below(directory, directory, names[i], &root, reason), -EINVAL,
            "'%s'", names[i]);
        cr_assert_eq(root.fd, -1);
        cr_assert(strstr(reason, "no name of a group"));
    }
}

Test(cgroup, what_is_not_ours_is_said)
{
    struct cgroup_root root;
    pid_t child;
    int status;

    if (getuid() != 0)
        cr_skip_test("only root can become somebody else");
    fake_hierarchy();
    cr_assert_eq(chmod(directory, 0755), 0);
    cr_assert_eq(chmod("own", 0755), 0);
    child = fork();
    if (child == 0) {
        int r;

        if (setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        r = cgroup_open_below(directory, "own", NULL, &root, reason);
        _exit(r != -EACCES || !strstr(reason, "own: Permission denied: run as root"));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(cgroup, controllers_are_enabled_on_the_whole_way)
{
    struct cgroup_root root;
    char own[64], file[128];

    fake_hierarchy();
    close(FAKE("own/ready", "cgroup.subtree_control", "memory\n"));
    snprintf(own, sizeof(own), "%s/own", directory);
    cr_assert_eq(cgroup_open_below(directory, own, "ready", &root, reason), 0);
    snprintf(file, sizeof(file), "%s/cgroup.subtree_control", root.path);
    write_file(file, "");
    cr_assert_eq(cgroup_root_enable(&root, 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS),
        1U << CGROUP_PIDS, "what there is not is told");
    cr_assert_str_eq(content("own/cgroup.subtree_control"), "+memory");
    cr_assert_str_eq(content("own/ready/cgroup.subtree_control"), "memory\n", "it had it");
    cr_assert_str_eq(content(file), "+memory");
    cgroup_root_finish(&root);
}

/* The first write is refused as the kernel refuses it while a process is in the way. */
Test(cgroup, we_make_room_for_controllers)
{
    struct cgroup_root root;
    char own[64], pid[16];

    fake_hierarchy();
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    write_file("own/cgroup.procs", pid);
    cr_assert_eq(unlink("own/cgroup.subtree_control"), 0);
    close(FAKE("own/supervisor", "cgroup.procs", ""));
    snprintf(own, sizeof(own), "%s/own", directory);
    cr_assert_eq(cgroup_open_below(directory, own, NULL, &root, reason), 0);
    cr_assert_eq(cgroup_root_enable(&root, 1U << CGROUP_CPU), 1U << CGROUP_CPU);
    cr_assert_str_eq(content("own/supervisor/cgroup.procs"), "0");
    cgroup_root_finish(&root);
}

Test(cgroup, limits_as_the_kernel_wants_them)
{
    static const struct {
        enum cgroup_limit limit;
        uint64_t value;
        const char *file, *text;
    } rows[] = {
        {CGROUP_LIMIT_MEMORY_MAX, 67108864, "memory.max", "67108864"},
        {CGROUP_LIMIT_MEMORY_HIGH, CGROUP_NO_LIMIT, "memory.high", "max"},
        {CGROUP_LIMIT_MEMORY_SWAP_MAX, 0, "memory.swap.max", "0"},
        {CGROUP_LIMIT_TASKS_MAX, 512, "pids.max", "512"},
        {CGROUP_LIMIT_CPU_WEIGHT, 200, "cpu.weight", "200"},
        {CGROUP_LIMIT_CPU_QUOTA, 200, "cpu.max", "20000 100000"},
        {CGROUP_LIMIT_CPU_QUOTA, 2500, "cpu.max", "250000 100000"},
        {CGROUP_LIMIT_CPU_QUOTA, 1, "cpu.max", "1000 100000"},
        {CGROUP_LIMIT_CPU_QUOTA, CGROUP_NO_LIMIT, "cpu.max", "max"},
        {CGROUP_LIMIT_IO_WEIGHT, 50, "io.weight", "50"},
    };
    char path[64];

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        int group = FAKE("g", rows[i].file, "");

        cr_assert_eq(cgroup_limit(group, rows[i].limit, rows[i].value), 0);
        snprintf(path, sizeof(path), "g/%s", rows[i].file);
        cr_assert_str_eq(content(path), rows[i].text);
        close(group);
    }
}

Test(cgroup, limits_that_cannot_be_had_are_told)
{
    struct cgroup_limits limits = {
        .set = 1U << CGROUP_LIMIT_MEMORY_MAX | 1U << CGROUP_LIMIT_TASKS_MAX,
        .values = {[CGROUP_LIMIT_MEMORY_MAX] = 4096, [CGROUP_LIMIT_TASKS_MAX] = 7}};
    int group = FAKE("g", "pids.max", "max");

    cr_assert_eq(cgroup_limits_controllers(&limits), 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS);
    cr_assert_eq(cgroup_limits_apply(group, &limits), 1U << CGROUP_LIMIT_MEMORY_MAX);
    cr_assert_str_eq(content("g/pids.max"), "7ax");
    cr_assert_str_eq(cgroup_limit_file(CGROUP_LIMIT_MEMORY_MAX), "memory.max");
    cr_assert_str_eq(cgroup_controller_name(CGROUP_MEMORY), "memory");
    cr_assert_eq(access("g/memory.max", F_OK), -1);
    close(group);
}

Test(cgroup, what_is_used)
{
    int group = FAKE("g", "memory.current", "8192\n", "cpu.stat",
        "user_usec 1\nusage_usec 1500\nsystem_usec 9\n", "memory.events",
        "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n", "cgroup.events",
        "populated 0\nfrozen 1\n");
    int empty = FAKE("e", "cpu.stat", "nothing\n");
    struct cgroup_usage usage = cgroup_usage(group);

    cr_assert_eq(usage.memory, 8192);
    cr_assert_eq(usage.cpu, 1500 * NSEC_PER_USEC);
    cr_assert_eq(usage.tasks, UINT64_MAX);
    cr_assert_eq(cgroup_oom_kills(group), 2);
    cr_assert_eq(cgroup_is_populated(group), 0);
    usage = cgroup_usage(empty);
    cr_assert_eq(usage.memory, UINT64_MAX);
    cr_assert_eq(usage.cpu, NSEC_NEVER);
    cr_assert_eq(cgroup_oom_kills(empty), 0);
    cr_assert_eq(cgroup_is_populated(empty), -ENOENT);
    close(group);
    close(empty);
}

Test(cgroup, names_that_are_the_kernel_s_are_made_others)
{
    static const struct {
        const char *name, *escaped;
    } rows[] = {
        {"web", "web"},
        {"0", "0"},
        {"web.prod", "web.prod"},
        {"memory", "memory"},
        {"memory.max", "_memory.max"},
        {"cgroup.procs", "_cgroup.procs"},
        {"cpuset.cpus", "_cpuset.cpus"},
        {"cpusets.x", "cpusets.x"},
        {"tasks", "_tasks"},
        {"supervisor", "_supervisor"},
        {"_web", "__web"},
        {".", "_."},
        {"..", "_.."},
        {"", "_"},
        {"a/b\nc", "a_b_c"},
    };
    char escaped[NAME_MAX + 1], name[NAME_MAX + 2];

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        cr_assert_eq(cgroup_escape(rows[i].name, escaped), 0);
        cr_assert_str_eq(escaped, rows[i].escaped);
    }
    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = '\0';
    cr_assert_eq(cgroup_escape(name, escaped), -ENAMETOOLONG);
}

Test(cgroup, without_cgroup_kill_each_is_killed)
{
    int group = FAKE("g", "cgroup.procs", "", "cgroup.events", "populated 1\n");
    char pids[64];
    pid_t children[2];

    mkdir("g/below", 0700);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            pause();
            _exit(0);
        }
    }
    snprintf(pids, sizeof(pids), "0\n%d\n", (int)children[0]);
    write_file("g/cgroup.procs", pids);
    snprintf(pids, sizeof(pids), "%d\n", (int)children[1]);
    write_file("g/below/cgroup.procs", pids);
    cr_assert_eq(cgroup_kill(group), -EAGAIN, "those files never become empty");
    assert_killed(children[0]);
    assert_killed(children[1]);
    write_file("g/cgroup.procs", "");
    write_file("g/below/cgroup.procs", "");
    cr_assert_eq(cgroup_kill(group), 0);
    close(group);
}

Test(cgroup, a_life)
{
    struct cgroup_root root = real_root();
    struct proc_list list = {0};
    struct pollfd polled = {.fd = cgroup_watch_open(), .events = POLLIN};
    char *path = strdup(root.made);
    int group = cgroup_make(root.fd, "web"), below = cgroup_make(group, "3"), numbers[4], number;
    pid_t child;

    cr_assert_geq(group, 0);
    cr_assert_geq(below, 0);
    cr_assert_eq(fcntl(group, F_GETFD), FD_CLOEXEC);
    number = cgroup_watch_add(polled.fd, group);
    cr_assert_gt(number, 0);
    cr_assert_eq(cgroup_is_populated(group), 0);
    child = live_in(below);
    cr_assert_eq(cgroup_is_populated(group), 1);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    cr_assert_eq(cgroup_watch_next(polled.fd, numbers, ELEMENTS(numbers)), 1);
    cr_assert_eq(numbers[0], number);
    cr_assert_eq(cgroup_watch_next(polled.fd, numbers, ELEMENTS(numbers)), 0);
    cr_assert_eq(cgroup_procs(group, &list), 0);
    cr_assert_eq(list.count, 1);
    cr_assert_eq(list.pids[0], child);
    proc_list_finish(&list);
    cr_assert_neq(cgroup_usage(below).cpu, NSEC_NEVER);
    cr_assert_eq(cgroup_remove(root.fd, "web"), -EBUSY);

    cr_assert_eq(cgroup_kill(group), 0);
    assert_killed(child);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    cr_assert_eq(cgroup_watch_next(polled.fd, numbers, ELEMENTS(numbers)), 1);
    cr_assert_eq(cgroup_is_populated(group), 0);

    close(below);
    below = cgroup_make(group, "3");
    cr_assert_geq(below, 0, "what was left is opened");
    cgroup_watch_remove(polled.fd, number);
    cr_assert_eq(cgroup_remove(root.fd, "web"), 0);
    cr_assert_eq(cgroup_remove(root.fd, "web"), 0);
    cr_assert_eq(cgroup_watch_next(polled.fd, numbers, ELEMENTS(numbers)), 0);
    cgroup_root_finish(&root);
    cr_assert_eq(access(path, F_OK), -1, "what we made is gone");
    free(path);
    close(group);
    close(below);
    close(polled.fd);
}

Test(cgroup, a_tree_that_multiplies_is_killed_at_once)
{
    struct cgroup_root root = real_root();
    int group = cgroup_make(root.fd, "bomb");
    int watch = cgroup_watch_open();
    pid_t child;

    cr_assert_gt(cgroup_watch_add(watch, group), 0);
    child = fork();
    if (child == 0) {
        char nothing;
        int gate[2];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pipe(gate) < 0 || cgroup_write(group, "cgroup.procs", "0") < 0)
            _exit(1);
        for (int i = 0; i < 20; i++)
            if (fork() == 0) {
                setsid();
                if (fork() == 0 && read(gate[0], &nothing, 1) < 0)
                    _exit(1);
                pause();
            }
        pause();
        _exit(0);
    }
    wait_populated(watch, group, 1);
    cr_assert_eq(cgroup_kill(group), 0);
    assert_killed(child);
    wait_populated(watch, group, 0);
    cr_assert_eq(cgroup_remove(root.fd, "bomb"), 0);
    cgroup_root_finish(&root);
    close(group);
    close(watch);
}

Test(cgroup, nobody_s_group_stays)
{
    struct cgroup_root root = real_root();
    char *path = strdup(root.path);
    int group = cgroup_make(root.fd, "web");
    pid_t child = live_in(group);

    cgroup_root_finish(&root);
    cr_assert_eq(access(path, F_OK), 0, "somebody lives there");
    cr_assert_eq(cgroup_kill(group), 0);
    assert_killed(child);
    cr_assert_eq(cgroup_remove_tree(path), 0);
    free(path);
    close(group);
}

/* hugetlb is the only one that a machine with the old hierarchy beside may have left. */
Test(cgroup, a_controller_that_is_not_there)
{
    struct cgroup_root root = real_root();
    uint32_t all = (1U << CGROUP_CONTROLLER_MAX) - 1;

    cr_assert_eq(cgroup_root_enable(&root, all & ~root.controllers), all & ~root.controllers);
    cgroup_root_finish(&root);
}
