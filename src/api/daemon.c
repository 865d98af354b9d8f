/* SPDX-License-Identifier: MIT */

/* Daemons for the calling program: run/daemonize.h in the library's clothes. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/macro.h"
#include "run/daemonize.h"

struct brood_daemon {
    pid_t owner; /* a fork of the daemon must not take its pidfile away */
    struct daemon daemon;
    struct daemon_outcome outcome; /* in the original process; in the daemon: ready */
};

_Static_assert((int)BROOD_DAEMON_NOT_READY == DAEMON_NOT_READY, "one set of statuses");
_Static_assert((int)BROOD_DAEMON_RUNNING == DAEMON_RUNNING, "one set of statuses");
_Static_assert((int)BROOD_DAEMON_FAILED == DAEMON_FAILED, "one set of statuses");

/* `options` holds what the result points to. */
static int translate(
    const struct brood_daemon_options *options, struct daemonize_options *ret_options) {
    *ret_options = (struct daemonize_options){
        .pidfile = options->pidfile,
        .directory = options->directory ? options->directory : "/",
        .set_umask = true,
        .umask = options->flags & BROOD_DAEMON_UMASK ? options->umask & 0777 : 022,
        .keep_signals = options->flags & BROOD_DAEMON_KEEP_SIGNALS,
        .keep_descriptors = options->flags & BROOD_DAEMON_KEEP_FDS,
        .kept = options->kept_fds,
        .kept_count = options->n_kept_fds,
        .ready = DAEMONIZE_READY_CALL,
        .ready_timeout = options->ready_timeout ? options->ready_timeout : 30 * NSEC_PER_SEC,
    };
    if (options->flags &
        ~(unsigned)(BROOD_DAEMON_KEEP_FDS | BROOD_DAEMON_KEEP_SIGNALS | BROOD_DAEMON_UMASK))
        return -EINVAL;
    for (int i = 0; i < 3; i++)
        if (options_stdio(&options->stdio[i], i == 0, STDIO_NULL, &ret_options->stdio[i]) < 0)
            return -EINVAL;
    return 0;
}

int brood_daemonize(const struct brood_daemon_options *given, struct brood_daemon **ret_daemon) {
    struct brood_daemon_options options;
    struct daemonize_options daemonize_options;
    int r = options_copy(&options, sizeof(options), given);

    if (r == 0)
        r = translate(&options, &daemonize_options);
    if (r < 0)
        return r;
    if (process_has_threads())
        return -EBUSY;

    struct brood_daemon *daemon = calloc(1, sizeof(*daemon));
    if (!daemon)
        return -ENOMEM;
    r = daemonize(&daemonize_options, &daemon->daemon, &daemon->outcome);
    if (r < 0) {
        free(daemon);
        return r;
    }
    if (r == DAEMONIZE_CHILD) {
        daemon->owner = getpid();
        daemon->outcome = (struct daemon_outcome){.pid = daemon->owner};
    }
    *ret_daemon = daemon;
    return r == DAEMONIZE_CHILD ? 0 : BROOD_PARENT;
}

int brood_daemon_ready(struct brood_daemon *daemon) {
    return daemon_ready(&daemon->daemon);
}

int brood_daemon_fail(struct brood_daemon *daemon, int status, const char *message) {
    if (daemon->owner != getpid())
        return -EPIPE;
    return daemon_fail(&daemon->daemon, status, "%s", message);
}

int brood_daemon_status(const struct brood_daemon *daemon) {
    return daemon->outcome.status;
}

const char *brood_daemon_message(const struct brood_daemon *daemon) {
    return daemon->outcome.message;
}

pid_t brood_daemon_pid(const struct brood_daemon *daemon) {
    return daemon->outcome.pid;
}

/* What a fork has inherited: descriptors and memory, but neither the lock nor the file. */
static void let_go(struct daemon *daemon) {
    if (daemon->channel >= 0)
        close(daemon->channel);
    if (daemon->pidfile.fd >= 0)
        close(daemon->pidfile.fd);
    free(daemon->pidfile.path);
}

struct brood_daemon *brood_daemon_free(struct brood_daemon *daemon) {
    if (!daemon)
        return NULL;
    if (daemon->owner == getpid())
        daemon_finish(&daemon->daemon);
    else
        let_go(&daemon->daemon);
    free(daemon);
    return NULL;
}
