/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "logs/archive.h"

#define BASE "/logs"

static void check_place(const char *socket, const char *expected) {
    char place[PATH_MAX];

    setenv("LOGS_DIRECTORY", BASE, 1);
    cr_assert_eq(archive_default_directory(socket, place, sizeof(place)), 0);
    cr_assert_str_eq(place, expected);
}

Test(archive, has_a_directory_for_each_socket)
{
    check_place(NULL, BASE);
    check_place("/run/app/control.sock", BASE "/run-app-control.sock");
    check_place("/run/my-app/100%", BASE "/run-my%2dapp-100%25");
    check_place("/a/-b", BASE "/a-%2db");
    check_place("/a-/b", BASE "/a%2d-b");
}

/* The path that a name stands for. */
static void read_back(const char *name, char *path) {
    *path++ = '/';
    for (; *name != '\0'; name++, path++)
        if (strncmp(name, "%2d", 3) == 0 || strncmp(name, "%25", 3) == 0) {
            *path = name[2] == 'd' ? '-' : '%';
            name += 2;
        } else {
            *path = *name == '-' ? '/' : *name;
        }
    *path = '\0';
}

/* What can be read back is the name of one path alone. */
Test(archive, has_no_directory_for_two_sockets)
{
    static const char letters[] = "//--%%2d5ab.";
    struct random random = {7};

    setenv("LOGS_DIRECTORY", BASE, 1);
    for (unsigned round = 0; round < 100000; round++) {
        char path[32] = "/", place[PATH_MAX], back[PATH_MAX];
        size_t length = 1 + random_below(&random, sizeof(path) - 1);

        for (size_t i = 1; i < length; i++)
            path[i] = letters[random_below(&random, sizeof(letters) - 1)];
        path[length] = '\0';
        cr_assert_eq(archive_default_directory(path, place, sizeof(place)), 0);
        const char *name = place + strlen(BASE "/");
        cr_assert_null(strchr(name, '/'));
        read_back(name, back);
        cr_assert_str_eq(back, path);
    }
}

Test(archive, says_that_a_path_is_too_long)
{
    char place[sizeof(BASE "/a%2")];

    setenv("LOGS_DIRECTORY", BASE, 1);
    cr_assert_eq(archive_default_directory("/a-", place, sizeof(place)), -ENAMETOOLONG);
    cr_assert_eq(archive_default_directory("/abcd", place, sizeof(place)), -ENAMETOOLONG);
    cr_assert_eq(archive_default_directory("/abc", place, sizeof(place)), 0);
}
