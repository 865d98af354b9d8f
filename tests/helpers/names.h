/* SPDX-License-Identifier: MIT */
#pragma once

/* Names ↔ numbers of what test programs are told on their command line: signals, errors, system
 * calls, resource limits. All of them end the program with a message when a name is unknown: a
 * typing error in a test must never look like a behaviour of brood. */

#include <sys/resource.h>

#define noreturn_printf __attribute__((noreturn, format(printf, 1, 2)))

/* Says what is wrong with the test's own set-up and exits 99, which no test expects. */
noreturn_printf void fail(const char *format, ...);

/* "TERM" or "SIGTERM" → 15. */
int signal_number(const char *name);

/* 15 → "TERM"; the number itself for real-time signals. */
const char *signal_text(int signal);

/* "EAGAIN" → 11. */
int error_number(const char *name);

/* "clone3" → 435. */
long syscall_number(const char *name);

/* 435 → "clone3", or "?" for one that is not in the table. */
const char *syscall_text(long number);

/* Resource limits by systemd's names ("NOFILE"), in the order of the table. */
struct limit_name {
    const char *name;
    int resource;
};

extern const struct limit_name limit_names[];

/* "NOFILE" → RLIMIT_NOFILE. */
int limit_number(const char *name);

/* An environment variable's value, "-" when it is not set. */
const char *variable(const char *name);

/* Cuts "NAME=VALUE" at its sign; the value. */
char *split(char *text);

/* Whole decimal number, or the program ends. */
long number(const char *text);
