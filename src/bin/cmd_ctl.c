/* SPDX-License-Identifier: MIT */

/* The commands that ask a running supervisor: their options and what they teach; src/ctl acts. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "bin/commands.h"
#include "bin/help.h"
#include "conf/readers.h"
#include "ctl/ctl.h"

#define AT(member) offsetof(struct ctl_call, member)

static int read_condition(const char *text, void *field) {
    static const char *const conditions[] = {"ready", "stopped", "failed"};

    for (size_t i = 0; i < ELEMENTS(conditions); i++)
        if (strcmp(text, conditions[i]) == 0) {
            *(const char **)field = text;
            return 0;
        }
    return -EINVAL;
}

#define ALL                                                                                        \
    { "all", 'a', false, NULL, NULL, AT(all), NULL, "every pool" }
#define JSON                                                                                       \
    { "json", 0, false, NULL, NULL, AT(json), NULL, "one JSON object instead of text" }
#define NO_WAIT                                                                                    \
    {                                                                                              \
        "no-wait", 0, false, NULL, NULL, AT(no_wait), NULL,                                        \
            "return when it has begun, not when it is done"                                        \
    }
#define TIMEOUT                                                                                    \
    {                                                                                              \
        "timeout", 't', false, "TIME", read_duration, AT(timeout), "a duration such as 30s",       \
            "wait no longer; what was begun goes on (default: no limit)"                           \
    }
#define COMMON                                                                                     \
    {"socket", 0, false, "PATH", read_text, AT(socket), "a path",                                  \
        "the supervisor's socket (default: $BROOD_SOCKET, or brood/control.sock in "               \
        "$XDG_RUNTIME_DIR or /run)"},                                                              \
        HELP_ROW(AT(help))

static const struct option_row status_rows[] = {JSON, COMMON};
static const struct option_row change_rows[] = {ALL, NO_WAIT, TIMEOUT, JSON, COMMON};
static const struct option_row restart_rows[] = {
    {"rolling", 'r', false, NULL, NULL, AT(rolling), NULL,
        "replace a few at a time, each by one that is ready first"},
    ALL, NO_WAIT, TIMEOUT, JSON, COMMON};
static const struct option_row reset_rows[] = {ALL, JSON, COMMON};
static const struct option_row scale_rows[] = {NO_WAIT, TIMEOUT, JSON, COMMON};
static const struct option_row signal_rows[] = {
    {"signal", 's', false, "SIGNAL", read_text, AT(signal), "a signal name or number",
        "which one, instead of the last word"},
    ALL, JSON, COMMON};
static const struct option_row wait_rows[] = {
    {"for", 'f', false, "WHAT", read_condition, AT(condition), "ready, stopped or failed",
        "ready (default), stopped (nothing of it is alive), failed"},
    ALL, TIMEOUT, JSON, COMMON};
static const struct option_row events_rows[] = {
    {"follow", 'f', false, NULL, NULL, AT(follow), NULL,
        "then wait for those to come, until the supervisor ends"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "as it is without: events are always JSON"},
    COMMON};
static const struct option_row top_rows[] = {
    {"json", 0, false, NULL, NULL, AT(json), NULL, "once, as 'brood status --json' prints it"},
    COMMON};
static const struct option_row shutdown_rows[] = {NO_WAIT, TIMEOUT, COMMON};

struct client {
    const char *name;
    int (*run)(const struct ctl_call *call);
    size_t max_words;
    const char *usage; /* after the name */
    const char *text;
    const struct option_row *rows;
    size_t n_rows;
    const char *examples;
};

#define ROWS(rows) rows, ELEMENTS(rows)

static const struct client clients[] = {
    {"status", ctl_status, SIZE_MAX, "[OPTION…] [POOL[/N]…]",
        "Shows all pools, one pool with its workers, or all that is known of one worker. CPU and "
        "memory are those of the whole tree of processes: time used so far, and what is resident.",
        ROWS(status_rows),
        "  brood status\n"
        "  brood status web                # its workers\n"
        "  brood status web/3 --json\n"},
    {"start", ctl_start, SIZE_MAX, "[OPTION…] POOL[/N]… | --all",
        "Starts what is stopped, done or failed, and returns when all of it is ready.",
        ROWS(change_rows),
        "  brood start web db\n"
        "  brood start web/3 --timeout 30s\n"},
    {"stop", ctl_stop, SIZE_MAX, "[OPTION…] POOL[/N]… | --all",
        "Asks the workers to stop, by their stop signal, and returns when nothing of their trees "
        "is left. They stay down until they are started again.",
        ROWS(change_rows),
        "  brood stop web\n"
        "  brood stop --all --no-wait\n"},
    {"restart", ctl_restart, SIZE_MAX, "[OPTION…] POOL[/N]… | --all",
        "Gives each worker a new process, and returns when all of them are ready. It counts as no "
        "failure. With --rolling there are never fewer ready than before; a new process that does "
        "not become ready ends the roll, and the old ones stay.",
        ROWS(restart_rows),
        "  brood restart --rolling web\n"
        "  brood restart web/3\n"},
    {"reload", ctl_reload, SIZE_MAX, "[OPTION…] [POOL[/N]… | --all]",
        "Without a pool: reads the configuration again and applies the difference. What is "
        "unchanged keeps its processes; an invalid file changes nothing. With pools: runs the "
        "reload command (ExecReload=) of their workers.",
        ROWS(change_rows),
        "  brood reload                    # the configuration\n"
        "  brood reload web                # the workers of web re-read theirs\n"},
    {"reset", ctl_reset, SIZE_MAX, "[OPTION…] POOL[/N]… | --all",
        "Forgets failures: what has failed counts as stopped, its restarts and delays begin anew.",
        ROWS(reset_rows), "  brood reset web && brood start web\n"},
    {"scale", ctl_scale, 2, "[OPTION…] POOL N|+N|-N",
        "Changes how many workers a pool has. New ones are waited for until they are ready; those "
        "with the highest numbers leave first, gracefully.",
        ROWS(scale_rows),
        "  brood scale web 8\n"
        "  brood scale web +2\n"
        "  brood scale web -2\n"},
    {"signal", ctl_signal, SIZE_MAX, "[OPTION…] POOL[/N]… SIGNAL",
        "Sends a signal to the main process of each worker.", ROWS(signal_rows),
        "  brood signal web USR1\n"
        "  brood signal -s HUP web/0 web/1\n"},
    {"wait", ctl_wait, SIZE_MAX, "[OPTION…] POOL[/N]… | --all",
        "Waits until each of them is ready, stopped, or failed; it changes nothing.",
        ROWS(wait_rows),
        "  brood wait web --for=ready --timeout 1min\n"
        "  brood wait batch --for=stopped\n"},
    {"events", ctl_events, SIZE_MAX, "[OPTION…] [POOL…]",
        "Prints what has happened, as far as the supervisor remembers (the last 1000): a JSON "
        "object on a line each, with time, event, pool, worker, generation, pid, cause and the "
        "like.",
        ROWS(events_rows),
        "  brood events web\n"
        "  brood events --follow | jq 'select(.event == \"exited\") | .cause'\n"},
    {"top", ctl_top, 0, "[OPTION…]",
        "Shows all workers and what they use, live. Keys: q quits, arrows and page keys move, c "
        "sorts by CPU, m by memory, n by name. Where there is no terminal it prints once.",
        ROWS(top_rows), "  brood top\n"},
    {"shutdown", ctl_shutdown, 0, "[OPTION…]",
        "Stops all pools and then the supervisor, and returns when it is gone.",
        ROWS(shutdown_rows), "  brood shutdown --timeout 1min\n"},
};

static const struct help_item statuses[] = {
    {"0", "done"},
    {"1", "it was done, and what came of it is a failure"},
    {"2", "usage"},
    {"4", "no such pool or worker"},
    {"5", "permission denied"},
    {"6", "nothing listens on the socket"},
    {"7", "timed out; what was begun goes on"},
    {"8", "busy, or not possible in this state"},
    {"125", "brood failed"},
    {0},
};

static void print_help(
    const struct client *client, const struct option_table *table, enum help_format format) {
    char synopsis[80];
    const struct help_section sections[] = {
        {.heading = "Exit status", .items = statuses},
        {.heading = "Examples", .literal = client->examples},
        {0},
    };
    const struct help help = {
        .name = client->name,
        .synopsis = (const char *const[]){synopsis, NULL},
        .text = client->text,
        .sections = sections,
        .see_also = "brood(1), brood-up(1), brood-status(1)",
    };

    snprintf(synopsis, sizeof(synopsis), "%s %s", client->name, client->usage);
    help_print(&help, table, 1, format);
}

static int run_words(const struct client *client, struct ctl_call *call, int argc, char **argv) {
    const struct option_table table = {"Options", client->rows, client->n_rows, call};
    int count = options_parse_among(call->command, &table, 1, argc, argv);

    if (call->help) {
        print_help(client, &table, (enum help_format)call->help);
        return STATUS_OK;
    }
    if (count < 0)
        return STATUS_USAGE;
    if ((size_t)count > client->max_words) {
        fprintf(stderr, "%s: unexpected '%s'\n", call->command, argv[client->max_words]);
        return STATUS_USAGE;
    }
    call->words = (const char *const *)argv;
    call->n_words = (size_t)count;
    return client->run(call);
}

static int run_client(const char *name, int argc, char **argv) {
    struct ctl_call call = {.timeout = NSEC_NEVER, .condition = "ready"};
    size_t i = 0;
    char command[32];

    while (strcmp(clients[i].name, name) != 0)
        i++;
    snprintf(command, sizeof(command), "brood %s", name);
    call.command = command;
    return run_words(&clients[i], &call, argc, argv);
}

#define X(name)                                                                                    \
    int command_##name(int argc, char **argv) {                                                    \
        return run_client(#name, argc, argv);                                                      \
    }
CLIENT_COMMANDS(X)
#undef X
