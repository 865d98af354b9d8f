/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/descriptors.h"

#define LAST 40

/* Closing everything is for a child that ends with it; its status is the answer. */
static void assert_in_child(bool (*question)(void)) {
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(question() ? 0 : 1);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static bool closes_all_but_the_kept(void) {
    static const int kept[] = {20, -1, 4, 3, LAST, 4};

    for (int fd = 3; fd <= LAST; fd++)
        dup2(STDIN_FILENO, fd);
    descriptors_close_except(kept, ELEMENTS(kept));
    for (int fd = 0; fd <= LAST; fd++)
        if (is_open(fd) != (fd < 3 || fd == 3 || fd == 4 || fd == 20 || fd == LAST))
            return false;
    descriptors_close_except(NULL, 0);
    return is_open(0) && !is_open(3) && !is_open(LAST);
}

Test(descriptors, closes_all_but_the_kept)
{ assert_in_child(closes_all_but_the_kept); }

static bool moves_only_what_is_in_the_way(void) {
    int high = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10), moved;

    if (descriptors_move_up_consume(high) != high)
        return false;
    close(STDOUT_FILENO);
    moved = descriptors_move_up_consume(dup(STDIN_FILENO));
    return moved >= 3 && !is_open(STDOUT_FILENO) && fcntl(moved, F_GETFD) == FD_CLOEXEC;
}

Test(descriptors, moves_only_what_is_in_the_way)
{ assert_in_child(moves_only_what_is_in_the_way); }

Test(descriptors, a_failed_open_goes_through)
{ cr_assert_eq(descriptors_move_up_consume(open("/nosuch", O_RDONLY | O_CLOEXEC)), -ENOENT); }
