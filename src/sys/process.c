/* SPDX-License-Identifier: MIT */
#include "sys/process.h"

#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/raw.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/*
 * Without a version of raw_call() of its own, the child's errno is ours: then we stand still until
 * it has gone.
 */
#define CHILD_FLAGS                                                                                \
    (CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | (RAW_IS_PRIVATE ? 0 : CLONE_VFORK))

struct process_features process_probe(void) {
    return (struct process_features){
        .clone3 = RAW_IS_PRIVATE,
        .into_group = RAW_IS_PRIVATE,
        .close_range = syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) == 0,
    };
}

/*
 * clone3(2) on another stack: the child starts in the same instruction stream with an empty stack,
 * so it cannot return into a C function and calls `run` at once.
 */
static long clone3_run(struct clone_args *args, int (*run)(void *), void *argument) {
#if defined(__x86_64__) && !defined(__ILP32__)
    long result;

    __asm__ volatile(
        "syscall\n\t"
        "testq %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "movq %[argument], %%rdi\n\t"
        "call *%[run]\n\t"
        "movl %%eax, %%edi\n\t"
        "movl %[exit], %%eax\n\t"
        "syscall\n\t"
        "hlt\n"
        "1:"
        : "=a"(result)
        : "a"(SYS_clone3), "D"(args),
        "S"(sizeof(*args)), [run] "r"(run), [argument] "r"(argument), [exit] "i"(SYS_exit_group)
        : "rcx", "r11", "cc", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = sizeof(*args);

    __asm__ volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x0, %[argument]\n\t"
        "blr %[run]\n\t"
        "mov x8, %[exit]\n\t"
        "svc #0\n"
        "1:"
        : "+r"(x0)
        : "r"(x8), "r"(x1), [run] "r"(run), [argument] "r"(argument), [exit] "i"(SYS_exit_group)
        : "cc", "memory");
    return x0;
#else
    (void)args, (void)run, (void)argument;
    return -ENOSYS;
#endif
}

static int flags_of(const struct process_clone *request) {
    return CHILD_FLAGS | (request->wait ? CLONE_VFORK : 0) |
           (request->share_files ? CLONE_FILES : 0);
}

static int clone_new(const struct process_clone *request, pid_t *ret_pid, int *ret_pidfd) {
    struct clone_args args = {
        .flags = (uint64_t)flags_of(request) | CLONE_CLEAR_SIGHAND |
                 (request->group >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)ret_pidfd,
        .child_tid = (uintptr_t)request->busy,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)request->stack,
        .stack_size = request->stack_size,
        .cgroup = request->group >= 0 ? (uint64_t)request->group : 0,
    };
    long r = clone3_run(&args, request->run, request->argument);

    if (r < 0)
        return (int)r;
    *ret_pid = (pid_t)r;
    return 0;
}

/*
 * clone(2) cannot reset handlers, so every signal stays blocked from before the clone until the
 * child has reset them itself.
 */
static int clone_old(const struct process_clone *request, pid_t *ret_pid, int *ret_pidfd) {
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    int r = clone(request->run, (char *)request->stack + request->stack_size,
        flags_of(request) | SIGCHLD, request->argument, ret_pidfd, NULL, request->busy);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (r < 0)
        return -error;
    *ret_pid = r;
    return 0;
}

int process_clone(const struct process_clone *request, struct process_features *features,
    pid_t *ret_pid, int *ret_pidfd) {
    if (features->clone3) {
        int r = clone_new(request, ret_pid, ret_pidfd);

        if (request->group >= 0 && (r == -EINVAL || r == -E2BIG)) {
            features->into_group = false;
            return -EOPNOTSUPP;
        }
        if (r != -ENOSYS && r != -EPERM)
            return r;
        features->clone3 = false;
        features->into_group = false;
    }
    if (request->group >= 0)
        return -EOPNOTSUPP;
    return clone_old(request, ret_pid, ret_pidfd);
}

int process_open(pid_t pid, int *ret_pidfd) {
    long fd = syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return -errno;
    *ret_pidfd = (int)fd;
    return 0;
}

/* The pid behind a pidfd, or -1 once it has been reaped. */
static pid_t pid_of(int pidfd) {
    char path[64], line[64];
    pid_t pid = -1;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        sscanf(line, "Pid: %d", &pid);
    if (file)
        fclose(file);
    return pid;
}

/* A sandbox may refuse the call; then its number, asked for at the last moment, has to do. */
int process_signal(int pidfd, int signal) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0)
        return 0;
    if (errno != ENOSYS && errno != EPERM)
        return -errno;
    pid_t pid = pid_of(pidfd);
    if (pid <= 0)
        return -ESRCH;
    return kill(pid, signal) < 0 ? -errno : 0;
}

int process_reap(int pidfd, struct process_end *ret_end) {
    siginfo_t info = {0};

    /* The C library's function keeps the kernel's fifth argument to itself. */
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &ret_end->usage) < 0)
        return -errno;
    if (info.si_pid == 0)
        return 0;
    ret_end->code = info.si_code;
    ret_end->status = info.si_status;
    return 1;
}

int process_reap_stranger(pid_t *ret_pid) {
    siginfo_t info = {0};

    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD) < 0)
        return -errno;
    *ret_pid = info.si_pid;
    return info.si_pid != 0;
}

void process_reap_pid(pid_t pid) {
    siginfo_t info;

    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

bool process_has_children(void) {
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}
