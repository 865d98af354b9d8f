/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Why a process ended or never began, in a form that fits a register and can be told to people.
 * Every transition of a worker carries one.
 */

#include <stdbool.h>
#include <stdint.h>

/* name in messages and JSON */
#define CAUSE_KINDS(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(EXIT, "exit")     /* value: the exit status */                                               \
    X(SIGNAL, "signal") /* value: the signal */                                                    \
    X(CORE, "core")     /* value: the signal; a core was dumped */                                 \
    X(EXEC, "exec")     /* value: errno; the process was made and could not become the program */  \
    X(SPAWN, "spawn")   /* value: errno; no process could be made */                               \
    X(LOST, "lost")     /* somebody else in this process took the exit status */                   \
    X(PROTOCOL, "protocol") /* value: the exit status of a clean end before it was ready */        \
    X(START_TIMEOUT, "start-timeout") /* value: the signal that ended it, 0: by itself */          \
    X(WATCHDOG, "watchdog")           /* … */                                                    \
    X(RUNTIME, "runtime")             /* … */                                                    \
    X(OOM, "oom")                     /* … */

enum cause_kind {
#define X(name, text) CAUSE_##name,
    CAUSE_KINDS(X)
#undef X
        CAUSE_MAX
};

struct cause {
    enum cause_kind kind : 8;
    unsigned status : 8; /* EXEC: the exit status that tells of it (126, 127);
                            PROTOCOL: the signal, where it ended by one that counts as clean;
                            START_TIMEOUT and on: whether a core was dumped */
    int value : 16;
};

/* PROTOCOL: what it says of the clean end, and that end again, but for a core. */
struct cause cause_unready(struct cause end);
struct cause cause_unready_end(struct cause cause);

const char *cause_kind_name(enum cause_kind kind);

/* The status that a shell would report: the exit status, 128 + signal, 127 not found, or 126. */
int cause_exit_status(struct cause cause);

/*
 * "exit status 1", "killed by SIGKILL", "dumped core on SIGSEGV". EXEC and SPAWN name only the
 * errno: the path and the step are the shell's to add. Returns `buffer`.
 */
const char *cause_format(struct cause cause, char buffer[80]);

/*
 * Whether trying again may help although it has never worked: the machine was short of something
 * (memory, descriptors, processes, a file that is being written), and the command is not at fault.
 */
bool cause_can_heal(struct cause cause);
