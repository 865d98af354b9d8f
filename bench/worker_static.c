/* SPDX-License-Identifier: MIT */

/* The smallest worker that there can be: no libc, no relocations, a page of code. What remains of a
 * restart with it is the supervisor's and the kernel's part. Its dynamic twin is worker_glibc.c. */

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#include "record.h"

#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call worker_main\n");

static long raw_syscall(long number, long a, long b, long c, long d) {
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x0, sp\n"
        "    bl worker_main\n");

static long raw_syscall(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#else
#error "worker_static.c: write _start and raw_syscall() for this machine"
#endif

/* The value of NAME in `envp`, NULL where it is not set. */
static const char *env_find(char *const *envp, const char *name) {
    for (; *envp; envp++) {
        size_t i = 0;
        while (name[i] && (*envp)[i] == name[i])
            i++;
        if (!name[i] && (*envp)[i] == '=')
            return *envp + i + 1;
    }
    return NULL;
}

static void worker_exit(int status) {
    for (;;)
        raw_syscall(SYS_exit_group, status, 0, 0, 0);
}

/* `stack` is the initial stack: argc, argv…, NULL, envp…, NULL. */
__attribute__((noreturn, used)) void worker_main(long *stack);

void worker_main(long *stack) {
    struct timespec now;
    raw_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);

    char *const *envp = (char *const *)(stack + 1 + stack[0] + 1);
    const char *fifo = env_find(envp, BENCH_FIFO);
    long fd = fifo ? raw_syscall(SYS_openat, AT_FDCWD, (long)fifo, O_WRONLY | O_CLOEXEC, 0) : -1;
    struct bench_record record = {
        .ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .pid = (int32_t)raw_syscall(SYS_getpid, 0, 0, 0, 0),
        .ppid = (int32_t)raw_syscall(SYS_getppid, 0, 0, 0, 0),
    };
    if (fd < 0 || raw_syscall(SYS_write, fd, (long)&record, sizeof(record), 0) < 0)
        worker_exit(100);
    if (env_find(envp, BENCH_ONCE))
        worker_exit(1);
    for (;;)
        raw_syscall(SYS_ppoll, 0, 0, 0, 0);
}
