/* SPDX-License-Identifier: MIT */

/* Several supervisors in one place: each has a group of its own, and keeps off the others'. */

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/cgroup_internal.h"

/* Directories with files as the kernel would have them. */
static char directory[] = "/tmp/brood-cgroup.XXXXXX";
static char reason[CGROUP_TEXT_SIZE];

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");

    cr_assert(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

static void set_up(void) {
    cr_assert(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    write_file("cgroup.procs", "");
}

static void tear_down(void) {
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(cgroup_instance, .init = set_up, .fini = tear_down, .timeout = 60);

static struct cgroup_root open_here(void) {
    struct cgroup_root root;

    cr_assert_eq(cgroup_open_below(directory, directory, NULL, &root, reason), 0, "%s", reason);
    return root;
}

Test(cgroup_instance, two_have_two)
{
    struct cgroup_root one = open_here(), two = open_here();

    cr_assert_str_neq(one.path, two.path);
    int web = cgroup_make(two.fd, "web");
    cr_assert_geq(web, 0);
    cgroup_root_finish(&one);
    cr_assert_eq(faccessat(two.fd, "web", F_OK, 0), 0, "nobody lives there just now");
    cr_assert_eq(access(two.path, F_OK), 0);
    close(web);
    cgroup_root_finish(&two);
    cr_assert_eq(unlink("cgroup.procs"), 0);
    cr_assert_eq(rmdir(directory), 0, "nothing is left");
    cr_assert_eq(mkdir(directory, 0700), 0);
}

/* With real groups: whoever makes one also makes its files. */
Test(cgroup_instance, a_slice_is_left_to_who_still_uses_it)
{
    struct cgroup_root one, two;
    char name[64];

    snprintf(name, sizeof(name), "brood-test-%d/slice", (int)getpid());
    if (cgroup_open_root(name, &one, reason) < 0)
        cr_skip_test("%s", reason);
    cr_assert_eq(cgroup_open_root(name, &two, reason), 0, "%s", reason);
    char *made = strdup(one.made);
    cr_assert_null(two.made);
    int web = cgroup_make(two.fd, "web");
    cgroup_root_finish(&one);
    cr_assert_eq(faccessat(two.fd, "web", F_OK, 0), 0);
    two.made = made;
    char *path = strdup(made);
    cgroup_root_finish(&two);
    cr_assert_eq(access(path, F_OK), -1, "both ways are gone");
    free(path);
    close(web);
}

Test(cgroup_instance, what_the_dead_have_left_is_removed)
{
    mkdir("brood-1", 0700);
    mkdir("brood-1/web", 0700);
    mkdir("brood-1/web/0", 0700);
    mkdir("brood-2-1", 0700);
    mkdir("brood-3", 0700);
    write_file("brood-3/cgroup.events", "populated 1\n");
    mkdir("brood-3/below", 0700);
    mkdir("brood-4", 0700);
    int living = open("brood-4", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(flock(living, LOCK_EX), 0);
    mkdir("brood-x", 0700);
    mkdir("brood-", 0700);

    struct cgroup_root root = open_here();
    cr_assert_eq(access("brood-1", F_OK), -1);
    cr_assert_eq(access("brood-2-1", F_OK), -1);
    cr_assert_eq(access("brood-3/below", F_OK), 0, "somebody lives there");
    cr_assert_eq(access("brood-4", F_OK), 0, "its supervisor lives");
    cr_assert_eq(access("brood-x", F_OK), 0, "that is nobody's");
    cr_assert_eq(access("brood-", F_OK), 0);
    close(living);
    cgroup_root_finish(&root);
}
