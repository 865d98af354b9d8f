/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers that the tests must build with. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define SYSCALLS(X)                                                                                \
    X(accept4)                                                                                     \
    X(bind)                                                                                        \
    X(brk)                                                                                         \
    X(capget)                                                                                      \
    X(capset)                                                                                      \
    X(chdir)                                                                                       \
    X(clock_nanosleep)                                                                             \
    X(clone)                                                                                       \
    X(clone3)                                                                                      \
    X(close)                                                                                       \
    X(close_range)                                                                                 \
    X(connect)                                                                                     \
    X(dup)                                                                                         \
    X(dup3)                                                                                        \
    X(epoll_create1)                                                                               \
    X(epoll_ctl)                                                                                   \
    X(epoll_pwait)                                                                                 \
    X(epoll_pwait2)                                                                                \
    X(eventfd2)                                                                                    \
    X(execve)                                                                                      \
    X(execveat)                                                                                    \
    X(exit_group)                                                                                  \
    X(faccessat)                                                                                   \
    X(faccessat2)                                                                                  \
    X(fchdir)                                                                                      \
    X(fchmod)                                                                                      \
    X(fchown)                                                                                      \
    X(fcntl)                                                                                       \
    X(flock)                                                                                       \
    X(fstat)                                                                                       \
    X(fsync)                                                                                       \
    X(ftruncate)                                                                                   \
    X(futex)                                                                                       \
    X(getdents64)                                                                                  \
    X(getegid)                                                                                     \
    X(geteuid)                                                                                     \
    X(getgid)                                                                                      \
    X(getgroups)                                                                                   \
    X(getpgid)                                                                                     \
    X(getpid)                                                                                      \
    X(getppid)                                                                                     \
    X(getpriority)                                                                                 \
    X(getrandom)                                                                                   \
    X(getsid)                                                                                      \
    X(getsockopt)                                                                                  \
    X(gettid)                                                                                      \
    X(getuid)                                                                                      \
    X(inotify_add_watch)                                                                           \
    X(inotify_init1)                                                                               \
    X(inotify_rm_watch)                                                                            \
    X(io_uring_enter)                                                                              \
    X(io_uring_register)                                                                           \
    X(io_uring_setup)                                                                              \
    X(ioctl)                                                                                       \
    X(kill)                                                                                        \
    X(linkat)                                                                                      \
    X(listen)                                                                                      \
    X(lseek)                                                                                       \
    X(madvise)                                                                                     \
    X(membarrier)                                                                                  \
    X(mkdirat)                                                                                     \
    X(mlock)                                                                                       \
    X(mmap)                                                                                        \
    X(mprotect)                                                                                    \
    X(mremap)                                                                                      \
    X(munmap)                                                                                      \
    X(newfstatat)                                                                                  \
    X(openat)                                                                                      \
    X(pidfd_getfd)                                                                                 \
    X(pidfd_open)                                                                                  \
    X(pidfd_send_signal)                                                                           \
    X(pipe2)                                                                                       \
    X(ppoll)                                                                                       \
    X(prctl)                                                                                       \
    X(pread64)                                                                                     \
    X(prlimit64)                                                                                   \
    X(pwrite64)                                                                                    \
    X(pwritev2)                                                                                    \
    X(read)                                                                                        \
    X(readlinkat)                                                                                  \
    X(recvfrom)                                                                                    \
    X(recvmsg)                                                                                     \
    X(renameat2)                                                                                   \
    X(rseq)                                                                                        \
    X(rt_sigaction)                                                                                \
    X(rt_sigprocmask)                                                                              \
    X(rt_sigtimedwait)                                                                             \
    X(sched_getaffinity)                                                                           \
    X(sched_setaffinity)                                                                           \
    X(sendmsg)                                                                                     \
    X(sendto)                                                                                      \
    X(set_robust_list)                                                                             \
    X(set_tid_address)                                                                             \
    X(setgid)                                                                                      \
    X(setgroups)                                                                                   \
    X(setpgid)                                                                                     \
    X(setpriority)                                                                                 \
    X(setresgid)                                                                                   \
    X(setresuid)                                                                                   \
    X(setsid)                                                                                      \
    X(setsockopt)                                                                                  \
    X(setuid)                                                                                      \
    X(sigaltstack)                                                                                 \
    X(signalfd4)                                                                                   \
    X(socket)                                                                                      \
    X(socketpair)                                                                                  \
    X(statx)                                                                                       \
    X(sysinfo)                                                                                     \
    X(tgkill)                                                                                      \
    X(timerfd_create)                                                                              \
    X(timerfd_settime)                                                                             \
    X(umask)                                                                                       \
    X(uname)                                                                                       \
    X(unlinkat)                                                                                    \
    X(wait4)                                                                                       \
    X(waitid)                                                                                      \
    X(write)                                                                                       \
    X(writev)

/* What only the older architectures have. */
#ifdef SYS_fork
#define SYSCALLS_OLD(X)                                                                            \
    X(chmod)                                                                                       \
    X(chown)                                                                                       \
    X(dup2)                                                                                        \
    X(epoll_wait)                                                                                  \
    X(fork)                                                                                        \
    X(getpgrp)                                                                                     \
    X(getrlimit)                                                                                   \
    X(lchown)                                                                                      \
    X(link)                                                                                        \
    X(lstat)                                                                                       \
    X(mkdir)                                                                                       \
    X(open)                                                                                        \
    X(poll)                                                                                        \
    X(readlink)                                                                                    \
    X(rename)                                                                                      \
    X(rmdir)                                                                                       \
    X(setrlimit)                                                                                   \
    X(stat)                                                                                        \
    X(unlink)                                                                                      \
    X(vfork)
#else
#define SYSCALLS_OLD(X)
#endif

#define SYSCALL_ROW(call) {#call, SYS_##call},

static const struct {
    const char *name;
    long number;
} syscall_names[] = {SYSCALLS(SYSCALL_ROW) SYSCALLS_OLD(SYSCALL_ROW)};

const struct limit_name limit_names[] = {
    {"AS", RLIMIT_AS},
    {"CORE", RLIMIT_CORE},
    {"CPU", RLIMIT_CPU},
    {"DATA", RLIMIT_DATA},
    {"FSIZE", RLIMIT_FSIZE},
    {"LOCKS", RLIMIT_LOCKS},
    {"MEMLOCK", RLIMIT_MEMLOCK},
    {"MSGQUEUE", RLIMIT_MSGQUEUE},
    {"NICE", RLIMIT_NICE},
    {"NOFILE", RLIMIT_NOFILE},
    {"NPROC", RLIMIT_NPROC},
    {"RSS", RLIMIT_RSS},
    {"RTPRIO", RLIMIT_RTPRIO},
    {"RTTIME", RLIMIT_RTTIME},
    {"STACK", RLIMIT_STACK},
    {"SIGPENDING", RLIMIT_SIGPENDING},
    {NULL, 0},
};

void fail(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "test set-up: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(99);
}

int signal_number(const char *name) {
    const char *bare = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;

    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcmp(known, bare) == 0)
            return i;
    }
    fail("unknown signal '%s'", name);
}

const char *signal_text(int signal) {
    static char text[16];
    const char *known = sigabbrev_np(signal);

    if (known)
        return known;
    snprintf(text, sizeof(text), "%d", signal);
    return text;
}

int error_number(const char *name) {
    for (int i = 1; i < 200; i++) {
        const char *known = strerrorname_np(i);
        if (known && strcmp(known, name) == 0)
            return i;
    }
    fail("unknown error '%s'", name);
}

long syscall_number(const char *name) {
    for (size_t i = 0; i < sizeof(syscall_names) / sizeof(syscall_names[0]); i++)
        if (strcmp(syscall_names[i].name, name) == 0)
            return syscall_names[i].number;
    fail("unknown system call '%s'", name);
}

const char *syscall_text(long number) {
    for (size_t i = 0; i < sizeof(syscall_names) / sizeof(syscall_names[0]); i++)
        if (syscall_names[i].number == number)
            return syscall_names[i].name;
    return "?";
}

int limit_number(const char *name) {
    for (size_t i = 0; limit_names[i].name; i++)
        if (strcmp(limit_names[i].name, name) == 0)
            return limit_names[i].resource;
    fail("unknown limit '%s'", name);
}

const char *variable(const char *name) {
    const char *value = getenv(name);

    return value ? value : "-";
}

char *split(char *text) {
    char *sign = strchr(text, '=');

    if (!sign)
        fail("'%s' lacks '='", text);
    *sign = '\0';
    return sign + 1;
}

long number(const char *text) {
    char *end = NULL;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        fail("'%s' is no number", text);
    return value;
}
