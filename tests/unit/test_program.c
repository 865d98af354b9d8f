/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/program.h"

static char here[] = "/tmp/brood-program.XXXXXX";

static void put(const char *path, mode_t mode) {
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

    cr_assert_geq(fd, 0, "%s", path);
    close(fd);
}

static void set_up(void) {
    cr_assert(mkdtemp(here));
    cr_assert_eq(chdir(here), 0);
    cr_assert_eq(mkdir("a", 0755), 0);
    cr_assert_eq(mkdir("b", 0755), 0);
    cr_assert_eq(mkdir("b/directory", 0755), 0);
    put("a/plain", 0644);
    put("a/twice", 0644);
    put("b/twice", 0755);
    put("b/tool", 0755);
    put("tool", 0755);
}

static void tear_down(void) {
    static const char *const files[] = {"a/plain", "a/twice", "b/twice", "b/tool", "tool"};

    for (size_t i = 0; i < ELEMENTS(files); i++)
        unlink(files[i]);
    rmdir("b/directory");
    rmdir("a");
    rmdir("b");
    rmdir(here);
}

TestSuite(program, .init = set_up, .fini = tear_down, .timeout = 60);

/* Both by one text: what was found without the folder of this test, or the error. */
static const char *found(const char *command, const char *path, const char *directory) {
    static char text[PATH_MAX];
    char *program = NULL;
    int r = program_find(command, path, directory, &program);

    snprintf(text, sizeof(text), "%s",
        r == -ENOENT   ? "ENOENT"
        : r == -EACCES ? "EACCES"
        : r < 0        ? strerror(-r)
                       : program);
    if (r == 0) {
        cr_assert_eq(program[0], '/', "'%s' is not absolute", program);
        if (strncmp(program, here, strlen(here)) == 0)
            snprintf(text, sizeof(text), "%s", program + strlen(here) + 1);
    }
    free(program);
    return text;
}

Test(program, is_looked_up_along_the_path)
{
    cr_assert_str_eq(found("tool", "a:b", NULL), "b/tool");
    cr_assert_str_eq(found("tool", "nosuch:/nosuch:b", NULL), "b/tool");
    cr_assert_str_eq(found("nosuch", "a:b", NULL), "ENOENT");
    cr_assert_str_eq(found("", "a:b", NULL), "ENOENT");
    cr_assert_str_eq(found("sh", NULL, NULL) + strlen(found("sh", NULL, NULL)) - 3, "/sh");
}

Test(program, empty_path_elements_are_the_directory)
{
    cr_assert_str_eq(basename(found("tool", ":a", NULL)), "tool");
    cr_assert_str_eq(basename(found("tool", "a:", NULL)), "tool");
    cr_assert_str_eq(basename(found("tool", "", NULL)), "tool");
    cr_assert_str_eq(basename(found("tool", "a::a", NULL)), "tool");
}

/* execvp(3): what cannot be executed is passed over, and told when nothing else is found. */
Test(program, what_cannot_be_executed_is_passed_over)
{
    cr_assert_str_eq(found("twice", "a:b", NULL), "b/twice");
    cr_assert_str_eq(found("plain", "a:b", NULL), "EACCES");
    cr_assert_str_eq(found("directory", "a:b", NULL), "EACCES");
}

Test(program, a_slash_says_where)
{
    cr_assert_str_eq(found("b/tool", "a", NULL), "b/tool");
    cr_assert_str_eq(found("/bin/sh", "a", NULL), "/bin/sh");
    cr_assert_str_eq(found("a/plain", "b", NULL), "EACCES");
    cr_assert_str_eq(found("a/nosuch", "b", NULL), "ENOENT");
    cr_assert_str_eq(found("tool/x", "b", NULL), "ENOENT");
    cr_assert_str_eq(found("./b", "b", NULL), "EACCES");
}

Test(program, relative_to_the_directory_where_it_runs)
{
    cr_assert_str_eq(basename(found("./tool", "a", "b")), "tool");
    cr_assert_str_eq(found("./twice", "a", "a"), "EACCES");
    cr_assert_str_eq(found("b/tool", "a", "b"), "ENOENT");
    cr_assert_str_eq(found("/bin/sh", "a", "b"), "/bin/sh");
    cr_assert_str_eq(found("sh", "/nosuch:/bin", "b"), "/bin/sh");
}

/* chdir will say that the directory is missing; or a placeholder makes it exist after all. */
Test(program, a_missing_directory_does_not_make_programs_appear)
{
    cr_assert_str_eq(found("sh", "/nosuch:/bin", "/nosuch/%i"), "/bin/sh");
    cr_assert_str_eq(found("nosuch-command", "/nosuch:/bin", "/nosuch/%i"), "ENOENT");
    cr_assert_str_eq(found("/nosuch/sh", "/bin", "/nosuch/%i"), "ENOENT");
}

Test(program, names_that_are_too_long_are_refused)
{
    char name[PATH_MAX + 10];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    cr_assert_str_eq(found(name, "a:b", NULL), "ENOENT");
    name[0] = '/';
    cr_assert_str_eq(found(name, "a:b", NULL), strerror(ENAMETOOLONG));
}
