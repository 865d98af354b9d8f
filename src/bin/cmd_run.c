/* SPDX-License-Identifier: MIT */

/* brood run: a pool of workers kept alive from the command line. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/help.h"
#include "bin/process_options.h"
#include "bin/supervise.h"
#include "sys/cpu.h"
#include "sys/descriptors.h"
#include "sys/seed.h"

#define WORKERS_MAX 1000000

struct run_options {
    enum help_format help;
    uint64_t workers;
    const char *name;

    struct worker_rules rules;
    enum kill_mode kill_mode;
    uint64_t forwarded;

    enum loop_backend backend;
    enum report_format format;
    bool quiet;
    bool daemon;
    const char *pidfile;
    const char *log_file;
    nsec_t start_timeout;
};

static int read_workers(const char *text, void *field) {
    if (strcmp(text, "auto") == 0) {
        *(uint64_t *)field = cpu_usable();
        return 0;
    }
    return text_parse_u64(text, 1, WORKERS_MAX, field);
}

static int read_restart(const char *text, void *field) {
    return restart_mode_parse(text, field);
}

static int read_exits(const char *text, void *field) {
    return exit_set_parse(text, field);
}

static int read_backoff(const char *text, void *field) {
    return backoff_parse(text, field);
}

static int read_start_limit(const char *text, void *field) {
    return start_limit_parse(text, field);
}

static int read_limit_action(const char *text, void *field) {
    return limit_action_parse(text, field);
}

static int read_kill_mode(const char *text, void *field) {
    enum kill_mode mode = strcmp(text, "process") == 0 ? KILL_ONE : KILL_GROUP;

    if (mode == KILL_GROUP && strcmp(text, "group") != 0)
        return -EINVAL;
    *(enum kill_mode *)field = mode;
    return 0;
}

static int read_backend(const char *text, void *field) {
    return loop_backend_parse(text, field);
}

static int read_format(const char *text, void *field) {
    enum report_format format = strcmp(text, "json") == 0 ? REPORT_JSON : REPORT_TEXT;

    if (format == REPORT_TEXT && strcmp(text, "text") != 0)
        return -EINVAL;
    *(enum report_format *)field = format;
    return 0;
}

#define AT(member) offsetof(struct run_options, member)

static const struct option_row pool_rows[] = {
    {"workers", 'n', false, "N", read_workers, AT(workers),
        "a whole number from 1 to 1000000, or auto",
        "how many workers (default 1; auto: one for each usable CPU)"},
    {"name", 0, false, "NAME", read_text, AT(name), "a name",
        "the pool's name in log and environment (default: the command's)"},
};

static const struct option_row restart_rows[] = {
    {"restart", 0, false, "WHEN", read_restart, AT(rules.restart.mode),
        "no, on-failure, on-abnormal, on-abort, on-watchdog, on-success or always",
        "no, on-failure (default), on-abnormal, on-abort, on-watchdog, on-success, always"},
    {"success-exit", 0, false, "LIST", read_exits, AT(rules.restart.success),
        "a list of exit statuses (0 to 255) and signal names",
        "ends that count as clean, besides 0: 75,SIGTERM"},
    {"prevent-exit", 0, false, "LIST", read_exits, AT(rules.restart.prevent),
        "a list of exit statuses (0 to 255) and signal names", "ends that are never restarted"},
    {"backoff", 0, false, "SPEC", read_backoff, AT(rules.backoff),
        "none, a duration, MIN..MAX, or first=,base=,factor=,max=,jitter=,reset=",
        "delay from the second failure in a row on: none, 100ms..10s, or\n"
        "base=100ms,factor=2,max=10s,jitter=10%,reset=1s (the default)"},
    {"start-limit", 0, false, "N/TIME", read_start_limit, AT(rules.start_limit),
        "a number of starts and a duration such as 5/10s",
        "give up after N starts within TIME (default: never)"},
    {"start-limit-action", 0, false, "WHAT", read_limit_action, AT(rules.start_limit.action),
        "give-up, stop or exit", "give-up (this worker), stop (the pool), exit (brood)"},
    {"max-restarts", 0, false, "N", read_count, AT(rules.max_restarts), "a whole number from 0 on",
        "restarts of the whole pool before it is stopped (default: no limit)"},
};

static const struct option_row stop_rows[] = {
    {"stop-signal", 0, false, "SIGNAL", read_signal, AT(rules.stop_signal),
        "a signal name or number", "how a worker is asked to stop (default SIGTERM)"},
    {"stop-timeout", 0, false, "TIME", read_duration, AT(rules.stop_timeout),
        "a duration such as 10s, 500ms or infinity",
        "then SIGKILL to its whole tree (default 10s)"},
    {"kill-mode", 0, false, "MODE", read_kill_mode, AT(kill_mode), "group or process",
        "who gets the stop signal: group (default) or process"},
    {"forward", 0, false, "LIST", read_signals, AT(forwarded),
        "a list of signals that can be caught, or none",
        "signals passed on to the workers (default USR1,USR2,WINCH)"},
};

static const struct option_row brood_rows[] = {
    {"loop", 0, false, "BACKEND", read_backend, AT(backend), "auto, uring or epoll",
        "auto (default), uring, epoll"},
    {"log-format", 0, false, "FORMAT", read_format, AT(format), "text or json",
        "text (default) or json, on standard error"},
    {"quiet", 'q', false, NULL, NULL, AT(quiet), NULL, "log only what fails for good"},
    {"daemon", 0, false, NULL, NULL, AT(daemon), NULL, "detach, and return when every worker runs"},
    {"pidfile", 0, false, "FILE", read_text, AT(pidfile), "a file",
        "with --daemon: locked file with the pid of brood"},
    {"log-file", 0, false, "FILE", read_text, AT(log_file), "a file",
        "with --daemon: where brood's log goes (default: nowhere)"},
    {"timeout", 0, false, "TIME", read_duration, AT(start_timeout), "a duration",
        "with --daemon: how long the start may take (default 30s)"},
    HELP_ROW(AT(help)),
};

#define TABLE(heading, rows, target)                                                               \
    { heading, rows, ELEMENTS(rows), target }

struct run {
    struct run_options options;
    struct process_options process;
};

static struct run run_defaults(void) {
    struct run run = {
        .options =
            {
                .workers = 1,
                .rules = worker_rules_default(),
                .forwarded = UINT64_C(1) << (SIGUSR1 - 1) | UINT64_C(1) << (SIGUSR2 - 1) |
                             UINT64_C(1) << (SIGWINCH - 1),
                .format = isatty(STDERR_FILENO) && !getenv("NO_COLOR") ? REPORT_TEXT_COLOURED
                                                                       : REPORT_TEXT,
                .start_timeout = 30 * NSEC_PER_SEC,
            },
        .process.stdio[0].kind = STDIO_NULL,
    };

    run.options.rules.restart.mode = RESTART_ON_FAILURE;
    return run;
}

static const struct help run_help = {
    .name = "run",
    .synopsis = (const char *const[]){"run [OPTION…] [--] COMMAND [ARGUMENT…]", NULL},
    .text = "Keeps N workers running COMMAND, restarts those that fail, and stops them together.",
    .sections =
        (const struct help_section[]){
            {.heading = "Placeholders",
                .text = "In ARGUMENTs, --env and paths. Workers find the same in BROOD_WORKER, "
                        "BROOD_WORKERS, BROOD_POOL and BROOD_GENERATION.",
                .items =
                    (const struct help_item[]){
                        {"%i", "the worker's number, from 0"},
                        {"%w", "how many workers there are"},
                        {"%p", "the pool's name"},
                        {"%g", "the worker's generation: how often it has been started"},
                        {"%%", "a percent sign"},
                        {0},
                    }},
            {.heading = "Signals",
                .items =
                    (const struct help_item[]){
                        {"SIGTERM, SIGINT, SIGQUIT", "stop gracefully; a second one: at once"},
                        {"SIGHUP", "restart the workers one after another"},
                        {0},
                    }},
            {.heading = "Exit status",
                .text = "A single worker's own status is passed through (128+signal).",
                .items =
                    (const struct help_item[]){
                        {"0", "all workers ended cleanly"},
                        {"1", "some did not"},
                        {"2", "usage"},
                        {"3", "--max-restarts is used up"},
                        {"125", "brood failed"},
                        {"126", "the command cannot be executed"},
                        {"127", "the command was not found"},
                        {0},
                    }},
            {.heading = "Examples",
                .literal = "  brood run -n 4 -- ./worker --port 80%i\n"
                           "  brood run -n auto --max-restarts 100 --backoff 50ms..5s -- python3 "
                           "worker.py\n"
                           "  brood run --daemon --pidfile /run/app.pid --stdout "
                           "append:/var/log/app.log -- "
                           "./app\n"},
            {0},
        },
    .see_also = "brood(1), brood-up(1), brood-daemonize(1)",
};

/* The raised limit is ours, for pidfds; workers get the one that we were given. */
static void raise_open_files(struct limit_spec *limits) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    if (!limits[RLIMIT_NOFILE].set)
        limits[RLIMIT_NOFILE] = (struct limit_spec){true, limit.rlim_cur, limit.rlim_max};
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * brood reads nothing itself: where workers shall have /dev/null it takes it as its own standard
 * input, and they inherit it, which saves each spawn three system calls.
 */
static void share_null_input(struct stdio_spec *input) {
    int fd = input->kind == STDIO_NULL ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    if (dup3(fd, STDIN_FILENO, 0) == STDIN_FILENO || fd == STDIN_FILENO)
        input->kind = STDIO_INHERIT;
    if (fd == STDIN_FILENO)
        fcntl(fd, F_SETFD, 0);
    else
        close(fd);
}

static int make_version(struct run *run, char **argv, struct version **ret_version) {
    const char *slash = strrchr(argv[0], '/');
    const char *name = run->options.name ?: slash && slash[1] ? slash + 1 : argv[0];
    struct plan_error error;
    struct plan *plan;
    struct plan_spec spec = process_options_plan(
        &run->process, name, (uint32_t)run->options.workers, (const char *const *)argv);

    if (plan_new(&spec, &plan, &error) == 0) {
        if (version_new_take(plan, ret_version) == 0)
            return STATUS_OK;
        plan_error_no_memory(&error);
    }
    fprintf(stderr, "brood run: %s\n", error.text);
    return error.status;
}

/* Detaches. Returns -1 in the daemon, or the exit status in the one that was started. */
static int detach(const struct run_options *options, struct daemon *daemon) {
    struct daemonize_options detach = {
        .pidfile = options->pidfile,
        .directory = "/",
        .stdio = {{.kind = STDIO_NULL}, {.kind = STDIO_NULL}, {.kind = STDIO_NULL}},
        .ready = DAEMONIZE_READY_CALL,
        .ready_timeout = options->start_timeout,
    };
    struct daemon_outcome outcome;

    if (options->log_file)
        detach.stdio[2] = (struct stdio_spec){STDIO_APPEND, options->log_file};
    int r = daemonize(&detach, daemon, &outcome);

    if (r == DAEMONIZE_CHILD)
        return -1;
    if (r < 0 || outcome.status != DAEMON_READY)
        fprintf(stderr, "brood run: %s\n", outcome.message);
    return r < 0 ? STATUS_INTERNAL : outcome.status;
}

static int supervise_take_version(struct run *run, struct version *version, struct daemon *daemon) {
    const struct run_options *options = &run->options;
    struct supervise_options supervise = {
        .backend = options->backend,
        .format = options->format,
        .quiet = options->quiet,
        .forwarded = options->forwarded,
        .stop_signal = options->rules.stop_signal,
        .stop_timeout = options->rules.stop_timeout,
        .daemon = daemon,
    };
    struct pool_settings settings = {
        .name = version->main->pool,
        .n_workers = version->main->n_workers,
        .version = version,
        .rules = options->rules,
        .kill_mode = options->kill_mode,
        .seed = seed_random(),
    };

    return supervise_take(&supervise, &settings);
}

static int run_command(struct run *run, char **argv) {
    struct daemon daemon = DAEMON_NULL;
    struct version *version;

    raise_open_files(run->process.limits);
    share_null_input(&run->process.stdio[0]);
    int status = make_version(run, argv, &version);
    if (status != STATUS_OK)
        return status;
    if (!run->options.daemon) {
        descriptors_close_except(NULL, 0);
        return supervise_take_version(run, version, NULL);
    }
    status = detach(&run->options, &daemon);
    if (status >= 0) {
        version_unref(version);
        return status;
    }
    status = supervise_take_version(run, version, &daemon);
    daemon_finish(&daemon);
    return status;
}

int command_run(int argc, char **argv) {
    struct run run = run_defaults();
    const struct option_table tables[] = {
        TABLE("Pool", pool_rows, &run.options),
        TABLE("Restarts", restart_rows, &run.options),
        TABLE("Stopping", stop_rows, &run.options),
        process_options_table(&run.process),
        TABLE("brood itself", brood_rows, &run.options),
    };
    const char *backend = getenv("BROOD_LOOP");
    int status = STATUS_USAGE;

    if (backend && loop_backend_parse(backend, &run.options.backend) < 0) {
        fprintf(stderr, "brood run: BROOD_LOOP: '%s' is not auto, uring or epoll\n", backend);
        return STATUS_USAGE;
    }
    int first = options_parse("brood run", tables, ELEMENTS(tables), argc, argv);
    if (run.options.help) {
        help_print(&run_help, tables, ELEMENTS(tables), run.options.help);
        status = STATUS_OK;
    } else if (first >= argc)
        fprintf(stderr, "brood run: no command given; see 'brood run --help'\n");
    else if ((run.options.pidfile || run.options.log_file) && !run.options.daemon)
        fprintf(stderr, "brood run: --pidfile and --log-file go with --daemon\n");
    else if (first >= 0)
        status = run_command(&run, argv + first);
    process_options_finish(&run.process);
    return status;
}
