/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/endpoint.h"

static const char *identity(const char *path, char buffer[PATH_MAX]) {
    struct endpoint address;

    cr_assert_eq(endpoint_choose(path, &address), 1);
    return endpoint_identity(&address, buffer);
}

/* A supervisor is the same before and after its directory has been made, by whatever way. */
Test(endpoint, is_known_by_where_it_is)
{
    char directory[] = "/tmp/brood-endpoint-XXXXXX", path[64], before[PATH_MAX], after[PATH_MAX];

    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    cr_assert_eq(symlink(directory, "link"), 0);
    snprintf(path, sizeof(path), "%s/link/a/b/sock", directory);
    cr_assert_not_null(identity(path, before));
    cr_assert(mkdir("a", 0700) == 0 && mkdir("a/b", 0700) == 0);
    cr_assert_not_null(identity(path, after));
    cr_assert_str_eq(before, after);
    snprintf(path, sizeof(path), "%s/a/b/sock", directory);
    cr_assert_str_eq(after, path);
    cr_assert_str_eq(identity("a/b/sock", after), path);
    cr_assert_str_eq(identity("a/../a/b/sock", after), path);
    snprintf(path, sizeof(path), "%s/sock", directory);
    cr_assert_str_eq(identity("sock", after), path);
    cr_assert_str_eq(identity("/sock", after), "/sock");
    cr_assert(rmdir("a/b") == 0 && rmdir("a") == 0 && unlink("link") == 0 && rmdir(directory) == 0);
}

Test(endpoint, of_everybody_is_nobody_in_particular)
{
    char buffer[PATH_MAX];

    unsetenv("XDG_RUNTIME_DIR");
    cr_assert_null(identity(ENDPOINT_SYSTEM, buffer));
    setenv("XDG_RUNTIME_DIR", "/tmp/nobody", 1);
    cr_assert_null(identity("/tmp/nobody/brood/control.sock", buffer));
    cr_assert_not_null(identity("/tmp/nobody/brood/other.sock", buffer));
}
