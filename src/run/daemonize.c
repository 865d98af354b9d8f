/* SPDX-License-Identifier: MIT */
#include "run/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/daemonize_watch.h"
#include "sys/descriptors.h"

/* The caller's signals, for a daemon that keeps them; the watcher changes both. */
struct signals {
    sigset_t mask;
    struct sigaction child;
};

static int step_failed(
    struct daemon_outcome *outcome, const char *step, const char *thing, int error) {
    outcome_set(outcome, DAEMON_FAILED, "%s%s%s: %s", step, thing ? " " : "", thing ? thing : "",
        strerror(-error));
    return error;
}

static void set_signals(const struct daemonize_options *options, const struct signals *signals) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    if (options->keep_signals) {
        sigaction(SIGCHLD, &signals->child, NULL);
        sigprocmask(SIG_SETMASK, &signals->mask, NULL);
        return;
    }
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Gives the pipe its number, and makes room there first where it is our channel's. */
static int place_ready_fd(
    struct daemonize_watch *watch, int wanted, struct daemon *daemon, struct daemon_outcome *fail) {
    int channel = daemon->channel;
    char number[16];

    if (channel == wanted) {
        daemon->channel = fcntl(channel, F_DUPFD_CLOEXEC, DESCRIPTORS_FIRST_FREE);
        if (daemon->channel < 0) {
            daemon->channel = channel;
            return step_failed(fail, "dup", NULL, -errno);
        }
        close(channel);
    }
    if (watch->daemon_ready_fd == wanted)
        fcntl(wanted, F_SETFD, 0);
    else if (dup2(watch->daemon_ready_fd, wanted) < 0) {
        snprintf(number, sizeof(number), "%d", wanted);
        return step_failed(fail, "descriptor", number, -errno);
    } else
        close(watch->daemon_ready_fd);
    daemon->ready_fd = wanted;
    return 0;
}

static int take_pidfile(const char *path, struct daemon *daemon, struct daemon_outcome *fail) {
    char text[PIDFILE_TEXT_SIZE];
    pid_t holder = 0;
    int r = pidfile_acquire(path, &daemon->pidfile, &holder);

    if (r < 0) {
        outcome_set(fail, r == -EALREADY ? DAEMON_RUNNING : DAEMON_FAILED, "pidfile %s: %s", path,
            pidfile_explain(r, holder, text));
        fail->pid = holder;
    }
    return r;
}

static int open_stream(const struct stdio_spec *stream, int target) {
    const int write_flags = O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC;

    switch (stream->kind) {
    case STDIO_NULL:
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    case STDIO_FILE:
        return target == STDIN_FILENO ? open(stream->path, O_RDONLY | O_NOCTTY | O_CLOEXEC)
                                      : open(stream->path, write_flags, 0666);
    case STDIO_APPEND:
        return open(stream->path, write_flags | O_APPEND, 0666);
    case STDIO_TRUNCATE:
        /* Appending, too: two streams into one file do not overwrite each other. */
        return open(stream->path, write_flags | O_APPEND | O_TRUNC, 0666);
    case STDIO_INHERIT:
        break;
    }
    return target;
}

static int redirect(const struct stdio_spec *stream, int target, struct daemon_outcome *fail) {
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    int fd = open_stream(stream, target);

    if (fd < 0)
        return step_failed(fail, names[target], stream->path, -errno);
    if (fd == target) {
        fcntl(fd, F_SETFD, 0);
        return 0;
    }
    if (dup2(fd, target) < 0)
        return step_failed(fail, names[target], stream->path, -errno);
    close(fd);
    return 0;
}

static int close_others(const struct daemonize_options *options, const struct daemon *daemon,
    struct daemon_outcome *fail) {
    const int own[] = {daemon->channel, daemon->ready_fd, daemon->pidfile.fd};
    size_t count = options->kept_count + ELEMENTS(own);
    int *kept = calloc(count, sizeof(*kept));

    if (!kept)
        return step_failed(fail, "close descriptors", NULL, -ENOMEM);
    memcpy(kept, own, sizeof(own));
    if (options->kept_count > 0)
        memcpy(kept + ELEMENTS(own), options->kept, options->kept_count * sizeof(*kept));
    descriptors_close_except(kept, count);
    free(kept);
    return 0;
}

/* The daemon's own steps, in the documented order. */
static int prepare(const struct daemonize_options *options, struct daemonize_watch *watch,
    struct daemon *daemon, struct daemon_outcome *fail) {
    int r = 0;

    if (options->set_umask)
        umask(options->umask);
    if (options->ready == DAEMONIZE_READY_FD)
        r = place_ready_fd(watch, options->ready_fd, daemon, fail);
    if (r == 0 && options->pidfile)
        r = take_pidfile(options->pidfile, daemon, fail);
    for (int target = 0; r == 0 && target < (int)ELEMENTS(options->stdio); target++)
        r = redirect(&options->stdio[target], target, fail);
    if (r == 0 && options->directory && chdir(options->directory) < 0)
        r = step_failed(fail, "chdir", options->directory, -errno);
    if (r == 0 && !options->keep_descriptors)
        r = close_others(options, daemon, fail);
    if (r == 0 && options->ready == DAEMONIZE_READY_NOTIFY) {
        memcpy(daemon->notify_socket, watch->notify_socket, sizeof(daemon->notify_socket));
        if (setenv("NOTIFY_SOCKET", daemon->notify_socket, 1) < 0)
            r = step_failed(fail, "setenv", NULL, -errno);
    }
    return r;
}

/* The watcher's life, in which the daemon is born. Returns in the daemon only. */
static void become_daemon(const struct daemonize_options *options, int starter,
    const struct signals *signals, struct daemon *ret_daemon) {
    struct daemon daemon = DAEMON_NULL;
    struct daemonize_watch watch;
    struct daemon_outcome fail;
    pid_t pid = -1;
    int r;

    signal(SIGCHLD, SIG_DFL);
    r = setsid() < 0 ? step_failed(&fail, "setsid", NULL, -errno) : 0;
    if (r == 0 && (r = watch_init(&watch, options, starter)) < 0)
        step_failed(&fail, "daemonize", NULL, r);
    if (r == 0 && (pid = fork()) < 0)
        r = step_failed(&fail, "fork", NULL, -errno);
    if (r < 0) {
        outcome_send(starter, &fail);
        _exit(DAEMON_FAILED);
    }
    if (pid > 0)
        watch_run(&watch, pid);

    watch_leave(&watch);
    set_signals(options, signals);
    daemon.channel = watch.daemon_channel;
    if (prepare(options, &watch, &daemon, &fail) < 0) {
        pidfile_remove(&daemon.pidfile);
        outcome_send(daemon.channel, &fail);
        _exit(DAEMON_FAILED);
    }
    *ret_daemon = daemon;
}

/* Waits for the watcher's word and for its end: after that, the daemon is nobody's child here. */
static void await_outcome(int channel, pid_t watcher, struct daemon_outcome *ret_outcome) {
    if (outcome_receive(channel, 0, ret_outcome) <= 0)
        outcome_set(
            ret_outcome, DAEMON_FAILED, "the process that waited for the daemon was killed");
    /* ECHILD where the caller ignores SIGCHLD: it has ended all the same. */
    while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
        ;
}

int daemonize(const struct daemonize_options *options, struct daemon *ret_daemon,
    struct daemon_outcome *ret_outcome) {
    struct signals signals;
    sigset_t all;
    int ends[2], r;
    pid_t watcher;

    *ret_daemon = DAEMON_NULL;
    if (options->ready == DAEMONIZE_READY_FD && options->ready_fd < DESCRIPTORS_FIRST_FREE)
        return step_failed(ret_outcome, "readiness descriptor", "below 3", -EINVAL);
    r = outcome_channel(ends);
    if (r < 0)
        return step_failed(ret_outcome, "socketpair", NULL, r);

    fflush(NULL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &signals.mask);
    sigaction(SIGCHLD, NULL, &signals.child);
    watcher = fork();
    if (watcher == 0) {
        close(ends[0]);
        become_daemon(options, ends[1], &signals, ret_daemon);
        return DAEMONIZE_CHILD;
    }
    r = watcher < 0 ? step_failed(ret_outcome, "fork", NULL, -errno) : DAEMONIZE_PARENT;
    sigprocmask(SIG_SETMASK, &signals.mask, NULL);
    close(ends[1]);
    if (watcher > 0)
        await_outcome(ends[0], watcher, ret_outcome);
    close(ends[0]);
    return r;
}

/* Tells the outcome, which is told once. */
static int tell(struct daemon *daemon, const struct daemon_outcome *outcome) {
    int r;

    if (daemon->channel < 0)
        return -EPIPE;
    r = outcome_send(daemon->channel, outcome);
    close(daemon->channel);
    daemon->channel = -1;
    return r;
}

int daemon_ready(struct daemon *daemon) {
    return tell(daemon, &(struct daemon_outcome){.status = DAEMON_READY});
}

int daemon_fail(struct daemon *daemon, int status, const char *format, ...) {
    struct daemon_outcome outcome = {.status = status};
    va_list arguments;

    if (status < 1 || status > 255)
        outcome.status = DAEMON_FAILED;
    va_start(arguments, format);
    vsnprintf(outcome.message, sizeof(outcome.message), format, arguments);
    va_end(arguments);
    pidfile_remove(&daemon->pidfile);
    return tell(daemon, &outcome);
}

int daemon_finish(struct daemon *daemon) {
    if (daemon->channel >= 0)
        close(daemon->channel);
    daemon->channel = -1;
    return pidfile_remove(&daemon->pidfile);
}
