/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * System calls without the C library: no errno, no cancellation, nothing shared. A child that runs
 * in its parent's memory until exec must use these alone, for errno lies in the thread-local
 * storage of the parent, which goes on meanwhile. The result is negative errno on failure.
 *
 * Where an architecture has no version of its own, RAW_IS_PRIVATE is 0 and the child may only run
 * while the parent is suspended (CLONE_VFORK).
 */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define RAW_IS_PRIVATE 1

static inline long raw_call(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)
#define RAW_IS_PRIVATE 1

static inline long raw_call(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}

#else
#define RAW_IS_PRIVATE 0

static inline long raw_call(long number, long a, long b, long c, long d, long e) {
    long result = syscall(number, a, b, c, d, e);

    return result < 0 ? -errno : result;
}
#endif

#define RAW_PICK(zero, one, two, three, four, five, name, ...) name
#define RAW_0(n)                                               raw_call((n), 0, 0, 0, 0, 0)
#define RAW_1(n, a)                                            raw_call((n), (long)(a), 0, 0, 0, 0)
#define RAW_2(n, a, b)                                         raw_call((n), (long)(a), (long)(b), 0, 0, 0)
#define RAW_3(n, a, b, c)                                      raw_call((n), (long)(a), (long)(b), (long)(c), 0, 0)
#define RAW_4(n, a, b, c, d)                                   raw_call((n), (long)(a), (long)(b), (long)(c), (long)(d), 0)
#define RAW_5(n, a, b, c, d, e)                                raw_call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

/* raw(SYS_close, fd), raw(SYS_dup3, from, to, 0): any number of arguments up to five. */
#define raw(...) RAW_PICK(__VA_ARGS__, RAW_5, RAW_4, RAW_3, RAW_2, RAW_1, RAW_0)(__VA_ARGS__)
