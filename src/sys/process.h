/* SPDX-License-Identifier: MIT */
#pragma once

/* Processes by pidfd: make, signal, reap. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What this kernel, or the sandbox around us, lets us do. Found out once by trying. */
struct process_features {
    bool clone3;      /* Linux 5.3; refused by some seccomp profiles */
    bool into_group;  /* Linux 5.7: a child can be made in a control group */
    bool close_range; /* Linux 5.9 */
};

struct process_features process_probe(void);

/*
 * A child that shares our memory until it execs or exits, and runs `run(argument)` on its own
 * stack. It is a child of the calling thread. Signal handlers are reset to default in it.
 */
struct process_clone {
    void *stack; /* the lowest byte; aligned to 16, as is the size */
    size_t stack_size;
    int (*run)(void *argument);
    void *argument;
    bool wait;        /* CLONE_VFORK: we stand still until it has left our memory */
    bool share_files; /* CLONE_FILES: the child must unshare before it touches a descriptor */
    int group;        /* the control group it begins in; -1: ours */
    uint32_t *busy;   /* cleared by the kernel when the child has left our memory */
};

/*
 * Makes the child. `ret_pidfd` is a new close-on-exec descriptor. Uses clone3(2) when `features`
 * has it; a refusal (ENOSYS, EPERM) turns it off there for good and clone(2) takes over. Errors:
 * -EAGAIN (process limits), -ENOMEM, -EMFILE, -ENFILE; -EOPNOTSUPP: not into a group, as
 * `features` says from then on.
 */
int process_clone(const struct process_clone *request, struct process_features *features,
    pid_t *ret_pid, int *ret_pidfd);

/* Linux 5.3. -ESRCH: there is no such process. */
int process_open(pid_t pid, int *ret_pidfd);

/* Linux 5.1. -ESRCH: it has been reaped; never reaches a stranger. 0 only asks whether it lives. */
int process_signal(int pidfd, int signal);

/* How a process ended, in the words of waitid(2), and what it and those that it waited for used. */
struct process_end {
    int code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
    int status;
    struct rusage usage;
};

/* Takes the exit of our own child. 1: reaped; 0: it has not ended; -ECHILD: not ours. Linux 5.4. */
int process_reap(int pidfd, struct process_end *ret_end);

/*
 * Reaps one ended child of the *calling thread* that is not one of another thread's. 1 with the
 * pid, 0 when none has ended, -ECHILD when there are no children at all.
 */
int process_reap_stranger(pid_t *ret_pid);

/* Reaps that child if it has ended; whatever else is ignored. */
void process_reap_pid(pid_t pid);

/* Whether this process has any child, of whichever thread, alive or ended. Needs no descriptor. */
bool process_has_children(void);
