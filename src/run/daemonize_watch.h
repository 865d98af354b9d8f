/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The watcher: the process between the starter and the daemon (run/daemonize.h). It waits for the
 * first of: a word of the daemon, its readiness, its end, the deadline, the starter's end. It
 * tells the starter the outcome and is gone.
 *
 * Whether a daemon that says nothing more has become another program or has died cannot be told
 * from its closed descriptor. setpgid(2) tells: for a child that has executed a program it fails
 * with EACCES, by POSIX. And as the daemon's parent, the watcher may signal its pid without fear
 * of meeting a stranger: the number is not free until the watcher itself has waited for it.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "run/daemonize.h"

struct daemonize_watch {
    enum daemonize_ready ready;
    nsec_t timeout;
    nsec_t deadline;
    int starter;         /* the outcome goes there; a hang-up is the starter's death */
    int exits;           /* a signalfd for SIGCHLD */
    int channel;         /* the daemon's words; -1 once it is closed */
    int ready_source;    /* the notify socket or the pipe behind ready_fd; else -1 */
    int daemon_channel;  /* the daemon's end of it */
    int daemon_ready_fd; /* the daemon's end of the pipe, not yet under its number; else -1 */
    char notify_socket[sizeof(((struct daemon *)NULL)->notify_socket)];
    pid_t daemon;
    bool settled;    /* the outcome is known */
    bool is_leaving; /* the daemon has said itself that it failed */
    struct daemon_outcome outcome;
    char status[128]; /* the daemon's last STATUS=, for people */
};

/*
 * Makes what watcher and daemon talk over, before the daemon is forked. All signals must be
 * blocked. On failure the process is to end.
 */
int watch_init(struct daemonize_watch *watch, const struct daemonize_options *options, int starter);

/* In the daemon: closes the watcher's ends. */
void watch_leave(struct daemonize_watch *watch);

/* In the watcher: sees it through, and ends the process. */
_Noreturn void watch_run(struct daemonize_watch *watch, pid_t daemon);

/* Two ends, close-on-exec, over which outcomes go. */
int outcome_channel(int ret_ends[2]);

/* One outcome as one message; -EPIPE when nobody is there. */
int outcome_send(int fd, const struct daemon_outcome *outcome);

/*
 * 1: an outcome has come; 0: the other side has closed; -EAGAIN: nothing there (with MSG_DONTWAIT
 * in `flags`).
 */
int outcome_receive(int fd, int flags, struct daemon_outcome *ret_outcome);

/* Fills an outcome: status and text. */
void outcome_set(struct daemon_outcome *outcome, int status, const char *format, ...)
    printf_like(3, 4);
