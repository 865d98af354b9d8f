/* SPDX-License-Identifier: MIT */

/* brood up: the pools of a configuration, under control. */

#include <errno.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bin/commands.h"
#include "bin/conf_options.h"
#include "bin/supervisor_options.h"
#include "conf/readers.h"
#include "logs/archive.h"
#include "up/up.h"
#include "wire/endpoint.h"

struct up_command {
    struct word_list files;
    bool strict;
    const char *socket;
    struct conf_sources sources; /* absolute: a supervisor may move */
    char log_directory[PATH_MAX];
    struct supervisor_choices choices;
};

#define AT(member) offsetof(struct up_command, member)

static const struct option_row rows[] = {
    {"config", 'c', false, "FILE", read_word, AT(files), "a file",
        "read this file, and conf.d/*.conf beside it (again for more)"},
    {"strict", 0, false, NULL, NULL, AT(strict), NULL,
        "what cannot be enforced is an error, not a warning"},
    {"socket", 0, false, "PATH", read_text, AT(socket), "a path",
        "control socket (default: $BROOD_SOCKET, or brood/control.sock in $XDG_RUNTIME_DIR or "
        "/run)"},
};

static const struct help up_help = {
    .name = "up",
    .synopsis = (const char *const[]){"up [OPTION…] [DIR]", NULL},
    .text =
        "Starts every pool that the configuration defines, keeps its workers running, and listens "
        "on a control socket: 'brood status' shows them, 'brood reload' applies what has been "
        "changed, and nothing else. The configuration is brood.conf(5): systemd's grammar and "
        "vocabulary, and plain .service files.\n\n"
        "DIR (default: /etc/brood) holds brood.conf, further .service files, and conf.d/*.conf, "
        "which add to the former or override it.",
    .sections =
        (const struct help_section[]){
            {.heading = "Signals",
                .items =
                    (const struct help_item[]){
                        {"SIGTERM, SIGINT, SIGQUIT", "stop everything gracefully; a second one: "
                                                     "at once"},
                        {"SIGHUP", "read the configuration again, as 'brood reload'"},
                        {"SIGUSR1", "open files anew: captured output, brood's own log"},
                        {0},
                    }},
            {.heading = "Environment",
                .items =
                    (const struct help_item[]){
                        {"NOTIFY_SOCKET", "told READY=1 when all is up (Type=notify of systemd)"},
                        {"BROOD_SOCKET", "the control socket, here and for all other commands"},
                        {"BROOD_LOOP", "as --loop"},
                        {0},
                    }},
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "stopped, and all workers ended cleanly"},
                        {"1", "some worker did not, or something could not be opened"},
                        {"2", "usage, a wrong configuration, or another brood has the socket"},
                        {"125", "brood failed"},
                        {0},
                    }},
            {.heading = "Examples",
                .literal =
                    "  brood up ./conf\n"
                    "  brood up -c web.conf -c worker.service --socket ./control.sock\n"
                    "  brood up --daemon --pidfile /run/brood.pid --log-file /var/log/brood.log\n"},
            {0},
        },
    .see_also = "brood(1), brood.conf(5), brood-status(1), brood-reload(1), brood-check(1)",
};

/* The directory that NotifySocket= names, made if need be; it outlives the configuration. */
static int take_notify_directory(const struct conf *conf, char **ret_directory) {
    const char *named = conf_brood(conf)->notify_socket;

    *ret_directory = named ? strdup(named) : NULL;
    if (named && (!*ret_directory || (mkdir(named, 0755) < 0 && errno != EEXIST))) {
        fprintf(stderr, "brood up: NotifySocket=%s: %s\n", named, strerror(errno));
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* Runs what has been read; `conf` is taken. */
static int run_up(struct up_command *command, struct up_options *options, struct conf *conf) {
    char *notify_directory;
    struct log_choice configured = conf_brood(conf)->log;
    struct up *up;
    int status = take_notify_directory(conf, &notify_directory);
    int r = 0;

    if (status == STATUS_OK)
        r = up_new_take(options, conf, &up);
    else
        conf_free(conf);
    if (r < 0)
        status = conf_fail("brood up", r);
    if (status == STATUS_OK) {
        struct supervised supervised = up_supervised(up);

        status = supervisor_run(&command->choices, &configured,
            (struct supervisor_options){
                .command = "brood up",
                .captures = true,
                .stop_signal = SIGTERM,
                .stop_timeout = 10 * NSEC_PER_SEC,
                .notify_directory = notify_directory,
            },
            &supervised);
        up_free(up);
    }
    free(notify_directory);
    return status;
}

static char *make_absolute(const char *path) {
    char *absolute = realpath(path, NULL);

    if (!absolute)
        fprintf(stderr, "brood up: %s: %s\n", path, strerror(errno));
    return absolute;
}

/* The last name stays as it is given: it names a unit's pool, and an instance need not be there. */
static char *make_file_absolute(const char *path) {
    const char *slash = strrchr(path, '/');
    char *named = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *directory = named ? make_absolute(named) : NULL, *absolute = NULL;

    if (directory && asprintf(&absolute, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory,
                         slash ? slash + 1 : path) < 0)
        absolute = NULL;
    free(directory);
    free(named);
    return absolute;
}

/* -EINVAL after a message. */
static int take_sources(struct up_command *command, int argc, char **argv) {
    struct conf_sources *sources = &command->sources;
    const char *directory = argc > 0                    ? argv[0]
                            : command->files.count == 0 ? CONF_DEFAULT_DIRECTORY
                                                        : NULL;

    if (argc > 1) {
        fprintf(stderr, "brood up: one directory at the most, not also '%s'\n", argv[1]);
        return -EINVAL;
    }
    sources->strict = command->strict;
    if (directory) {
        sources->directory = make_absolute(directory);
        if (!sources->directory)
            return -EINVAL;
    }
    sources->files = command->files.words;
    for (; sources->n_files < command->files.count; sources->n_files++) {
        char *absolute = make_file_absolute(command->files.words[sources->n_files]);

        if (!absolute)
            return -EINVAL;
        command->files.words[sources->n_files] = absolute;
    }
    return 0;
}

static void finish(struct up_command *command) {
    for (size_t i = 0; i < command->sources.n_files; i++)
        free((char *)command->files.words[i]);
    free((char *)command->sources.directory);
    free(command->files.words);
}

/* Returns an exit status. */
static int load(const struct conf_sources *sources, struct conf **ret_conf) {
    struct conf_messages messages = {0};
    int r = conf_load(sources, ret_conf, &messages);

    conf_print_messages(&messages);
    conf_messages_finish(&messages);
    if (r == -EBADMSG) {
        fprintf(stderr, "brood up: the configuration has errors: nothing was started\n");
        return STATUS_USAGE;
    }
    if (r < 0)
        return conf_fail("brood up", r);
    if (conf_n_pools(*ret_conf) == 0)
        fprintf(stderr, "brood up: the configuration defines no pool\n");
    return STATUS_OK;
}

/* A daemon has another working directory. */
static int choose_places(struct up_command *command, struct endpoint *ret_socket) {
    char buffer[PATH_MAX];

    if (endpoint_choose(command->socket, ret_socket) < 0) {
        fprintf(stderr, "brood up: the path of the control socket is too long\n");
        return -ENAMETOOLONG;
    }
    const char *identity = endpoint_identity(ret_socket, buffer);
    if (ret_socket->path[0] != '/' && strlen(buffer) < sizeof(ret_socket->path))
        strcpy(ret_socket->path, buffer);
    int r =
        archive_default_directory(identity, command->log_directory, sizeof(command->log_directory));
    if (r < 0)
        fprintf(stderr, "brood up: the path of the directory for logs is too long\n");
    return r;
}

static int start(struct up_command *command) {
    struct endpoint socket;
    struct conf *conf;

    if (choose_places(command, &socket) < 0)
        return STATUS_USAGE;
    int status = load(&command->sources, &conf);
    if (status != STATUS_OK)
        return status;
    const char *notify = getenv("NOTIFY_SOCKET");
    struct up_options options = {
        .socket = socket.path,
        .version = BROOD_VERSION,
        .notify = notify ? strdupa(notify) : NULL,
        .service.sources = command->sources,
        .service.surroundings = surroundings_prepare(true),
    };
    options.service.surroundings.log_directory = command->log_directory;
    unsetenv("NOTIFY_SOCKET"); /* it is ours, and not for workers */
    return run_up(command, &options, conf);
}

int command_up(int argc, char **argv) {
    struct up_command command = {0};
    const struct option_table tables[] = {
        {"Configuration and control", rows, ELEMENTS(rows), &command},
        supervisor_choices_table(&command.choices),
    };
    int status = STATUS_USAGE;

    if (supervisor_choices_init("brood up", &command.choices) < 0)
        return STATUS_USAGE;
    int n_words = options_parse_among("brood up", tables, ELEMENTS(tables), argc, argv);
    if (command.choices.help) {
        help_print(&up_help, tables, ELEMENTS(tables), command.choices.help);
        status = STATUS_OK;
    } else if (n_words >= 0 && supervisor_choices_are_sane("brood up", &command.choices) &&
               take_sources(&command, n_words, argv) == 0)
        status = start(&command);
    finish(&command);
    return status;
}
