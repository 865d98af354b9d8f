/* SPDX-License-Identifier: MIT */

/* brood daemonize: one program, detached from the terminal, with its start waited for. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/help.h"
#include "bin/process_options.h"
#include "bin/start_daemon.h"

struct ready_option {
    enum daemonize_ready kind;
    int fd;
};

struct daemonize_command {
    enum help_format help;
    const char *pidfile;
    struct ready_option ready;
    nsec_t timeout;
    bool nohup;
    struct process_options process;
};

/* Without an argument: notify, the one that only a program which knows of it can fulfil. */
static int read_ready(const char *text, void *field) {
    struct ready_option *ready = field;
    uint64_t fd;

    if (!text || strcmp(text, "notify") == 0)
        ready->kind = DAEMONIZE_READY_NOTIFY;
    else if (strcmp(text, "exec") == 0)
        ready->kind = DAEMONIZE_READY_EXEC;
    else if (strncmp(text, "fd:", 3) == 0 && text_parse_u64(text + 3, 3, 1023, &fd) == 0)
        *ready = (struct ready_option){DAEMONIZE_READY_FD, (int)fd};
    else
        return -EINVAL;
    return 0;
}

#define AT(member) offsetof(struct daemonize_command, member)

static const struct option_row rows[] = {
    {"pidfile", 'p', false, "FILE", read_text, AT(pidfile), "a file",
        "locked file with the daemon's pid; a second start is refused"},
    {"wait-ready", 0, true, "HOW", read_ready, AT(ready), "exec, notify or fd:N (N from 3 on)",
        "return when the program runs (exec, the default), has said\n"
        "READY=1 by sd_notify (notify, also without HOW), or has written\n"
        "a newline to descriptor N (fd:N)"},
    {"timeout", 0, false, "TIME", read_duration, AT(timeout), "a duration",
        "how long that may take before it is killed (default 30s)"},
    {"nohup", 0, false, NULL, NULL, AT(nohup), NULL,
        "what 'nohup COMMAND &' gives: stay in this directory, ignore SIGHUP,\n"
        "append to nohup.out what would go to a terminal"},
    HELP_ROW(AT(help)),
};

static const struct help daemonize_help = {
    .name = "daemonize",
    .synopsis = (const char *const[]){"daemonize [OPTION…] [--] COMMAND [ARGUMENT…]", NULL},
    .text =
        "Detaches COMMAND: a session without a terminal, directory /, umask 022, standard streams "
        "on /dev/null, every other descriptor closed (but the pidfile's, which holds its lock). "
        "Returns when it is ready, or says why it is not. No supervisor stays behind: for a "
        "program that is restarted when it fails, see 'brood run --daemon'.",
    .sections =
        (const struct help_section[]){
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "ready"},
                        {"1", "it ended, or was not ready in time"},
                        {"2", "usage"},
                        {"3", "it runs already"},
                        {"125", "brood failed"},
                        {"126", "the command cannot be executed"},
                        {"127", "the command was not found"},
                        {0},
                    }},
            {.heading = "Examples",
                .literal = "  brood daemonize --pidfile /run/app.pid --stdout "
                           "append:/var/log/app.log -- app\n"
                           "  brood daemonize --nohup -- make -j4 world\n"},
            {0},
        },
    .see_also = "brood(1), brood-run(1), brood-pidfile(1)",
};

/* Standard output and error as nohup(1) has them: only what is a terminal is sent elsewhere. */
static void apply_nohup(struct process_options *process) {
    static char home_path[4096];
    const char *path = "nohup.out", *home = getenv("HOME");

    if (access(".", W_OK) < 0 && access(path, W_OK) < 0 && home) {
        snprintf(home_path, sizeof(home_path), "%s/nohup.out", home);
        path = home_path;
    }
    for (int i = 1; i < 3; i++)
        if (process->stdio[i].kind == STDIO_NULL)
            process->stdio[i] =
                isatty(i) ? (struct stdio_spec){STDIO_APPEND, path} : (struct stdio_spec){0};
}

static struct daemonize_command defaults(void) {
    return (struct daemonize_command){
        .ready.kind = DAEMONIZE_READY_EXEC,
        .timeout = 30 * NSEC_PER_SEC,
        .process.stdio = {{.kind = STDIO_NULL}, {.kind = STDIO_NULL}, {.kind = STDIO_NULL}},
    };
}

static int start(struct daemonize_command *command, char **argv) {
    bool nohup = command->nohup;
    struct start_daemon start = {
        .command = "brood daemonize",
        .options =
            {
                .pidfile = command->pidfile,
                .ready = command->ready.kind,
                .ready_fd = command->ready.fd,
                .ready_timeout = command->timeout,
            },
    };

    if (nohup)
        apply_nohup(&command->process);
    start.plan = process_options_plan(&command->process, argv[0], 0, (const char *const *)argv);
    start.plan.ignore_hangup = nohup;
    start.plan.new_session = false; /* daemonize() makes one in any case */
    if (!nohup && !start.plan.directory) {
        start.plan.directory = "/";
        start.plan.is_default_directory = true;
    }
    if (!nohup && !start.plan.has_umask) {
        start.plan.has_umask = true;
        start.plan.umask = 022;
    }
    return start_daemon(&start);
}

int command_daemonize(int argc, char **argv) {
    struct daemonize_command command = defaults();
    const struct option_table tables[] = {
        {"Daemon", rows, ELEMENTS(rows), &command},
        process_options_table(&command.process),
    };
    int status = STATUS_USAGE;
    int first = options_parse("brood daemonize", tables, ELEMENTS(tables), argc, argv);

    if (command.help) {
        help_print(&daemonize_help, tables, ELEMENTS(tables), command.help);
        status = STATUS_OK;
    } else if (first >= argc)
        fprintf(stderr, "brood daemonize: no command given; see 'brood daemonize --help'\n");
    else if (command.process.parent_death_signal != 0)
        fprintf(stderr, "brood daemonize: --parent-death-signal: a daemon outlives its parent\n");
    else if (first >= 0)
        status = start(&command, argv + first);
    process_options_finish(&command.process);
    return status;
}
