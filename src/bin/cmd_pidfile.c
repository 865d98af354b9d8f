/* SPDX-License-Identifier: MIT */

/* brood pidfile: acts on the process that holds a pidfile's lock, through a pidfd. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/signame.h"
#include "bin/commands.h"
#include "bin/help.h"
#include "bin/options.h"
#include "bin/pidfile_restart.h"
#include "conf/readers.h"
#include "loop/loop.h"
#include "run/pidfile.h"
#include "sys/process.h"

/* A program that dies of its first look at the world does so within this time. */
#define FIRST_LOOK (200 * NSEC_PER_MSEC)

struct pidfile_command {
    enum help_format help;
    bool json;
    bool kill;
    nsec_t timeout;
    const char *path;
    const char *signal;
    pid_t pid;
    int pidfd;
};

#define AT(member) offsetof(struct pidfile_command, member)

static const struct option_row rows[] = {
    {"timeout", 0, false, "TIME", read_duration, AT(timeout), "a duration",
        "stop, restart: how long to wait for its end (default 10s)"},
    {"kill", 0, false, NULL, NULL, AT(kill), NULL, "stop, restart: SIGKILL when the time is over"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "status: one JSON object"},
    HELP_ROW(AT(help)),
};

/* False when it has not ended in time. */
static bool wait_for_end(int pidfd, nsec_t timeout) {
    nsec_t deadline = nsec_add(loop_clock(), timeout);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    for (;;) {
        nsec_t left = nsec_sub(deadline, loop_clock());
        nsec_t milliseconds = MIN(left / NSEC_PER_MSEC + 1, (nsec_t)INT32_MAX);
        int n = poll(&ended, 1, left == 0 ? 0 : (int)milliseconds);

        if (n > 0)
            return true;
        if (left == 0)
            return false;
    }
}

static int send(const struct pidfile_command *c, int signal) {
    char name[24];
    int r = process_signal(c->pidfd, signal);

    if (r == 0 || r == -ESRCH)
        return 0;
    fprintf(stderr, "brood pidfile: %s to process %d: %s\n", signame_format(signal, name), c->pid,
        strerror(-r));
    return r;
}

static int stop(struct pidfile_command *c) {
    if (send(c, SIGTERM) < 0)
        return PIDFILE_STATUS_UNKNOWN;
    if (wait_for_end(c->pidfd, c->timeout))
        return STATUS_OK;
    if (c->kill && send(c, SIGKILL) == 0 && wait_for_end(c->pidfd, c->timeout))
        return STATUS_OK;
    fprintf(stderr, "brood pidfile: process %d has not ended in time%s\n", c->pid,
        c->kill ? ", not even by SIGKILL" : "; --kill would end it with SIGKILL");
    return PIDFILE_STATUS_UNKNOWN;
}

static int do_status(struct pidfile_command *c) {
    if (c->json)
        printf("{\"running\":true,\"pid\":%d}\n", c->pid);
    else
        printf("%s: running, process %d\n", c->path, c->pid);
    return PIDFILE_STATUS_RUNNING;
}

static int do_stop(struct pidfile_command *c) {
    int status = stop(c);

    if (status == STATUS_OK)
        printf("%s: stopped process %d\n", c->path, c->pid);
    return status;
}

/* The program has been executed; whether it stays is another matter. */
static int look_after(const char *path) {
    pid_t pid;
    int pidfd;
    bool lives = pidfile_holder(path, &pid, &pidfd) == PIDFILE_HELD;

    if (lives) {
        lives = !wait_for_end(pidfd, FIRST_LOOK);
        close(pidfd);
    }
    if (!lives)
        fprintf(stderr, "brood pidfile: %s: started again, but it has ended at once\n", path);
    return lives ? STATUS_OK : PIDFILE_STATUS_NOT_RUNNING;
}

/*
 * What is running is noted first, because /proc forgets it with the process; and is not stopped
 * when it is known that it could not be started again.
 */
static int do_restart(struct pidfile_command *c) {
    struct restart *restart;

    if (pidfile_restart_is_supervisor(c->pid)) {
        if (send(c, SIGHUP) < 0)
            return PIDFILE_STATUS_UNKNOWN;
        printf("%s: brood (process %d) restarts its workers one after another\n", c->path, c->pid);
        return STATUS_OK;
    }
    int status = pidfile_restart_note(c->pid, &restart);
    if (status == STATUS_OK)
        status = stop(c);
    if (status == STATUS_OK)
        status = pidfile_restart_start(restart, c->path, c->timeout);
    if (status == STATUS_OK)
        status = look_after(c->path);
    pidfile_restart_free(restart);
    if (status == STATUS_OK)
        printf("%s: restarted\n", c->path);
    return status;
}

static int do_signal(struct pidfile_command *c) {
    int signal;

    if (!c->signal || signame_parse(c->signal, &signal) < 0) {
        fprintf(stderr, "brood pidfile signal: '%s' is not a signal\n", c->signal ? c->signal : "");
        return STATUS_USAGE;
    }
    return send(c, signal) < 0 ? PIDFILE_STATUS_UNKNOWN : STATUS_OK;
}

static const struct verb {
    const char *name;
    int (*act)(struct pidfile_command *c);
} verbs[] = {
    {"status", do_status},
    {"stop", do_stop},
    {"restart", do_restart},
    {"signal", do_signal},
};

/* Nobody to act upon: says why. */
static int nobody(const struct pidfile_command *c, int state) {
    char text[PIDFILE_TEXT_SIZE];

    if (state < 0)
        fprintf(stderr, "brood pidfile: %s: %s\n", c->path, pidfile_explain(state, 0, text));
    else if (state == PIDFILE_HIDDEN)
        fprintf(stderr, "brood pidfile: %s: held by a process that is not visible here\n", c->path);
    else if (c->json)
        printf("{\"running\":false,\"stale\":%s}\n", state == PIDFILE_STALE ? "true" : "false");
    else
        printf("%s: not running (%s)\n", c->path,
            state == PIDFILE_STALE ? "the file is stale: nobody holds its lock" : "no such file");
    return state == PIDFILE_STALE || state == PIDFILE_ABSENT ? PIDFILE_STATUS_NOT_RUNNING
                                                             : PIDFILE_STATUS_UNKNOWN;
}

static int act(const struct verb *verb, struct pidfile_command *c) {
    int state = pidfile_holder(c->path, &c->pid, &c->pidfd);

    if (state != PIDFILE_HELD)
        return nobody(c, state);
    int status = verb->act(c);
    close(c->pidfd);
    return status;
}

static const struct help pidfile_help = {
    .name = "pidfile",
    .synopsis = (const char *const[]){"pidfile status|stop|restart [OPTION…] FILE",
        "pidfile signal [OPTION…] FILE SIGNAL", NULL},
    .text =
        "Acts on the process that holds FILE's lock, never on the number written in it: a stale "
        "file or a recycled pid is recognised, and nobody else is ever signalled.\n\n"
        "restart stops the process and starts its program again (arguments, environment, "
        "directory, user; standard streams as far as that user may open them), unless it is "
        "known before that it cannot start. A brood supervisor restarts its workers instead.",
    .sections =
        (const struct help_section[]){
            {.heading = "Exit status",
                .text = "Of restart also those of 'brood daemonize'.",
                .items =
                    (const struct help_item[]){
                        {"0", "running, or done"},
                        {"1", "not running"},
                        {"2", "usage"},
                        {"4", "it could not be found out, or done"},
                        {0},
                    }},
            {0},
        },
    .see_also = "brood(1), brood-daemonize(1), brood-run(1)",
};

static const struct verb *find_verb(const char *name) {
    const char *names[ELEMENTS(verbs)];

    for (size_t i = 0; i < ELEMENTS(verbs); i++) {
        names[i] = verbs[i].name;
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    options_tell_unknown(
        "brood pidfile", "action", name, names, ELEMENTS(names), "brood pidfile --help");
    return NULL;
}

int command_pidfile(int argc, char **argv) {
    struct pidfile_command command = {.timeout = 10 * NSEC_PER_SEC, .pidfd = -1};
    const struct option_table table = {"Options", rows, ELEMENTS(rows), &command};
    int count = options_parse_among("brood pidfile", &table, 1, argc, argv);

    if (command.help) {
        help_print(&pidfile_help, &table, 1, command.help);
        return STATUS_OK;
    }
    if (count < 0)
        return STATUS_USAGE;
    if (count < 2) {
        fprintf(stderr, "brood pidfile: needs an action and a file; see 'brood pidfile --help'\n");
        return STATUS_USAGE;
    }
    if (count > 3) {
        fprintf(stderr, "brood pidfile: unexpected '%s'\n", argv[3]);
        return STATUS_USAGE;
    }
    const struct verb *verb = find_verb(argv[0]);
    if (!verb)
        return STATUS_USAGE;
    command.path = argv[1];
    command.signal = count > 2 ? argv[2] : NULL;
    return act(verb, &command);
}
