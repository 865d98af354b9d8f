/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Turns the calling program into a daemon, and keeps the one who started it informed.
 *
 *     starter ── fork ─▶ watcher (setsid) ── fork ─▶ daemon
 *
 * The starter is the caller's own process: daemonize() returns there when the outcome is known. The
 * watcher leads the new session and stays as the daemon's parent until then, so that an early
 * death is reported with its real status. The daemon is where daemonize() returns 0: in a session
 * without a terminal that it does not lead, and so can never get one.
 *
 * The order in the daemon: signals, umask, readiness descriptor, pidfile, standard streams, working
 * directory, all other descriptors. So relative paths mean the starter's directory, except that
 * of the program to be executed.
 *
 * A failed start leaves nothing half-started. When the daemon is not ready in time, has ended or
 * has failed, or the starter has died (Ctrl-C), the daemon gets SIGTERM, 5 s later SIGKILL, and
 * what remains of its process group is killed. A daemon that has said that it failed has these 5 s
 * to end by itself first. The pidfile of a killed daemon stays behind, stale.
 *
 * When the outcome is good the watcher leaves, and the daemon's parent becomes PID 1 or a
 * subreaper: a parent-death signal that the daemon has set for itself before would end it just
 * then.
 *
 * For single-threaded callers only: two processes go on from here as forks, and in a fork nothing
 * is left of other threads but the locks that they held. Nothing here exits (but the watcher, and
 * a daemon that could not be set up, by _exit), logs, or has state of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "run/notify_socket.h"
#include "run/pidfile.h"
#include "run/plan.h"

/* What makes the daemon ready. daemon_ready() does with each of them. */
enum daemonize_ready {
    DAEMONIZE_READY_CALL, /* only daemon_ready() */
    DAEMONIZE_READY_EXEC, /* the daemon has become another program */
    /*
     * READY=1 by sd_notify(3). NOTIFY_SOCKET is set in the daemon's environment to an abstract
     * socket, which is there until the daemon is ready. Heard are the daemon and the processes of
     * its session that still live when their message is read.
     */
    DAEMONIZE_READY_NOTIFY,
    DAEMONIZE_READY_FD, /* a newline written to descriptor `ready_fd`, open over exec */
};

/* Zeroed, it means: a session of its own, plain signals, no descriptors but the standard ones. */
struct daemonize_options {
    const char *pidfile;   /* NULL: none */
    const char *directory; /* to change to; NULL: stay */
    bool set_umask;
    mode_t umask;
    struct stdio_spec stdio[3]; /* what is truncated is then appended to */
    bool keep_signals;          /* else: nothing blocked, no handler, nothing ignored */
    bool keep_descriptors;      /* else: closed from 3 on, except `kept` and our own */
    const int *kept;
    size_t kept_count;
    enum daemonize_ready ready;
    int ready_fd;         /* for DAEMONIZE_READY_FD: 3 or more */
    nsec_t ready_timeout; /* NSEC_NEVER: no limit; 0 is no time at all */
};

/* The statuses of the command line; daemon_fail() may add its own. */
enum daemon_status {
    DAEMON_READY = 0,
    DAEMON_NOT_READY = 1, /* ended before it was ready, or was not ready in time */
    DAEMON_RUNNING = 3,   /* a live process holds the pidfile */
    DAEMON_FAILED = 125,  /* could not be set up */
};

/* What the starter gets to know. */
struct daemon_outcome {
    int status;        /* a daemon_status, or what daemon_fail() was given */
    pid_t pid;         /* READY: the daemon; RUNNING: who runs already, if visible; else 0 */
    char message[512]; /* "chdir /nosuch: No such file or directory"; "" when ready */
};

/* What the daemon holds. */
struct daemon {
    int channel;            /* to the watcher, close-on-exec; -1 once the outcome is told */
    int ready_fd;           /* of DAEMONIZE_READY_FD, stays open over exec; else -1 */
    struct pidfile pidfile; /* PIDFILE_NULL if none was asked for */
    char notify_socket[NOTIFY_ADDRESS_SIZE]; /* of DAEMONIZE_READY_NOTIFY, as in the environment;
                                                else "" */
};

#define DAEMON_NULL ((struct daemon){.channel = -1, .ready_fd = -1, .pidfile = PIDFILE_NULL})

enum { DAEMONIZE_CHILD = 0, DAEMONIZE_PARENT = 1 };

/*
 * Returns DAEMONIZE_CHILD in the daemon, with `ret_daemon`; and DAEMONIZE_PARENT in the calling
 * process once the daemon is ready or has failed, with `ret_outcome`. Negative errno, with
 * `ret_outcome` telling the step, when it could not even begin; then there is no other process.
 * Output buffered by stdio is flushed before, so that it is not written twice.
 */
int daemonize(const struct daemonize_options *options, struct daemon *ret_daemon,
    struct daemon_outcome *ret_outcome);

/* The daemon is ready: lets the starter go. -EPIPE: nobody waits any more. */
int daemon_ready(struct daemon *daemon);

/*
 * The daemon has failed: removes the pidfile and tells the starter `status` (1 … 255) and one line
 * of text. The caller shall then exit. -EPIPE: nobody waits any more.
 */
int daemon_fail(struct daemon *daemon, int status, const char *format, ...) printf_like(3, 4);

/* The daemon ends: removes the pidfile. A starter that still waits hears of a death too early. */
int daemon_finish(struct daemon *daemon);
