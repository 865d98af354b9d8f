/* SPDX-License-Identifier: MIT */
#include "sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int check(int directory_fd, const char *file) {
    struct stat status;

    if (fstatat(directory_fd, file, &status, 0) < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    if (!S_ISREG(status.st_mode) || faccessat(directory_fd, file, X_OK, AT_EACCESS) < 0)
        return -EACCES;
    return 0;
}

static int check_in(const char *directory, const char *file) {
    if (*file == '/')
        directory = NULL;

    int fd = directory ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;

    /* A directory that is not there is chdir's failure to tell, not the program's. */
    if (directory && fd < 0)
        return 0;
    int r = check(fd, file);
    if (directory)
        close(fd);
    return r;
}

/* The first element of `path` that holds the program. One that cannot be executed is remembered. */
static int search(
    const char *command, const char *path, const char *directory, char found[PATH_MAX]) {
    int result = -ENOENT;

    for (const char *next = path; next; path = next ? next + 1 : NULL) {
        next = strchr(path, ':');
        int length = next ? (int)(next - path) : (int)strlen(path);
        int n =
            snprintf(found, PATH_MAX, "%.*s%s%s", length, path, length > 0 ? "/" : "./", command);

        int r = n < PATH_MAX ? check_in(directory, found) : -ENAMETOOLONG;
        if (r == 0)
            return 0;
        if (r == -EACCES && access(found, F_OK) == 0)
            result = r;
    }
    return result;
}

/* Where a relative path begins: `directory`, which may be relative itself, or here. */
static int make_absolute(const char *found, const char *directory, char **ret_program) {
    char here[PATH_MAX] = "";
    const char *between = directory ? directory : "";

    if (*found != '/' && *between != '/' && !getcwd(here, sizeof(here)))
        return -errno;
    if (*found == '/')
        *ret_program = strdup(found);
    else if (asprintf(ret_program, "%s%s%s%s%s", here, *here && *between ? "/" : "", between, "/",
                 found) < 0)
        *ret_program = NULL;
    return *ret_program ? 0 : -ENOMEM;
}

int program_find(const char *command, const char *path, const char *directory, char **ret_program) {
    char found[PATH_MAX];
    int r;

    if (*command == '\0')
        return -ENOENT;
    if (strchr(command, '/'))
        r = snprintf(found, sizeof(found), "%s", command) < PATH_MAX ? check_in(directory, command)
                                                                     : -ENAMETOOLONG;
    else
        r = search(command, path ? path : DEFAULT_PATH, directory, found);
    if (r < 0)
        return r;
    return make_absolute(found, directory, ret_program);
}
