/* SPDX-License-Identifier: MIT */
#include "bin/supervisor_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bin/commands.h"
#include "conf/readers.h"
#include "sys/descriptors.h"

static int read_backend(const char *text, void *field) {
    return loop_backend_parse(text, field);
}

#define AT(member) offsetof(struct supervisor_choices, member)

static const struct option_row rows[] = {
    {"loop", 0, false, "BACKEND", read_backend, AT(backend), "auto, uring or epoll",
        "auto (default), uring, epoll"},
    {"log-level", 0, false, "LEVEL", read_log_level, AT(log.level), "error, warning, info or debug",
        "log this and what is graver: error, warning, info\n"
        "(default), debug"},
    {"quiet", 'q', false, NULL, NULL, AT(quiet), NULL,
        "log only what fails for good: --log-level error"},
    {"log-format", 0, false, "FORMAT", read_log_format, AT(log.format), "text or json",
        "text (default) or json"},
    {"log-target", 0, false, "WHERE", read_log_target, AT(log.target),
        "stderr, file:PATH, journal, syslog or null",
        "where the log goes: stderr (default; with --daemon nowhere),\n"
        "file:PATH, journal, syslog, null"},
    {"log-file", 0, false, "FILE", read_log_file, AT(log.target), "a file",
        "the same as --log-target file:FILE"},
    {"daemon", 0, false, NULL, NULL, AT(daemon), NULL, "detach, and return when every worker runs"},
    {"pidfile", 0, false, "FILE", read_text, AT(pidfile), "a file",
        "with --daemon: locked file with the pid of brood"},
    {"timeout", 0, false, "TIME", read_duration, AT(start_timeout), "a duration",
        "with --daemon: how long the start may take (default 30s)"},
    HELP_ROW(AT(help)),
};

int supervisor_choices_init(const char *command, struct supervisor_choices *choices) {
    const char *backend = getenv("BROOD_LOOP");

    *choices = (struct supervisor_choices){
        .terminal = isatty(STDERR_FILENO) && !getenv("NO_COLOR"),
        .start_timeout = 30 * NSEC_PER_SEC,
    };
    if (!backend || loop_backend_parse(backend, &choices->backend) == 0)
        return 0;
    fprintf(stderr, "%s: BROOD_LOOP: '%s' is not auto, uring or epoll\n", command, backend);
    return -EINVAL;
}

struct option_table supervisor_choices_table(struct supervisor_choices *choices) {
    return (struct option_table){"brood itself", rows, ELEMENTS(rows), choices};
}

bool supervisor_choices_are_sane(const char *command, const struct supervisor_choices *choices) {
    if (choices->daemon || !choices->pidfile)
        return true;
    fprintf(stderr, "%s: --pidfile goes with --daemon\n", command);
    return false;
}

/* Returns -1 in the daemon, or the exit status in the one that was started. */
static int detach(const struct supervisor_choices *choices,
    const struct supervisor_options *options, struct daemon *daemon) {
    struct daemonize_options detach = {
        .pidfile = choices->pidfile,
        .directory = "/",
        .stdio = {{.kind = STDIO_NULL}, {.kind = STDIO_NULL}, {.kind = STDIO_NULL}},
        .ready = DAEMONIZE_READY_CALL,
        .ready_timeout = choices->start_timeout,
    };
    struct daemon_outcome outcome;

    if (options->log.target.kind == LOG_TO_FILE)
        detach.stdio[2] = (struct stdio_spec){STDIO_APPEND, options->log.target.path};
    int r = daemonize(&detach, daemon, &outcome);

    if (r == DAEMONIZE_CHILD)
        return -1;
    if (r < 0 || outcome.status != DAEMON_READY)
        fprintf(stderr, "%s: %s\n", options->command, outcome.message);
    return r < 0 ? STATUS_INTERNAL : outcome.status;
}

/* A level that is named counts for more than -q. */
static void settle_log(const struct supervisor_choices *choices,
    const struct log_choice *configured, struct supervisor_options *options) {
    options->asked = choices->log;
    if (choices->quiet && !choices->log.level.given)
        options->asked.level = (struct given_level){true, LEVEL_ERROR};
    options->terminal = choices->terminal && !choices->daemon;
    options->log = log_settings_settle(&options->asked, configured, options->terminal);
}

/* Whether there can be such a file. Whatever becomes of it later heals. */
static int try_file(const char *path) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
    struct stat status;
    int r = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;

    if (r == 0 && !S_ISREG(status.st_mode))
        r = -ENOTSUP;
    if (fd >= 0)
        close(fd);
    return r;
}

/* The target refers to `path` then. -errno after a message. */
static int prepare_file(const char *command, struct log_target *target, char path[PATH_MAX]) {
    int r = options_make_absolute(target->path, path);

    if (r == 0)
        r = try_file(path);
    if (r < 0)
        fprintf(stderr, "%s: log file %s: %s\n", command, target->path,
            r == -ENOTSUP ? "not a regular file" : strerror(-r));
    target->path = path;
    return r;
}

/* Detaches if that was asked for. */
static int run(const struct supervisor_choices *choices, struct supervisor_options *options,
    const struct supervised *supervised) {
    struct daemon daemon = DAEMON_NULL;

    if (!choices->daemon) {
        descriptors_close_except(NULL, 0);
        return supervise(options, supervised);
    }
    int status = detach(choices, options, &daemon);
    if (status >= 0)
        return status;
    options->daemon = &daemon;
    status = supervise(options, supervised);
    daemon_finish(&daemon);
    return status;
}

int supervisor_run(const struct supervisor_choices *choices, const struct log_choice *configured,
    struct supervisor_options options, const struct supervised *supervised) {
    struct log_target *target = &options.log.target;
    int status = STATUS_INTERNAL;
    char path[PATH_MAX];

    options.backend = choices->backend;
    settle_log(choices, configured, &options);
    if (target->kind != LOG_TO_FILE || prepare_file(options.command, target, path) == 0) {
        if (options.asked.target.given)
            options.asked.target.value = *target;
        status = run(choices, &options, supervised);
    }
    return status;
}

static struct limit_spec raise_open_files(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return (struct limit_spec){0};
    struct limit_spec before = {true, limit.rlim_cur, limit.rlim_max};
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return before;
}

/*
 * brood reads nothing itself: where workers shall have /dev/null it takes it as its own standard
 * input, and they inherit it, which saves each spawn three system calls.
 */
static bool take_null_input(void) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return false;
    bool taken = fd == STDIN_FILENO || dup3(fd, STDIN_FILENO, 0) == STDIN_FILENO;
    if (fd == STDIN_FILENO)
        fcntl(fd, F_SETFD, 0);
    else
        close(fd);
    return taken;
}

struct surroundings surroundings_prepare(bool wants_null_input) {
    return (struct surroundings){
        .open_files = raise_open_files(),
        .has_null_input = wants_null_input && take_null_input(),
    };
}
