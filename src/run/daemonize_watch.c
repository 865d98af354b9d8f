/* SPDX-License-Identifier: MIT */
#include "run/daemonize_watch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "core/cause.h"
#include "loop/loop.h"
#include "sys/descriptors.h"

/* How long the daemon may take to end, each time that it is asked in another way. */
#define STOP_GRACE (5 * NSEC_PER_SEC)

static void close_if_open(int fd) {
    if (fd >= 0)
        close(fd);
}

void outcome_set(struct daemon_outcome *outcome, int status, const char *format, ...) {
    va_list arguments;

    *outcome = (struct daemon_outcome){.status = status};
    va_start(arguments, format);
    vsnprintf(outcome->message, sizeof(outcome->message), format, arguments);
    va_end(arguments);
}

/* Moves both out of the way of the standard streams; on failure both are closed. */
static int move_up_both(int ends[2]) {
    int r;

    ends[0] = descriptors_move_up_consume(ends[0]);
    ends[1] = descriptors_move_up_consume(ends[1]);
    r = MIN(ends[0], ends[1]);
    if (r >= 0)
        return 0;
    close_if_open(ends[0]);
    close_if_open(ends[1]);
    return r;
}

int outcome_channel(int ret_ends[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends) < 0)
        return -errno;
    return move_up_both(ret_ends);
}

int outcome_send(int fd, const struct daemon_outcome *outcome) {
    return send(fd, outcome, sizeof(*outcome), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int outcome_receive(int fd, int flags, struct daemon_outcome *ret_outcome) {
    ssize_t size;

    do
        size = recv(fd, ret_outcome, sizeof(*ret_outcome), flags);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (size != sizeof(*ret_outcome))
        return 0;
    ret_outcome->message[sizeof(ret_outcome->message) - 1] = '\0';
    return 1;
}

static int open_ready_pipe(struct daemonize_watch *watch) {
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    r = move_up_both(ends);
    if (r < 0)
        return r;
    watch->ready_source = ends[0];
    watch->daemon_ready_fd = ends[1];
    return fcntl(watch->ready_source, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_ready_source(struct daemonize_watch *watch) {
    switch (watch->ready) {
    case DAEMONIZE_READY_NOTIFY:
        watch->ready_source = notify_open(NULL, watch->notify_socket);
        return MIN(watch->ready_source, 0);
    case DAEMONIZE_READY_FD:
        return open_ready_pipe(watch);
    case DAEMONIZE_READY_CALL:
    case DAEMONIZE_READY_EXEC:
        break;
    }
    return 0;
}

int watch_init(
    struct daemonize_watch *watch, const struct daemonize_options *options, int starter) {
    int ends[2], r;
    sigset_t child;

    *watch = (struct daemonize_watch){
        .ready = options->ready,
        .timeout = options->ready_timeout,
        .deadline = nsec_add(loop_clock(), options->ready_timeout),
        .starter = starter,
        .ready_source = -1,
        .daemon_ready_fd = -1,
    };
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    watch->exits = descriptors_move_up_consume(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (watch->exits < 0)
        return watch->exits;
    r = outcome_channel(ends);
    if (r < 0)
        return r;
    watch->channel = ends[0];
    watch->daemon_channel = ends[1];
    return open_ready_source(watch);
}

void watch_leave(struct daemonize_watch *watch) {
    close(watch->starter);
    close(watch->exits);
    close(watch->channel);
    close_if_open(watch->ready_source);
}

static void settle_ready(struct daemonize_watch *watch) {
    watch->outcome = (struct daemon_outcome){.status = DAEMON_READY, .pid = watch->daemon};
    watch->settled = true;
}

/* "the daemon WHAT DETAIL", and what it was last heard to be doing. */
static void settle_failed(struct daemonize_watch *watch, const char *what, const char *detail) {
    outcome_set(&watch->outcome, DAEMON_NOT_READY, "the daemon %s%s%s%s%s", what, detail,
        watch->status[0] ? " (it said: " : "", watch->status, watch->status[0] ? ")" : "");
    watch->settled = true;
}

static bool has_executed(pid_t child) {
    /* EPERM: it has also left our session, as only a program of its own would do. */
    return setpgid(child, getpgid(child)) < 0 && (errno == EACCES || errno == EPERM);
}

/* Takes what the daemon has said; a silent farewell is its exec or its end. */
static void hear_channel(struct daemonize_watch *watch) {
    int r;

    if (watch->channel < 0)
        return;
    r = outcome_receive(watch->channel, MSG_DONTWAIT, &watch->outcome);
    if (r > 0 && watch->outcome.status == DAEMON_READY)
        settle_ready(watch);
    else if (r > 0)
        watch->settled = watch->is_leaving = true;
    else if (r == 0) {
        close(watch->channel);
        watch->channel = -1;
        if (watch->ready == DAEMONIZE_READY_EXEC && has_executed(watch->daemon))
            settle_ready(watch);
    }
}

static bool is_ours(const struct daemonize_watch *watch, pid_t sender) {
    return sender > 0 && getsid(sender) == getsid(watch->daemon);
}

static void keep_status(struct daemonize_watch *watch, const struct notify_message *message) {
    size_t size = MIN(message->status_size, sizeof(watch->status) - 1);

    if (!message->status)
        return;
    for (size_t i = 0; i < size; i++)
        watch->status[i] = iscntrl((unsigned char)message->status[i]) ? '?' : message->status[i];
    watch->status[size] = '\0';
}

/* One datagram. False when there is none. Its descriptors are for nobody here. */
static bool hear_datagram(struct daemonize_watch *watch) {
    struct notify_packet packet;
    int r = notify_receive(watch->ready_source, &packet);

    notify_packet_close(&packet);
    if (r <= 0 || !is_ours(watch, packet.sender.pid))
        return r != 0;
    keep_status(watch, &packet.message);
    if (packet.message.ready)
        settle_ready(watch);
    return true;
}

static void hear_pipe(struct daemonize_watch *watch) {
    char text[256];
    ssize_t size = read(watch->ready_source, text, sizeof(text));

    if (size > 0 && memchr(text, '\n', (size_t)size))
        settle_ready(watch);
    if (size == 0) {
        close(watch->ready_source);
        watch->ready_source = -1;
    }
}

static void hear_ready_source(struct daemonize_watch *watch) {
    if (watch->ready_source < 0)
        return;
    if (watch->ready == DAEMONIZE_READY_FD)
        hear_pipe(watch);
    else
        while (!watch->settled && hear_datagram(watch))
            ;
}

/* Whether the daemon is a zombie. It stays one, and keeps its pid, until finish() has it. */
static bool has_ended(const struct daemonize_watch *watch, struct cause *ret_cause) {
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)watch->daemon, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return false;
    ret_cause->kind = info.si_code == CLD_EXITED   ? CAUSE_EXIT
                      : info.si_code == CLD_DUMPED ? CAUSE_CORE
                                                   : CAUSE_SIGNAL;
    ret_cause->value = info.si_status;
    return true;
}

static int milliseconds_until(nsec_t deadline) {
    nsec_t left = nsec_sub(deadline, loop_clock());

    if (deadline == NSEC_NEVER)
        return -1;
    return (int)MIN(left / NSEC_PER_MSEC + (left % NSEC_PER_MSEC != 0), (nsec_t)INT_MAX);
}

static void forget_exit_signal(const struct daemonize_watch *watch) {
    struct signalfd_siginfo info;

    while (read(watch->exits, &info, sizeof(info)) > 0)
        ;
}

static bool wait_for_end(const struct daemonize_watch *watch, nsec_t patience) {
    nsec_t deadline = nsec_add(loop_clock(), patience);
    struct pollfd exits = {.fd = watch->exits, .events = POLLIN};
    struct cause cause;

    while (!has_ended(watch, &cause)) {
        if (loop_clock() >= deadline)
            return false;
        poll(&exits, 1, milliseconds_until(deadline));
        forget_exit_signal(watch);
    }
    return true;
}

/* Ends the daemon; one that has spoken of its failure is on its way out by itself. */
static void stop_daemon(const struct daemonize_watch *watch) {
    if (watch->is_leaving && wait_for_end(watch, STOP_GRACE))
        return;
    kill(watch->daemon, SIGTERM);
    if (wait_for_end(watch, STOP_GRACE))
        return;
    kill(watch->daemon, SIGKILL);
    wait_for_end(watch, STOP_GRACE);
}

/* Waits once, and looks at everything: what the daemon said before it ended counts. */
static void watch_turn(struct daemonize_watch *watch) {
    struct pollfd polled[] = {
        {.fd = watch->starter},
        {.fd = watch->exits, .events = POLLIN},
        {.fd = watch->channel, .events = POLLIN},
        {.fd = watch->ready_source, .events = POLLIN},
    };
    struct cause cause = {0};
    char text[80];
    bool ended;

    poll(polled, ELEMENTS(polled), milliseconds_until(watch->deadline));
    forget_exit_signal(watch);
    ended = has_ended(watch, &cause);
    hear_ready_source(watch);
    if (!watch->settled)
        hear_channel(watch);
    if (watch->settled)
        return;
    if (ended)
        settle_failed(watch, "ended before it was ready: ", cause_format(cause, text));
    else if (polled[0].revents)
        settle_failed(watch, "lost the process that started it", "");
    else if (loop_clock() >= watch->deadline)
        settle_failed(watch, "was not ready within ", text_format_duration(watch->timeout, text));
}

/* Reaps the daemon; and kills first whom it has left in its group, while that is still its. */
static void clear_away(const struct daemonize_watch *watch) {
    bool has_failed = watch->outcome.status != DAEMON_READY;
    pid_t group = getpgid(watch->daemon);
    siginfo_t info;

    if (has_failed && group > 1 && group != getpgrp())
        kill(-group, SIGKILL);
    waitid(P_PID, (id_t)watch->daemon, &info, WEXITED | WNOHANG);
    if (has_failed)
        kill(0, SIGKILL); /* those in our own group, and ourselves */
}

_Noreturn void watch_run(struct daemonize_watch *watch, pid_t daemon) {
    watch->daemon = daemon;
    close(watch->daemon_channel);
    close_if_open(watch->daemon_ready_fd);
    while (!watch->settled)
        watch_turn(watch);
    if (watch->outcome.status != DAEMON_READY)
        stop_daemon(watch);
    outcome_send(watch->starter, &watch->outcome);
    clear_away(watch);
    _exit(0);
}
