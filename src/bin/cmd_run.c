/* SPDX-License-Identifier: MIT */

/* brood run: a pool of workers kept alive from the command line. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/log_options.h"
#include "bin/process_options.h"
#include "bin/supervisor_options.h"
#include "sys/cpu.h"
#include "sys/seed.h"

#define WORKERS_MAX 1000000

/* No mask that can be given. */
#define FORWARDED_BY_DEFAULT UINT64_MAX

struct run_options {
    uint64_t workers;
    const char *name;

    struct worker_rules rules;
    enum kill_mode kill_mode;
    uint64_t forwarded;
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

#define TABLE(heading, rows, target)                                                               \
    { heading, rows, ELEMENTS(rows), target }

struct run {
    struct run_options options;
    struct process_options process;
    struct log_options log;
    struct supervisor_choices choices;
};

static struct run run_defaults(void) {
    struct run run = {
        .options =
            {
                .workers = 1,
                .rules = worker_rules_default(),
                .forwarded = FORWARDED_BY_DEFAULT,
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
                        {"SIGUSR1", "with --log or --log-file: open its files anew"},
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
                           "  brood run -n 4 --log - -- ./worker\n"
                           "  brood run -n auto --max-restarts 100 --backoff 50ms..5s -- python3 "
                           "worker.py\n"
                           "  brood run --daemon --pidfile /run/app.pid --stdout "
                           "append:/var/log/app.log -- "
                           "./app\n"},
            {0},
        },
    .see_also = "brood(1), brood-up(1), brood-daemonize(1)",
};

/* With files to open anew on SIGUSR1, of the workers' output or our own, it is passed on only where
 * that is asked for. */
static uint64_t forwarded_by(const struct run *run) {
    uint64_t mask = UINT64_C(1) << (SIGUSR2 - 1) | UINT64_C(1) << (SIGWINCH - 1);

    if (run->options.forwarded != FORWARDED_BY_DEFAULT)
        return run->options.forwarded;
    bool reopens = run->log.where || run->choices.log.target.value.kind == LOG_TO_FILE;

    return reopens ? mask : mask | UINT64_C(1) << (SIGUSR1 - 1);
}

static const char *name_of(const struct run *run, char **argv) {
    const char *slash = strrchr(argv[0], '/');

    return run->options.name ?: slash && slash[1] ? slash + 1 : argv[0];
}

static int make_version(struct run *run, char **argv, struct version **ret_version) {
    struct plan_error error;
    struct plan *plan;
    struct plan_spec spec = process_options_plan(&run->process, name_of(run, argv),
        (uint32_t)run->options.workers, (const char *const *)argv);

    if (plan_new(&spec, &plan, &error) == 0) {
        if (version_new_take(plan, ret_version) == 0)
            return STATUS_OK;
        plan_error_no_memory(&error);
    }
    fprintf(stderr, "brood run: %s\n", error.text);
    return error.status;
}

/* The one pool of `brood run`, as a supervisor sees it. */
struct one_pool {
    struct pool_settings settings;
    struct engine *engine;
    struct engine_pool *pool;
};

static int begin(void *data, struct supervisor *supervisor) {
    struct one_pool *one = data;

    one->engine = supervisor_engine(supervisor);
    int r = engine_add_pool_take(one->engine, &one->settings, &one->pool);
    one->settings.version = NULL;
    if (r < 0)
        return supervisor_fail(supervisor, STATUS_INTERNAL, "%s", strerror(-r));
    engine_pool_command(one->pool, EVENT_START);
    return 0;
}

static void reload(void *data) {
    const struct one_pool *one = data;

    engine_pool_roll_again(one->pool);
}

static int status(void *data) {
    const struct one_pool *one = data;

    return pool_exit_status(engine_pool_core(one->pool));
}

static enum supervised_start started(void *data) {
    const struct one_pool *one = data;
    const struct worker_ledger *ledger = &engine_pool_core(one->pool)->ledger;

    if (ledger->states[WORKER_FAILED] > 0)
        return START_FAILED;
    return ledger->ever_up == engine_pool_workers(one->pool) ? START_DONE : START_UNDER_WAY;
}

static idle_path bool ended(void *data) {
    const struct one_pool *one = data;

    return engine_ended(one->engine);
}

static int run_command(struct run *run, char **argv) {
    struct capture_settings capture;
    struct surroundings surroundings =
        surroundings_prepare(run->process.stdio[0].kind == STDIO_NULL);
    struct one_pool one = {
        .settings =
            {
                .n_workers = (uint32_t)run->options.workers,
                .rules = run->options.rules,
                .kill_mode = run->options.kill_mode,
                .seed = seed_random(),
            },
    };
    const struct supervised supervised = {&one, begin, reload, NULL, started, ended, status, NULL};

    if (surroundings.has_null_input)
        run->process.stdio[0].kind = STDIO_INHERIT;
    if (run->log.where) {
        int error = log_options_settings(&run->log, run->process.stdio, &capture);

        if (error < 0) {
            fprintf(stderr, "brood run: --log %s: %s\n", run->log.where, strerror(-error));
            return STATUS_USAGE;
        }
        one.settings.capture = &capture;
    }
    if (!run->process.limits[RLIMIT_NOFILE].set)
        run->process.limits[RLIMIT_NOFILE] = surroundings.open_files;
    int r = make_version(run, argv, &one.settings.version);
    if (r != STATUS_OK)
        return r;
    one.settings.name = one.settings.version->main->pool;
    r = supervisor_run(&run->choices, &(struct log_choice){0},
        (struct supervisor_options){
            .command = "brood run",
            .forwarded = forwarded_by(run),
            .captures = run->log.where,
            .stop_signal = run->options.rules.stop_signal,
            .stop_timeout = run->options.rules.stop_timeout,
        },
        &supervised);
    version_unref(one.settings.version);
    return r;
}

int command_run(int argc, char **argv) {
    struct run run = run_defaults();
    const struct option_table tables[] = {
        TABLE("Pool", pool_rows, &run.options),
        TABLE("Restarts", restart_rows, &run.options),
        TABLE("Stopping", stop_rows, &run.options),
        process_options_table(&run.process),
        log_options_table(&run.log),
        supervisor_choices_table(&run.choices),
    };
    int result = STATUS_USAGE;

    if (supervisor_choices_init("brood run", &run.choices) < 0)
        return STATUS_USAGE;
    int first = options_parse("brood run", tables, ELEMENTS(tables), argc, argv);
    if (run.choices.help) {
        help_print(&run_help, tables, ELEMENTS(tables), run.choices.help);
        result = STATUS_OK;
    } else if (first >= argc)
        fprintf(stderr, "brood run: no command given; see 'brood run --help'\n");
    else if (first >= 0 && supervisor_choices_are_sane("brood run", &run.choices) &&
             log_options_are_sane("brood run", &run.log, name_of(&run, argv + first)))
        result = run_command(&run, argv + first);
    process_options_finish(&run.process);
    return result;
}
