/* SPDX-License-Identifier: MIT */

/* A seccomp filter that refuses chosen system calls with a chosen error, as container runtimes and
 * old kernels do. It stays over exec and goes to every descendant. */

#include "names.h"
#include "worker.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 32

void refuse_calls(const char *list) {
    struct sock_filter code[2 * MOST + 2];
    struct sock_fprog program = {.filter = code};
    char *copy = strdup(list);
    int count = 0;

    code[program.len++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (char *row = strtok(copy, ","); row; row = strtok(NULL, ",")) {
        char *error = strchr(row, '=');
        if (!error || count++ == MOST)
            fail("refuse: '%s' is not CALL=ERROR, or too many", row);
        *error++ = '\0';
        code[program.len++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)syscall_number(row), 0, 1);
        code[program.len++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error_number(error));
    }
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    /* Without privileges the kernel takes a filter only with no_new_privs, which then shows. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 && errno == EACCES) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
            fail("seccomp: %s", strerror(errno));
    }
}
