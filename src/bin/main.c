/* SPDX-License-Identifier: MIT */

/* The table of commands. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "bin/commands.h"
#include "bin/help_directive.h"
#include "bin/help_man.h"
#include "bin/options.h"
#include "conf/directive.h"

static const char about[] =
    "brood keeps programs running: one daemon, or a pool of workers that die often and are\n"
    "back at once.";

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

/* How `brood help` groups them. */
enum group { GROUP_RUN, GROUP_CONTROL, GROUP_CONFIGURATION, GROUP_HELP, GROUP_MAX };

static const char *const groups[GROUP_MAX] = {
    [GROUP_RUN] = "Running things",
    [GROUP_CONTROL] = "Looking at them and changing them",
    [GROUP_CONFIGURATION] = "Configuration",
    [GROUP_HELP] = "Help",
};

static const struct command {
    const char *name;
    enum group group;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", GROUP_RUN, command_run, "keep a pool of workers running"},
    {"up", GROUP_RUN, command_up, "keep the pools of a configuration running"},
    {"daemonize", GROUP_RUN, command_daemonize, "detach one program from the terminal, done right"},
    {"pidfile", GROUP_RUN, command_pidfile,
        "ask for, signal or stop the daemon that holds a pidfile"},
    {"status", GROUP_CONTROL, command_status, "what runs: pools, workers, what they use"},
    {"top", GROUP_CONTROL, command_top, "the same, live"},
    {"logs", GROUP_CONTROL, command_logs, "what workers have written"},
    {"events", GROUP_CONTROL, command_events, "what has happened and happens, as JSON"},
    {"start", GROUP_CONTROL, command_start, "start pools or workers"},
    {"stop", GROUP_CONTROL, command_stop, "stop them, with all that they have started"},
    {"restart", GROUP_CONTROL, command_restart, "restart them, --rolling without a gap"},
    {"reload", GROUP_CONTROL, command_reload, "apply a changed configuration, or reload workers"},
    {"reset", GROUP_CONTROL, command_reset, "forget that they have failed"},
    {"scale", GROUP_CONTROL, command_scale, "more or fewer workers"},
    {"signal", GROUP_CONTROL, command_signal, "send them a signal"},
    {"wait", GROUP_CONTROL, command_wait, "wait until they are ready, stopped or failed"},
    {"shutdown", GROUP_CONTROL, command_shutdown, "stop all pools and the supervisor"},
    {"check", GROUP_CONFIGURATION, command_check,
        "look through a configuration without starting anything"},
    {"config", GROUP_CONFIGURATION, command_config, "show what a configuration comes to"},
    {"completion", GROUP_HELP, command_completion, "completion of this for bash, zsh and fish"},
    {"help", GROUP_HELP, command_help,
        "this text, or 'brood help COMMAND', 'brood help DIRECTIVE'"},
    {"version", GROUP_HELP, command_version, "the version"},
};

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *command_brief(const char *name) {
    const struct command *command = find_command(name);

    return command ? command->help : "";
}

const char *command_name(size_t index) {
    return index < ELEMENTS(commands) ? commands[index].name : NULL;
}

static int unknown_command(const char *name) {
    const char *names[ELEMENTS(commands)];

    for (size_t i = 0; i < ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    options_tell_unknown("brood", "command", name, names, ELEMENTS(names), "brood help");
    return STATUS_USAGE;
}

/* Nothing for a group without commands. */
static void print_group(enum group group) {
    const char *heading = groups[group];

    for (size_t i = 0; i < ELEMENTS(commands); i++) {
        if (commands[i].group != group)
            continue;
        if (heading)
            printf("\n%s:\n", heading);
        heading = NULL;
        printf("  %-12s%s\n", commands[i].name, commands[i].help);
    }
}

static void print_commands(void) {
    printf("usage: brood COMMAND [OPTION…]\n\n%s\n", about);
    for (enum group group = 0; group < GROUP_MAX; group++)
        print_group(group);
    printf("\n'brood COMMAND --help' says more, 'brood help directives' what a configuration may "
           "hold.\nTo begin with:\n"
           "  brood run -n 4 -- ./worker\n");
}

int command_explain(const char *name, const char *option) {
    const struct command *command = find_command(name);
    char *help[] = {(char *)option, NULL};

    return !command || command->run == command_help ? unknown_command(name) : command->run(1, help);
}

/* A command, a directive, or the word that was meant. */
static int help_about(const char *word, const char *option) {
    const char *nearest = conf_directive_nearest(word);

    if (find_command(word))
        return command_explain(word, option);
    if (strcmp(word, "directives") == 0) {
        help_directives();
        return STATUS_OK;
    }
    if (help_directive(word))
        return STATUS_OK;
    if (!isupper((unsigned char)*word) || !nearest)
        return unknown_command(word);
    fprintf(stderr, "brood: unknown directive '%s'; did you mean '%s'?\n", word, nearest);
    return STATUS_USAGE;
}

/* The man page of brood(1). */
static void print_man(void) {
    man_begin("brood", "1", "keep programs running");
    man_section("Synopsis");
    man_text("brood COMMAND [OPTION…]");
    man_section("Description");
    man_text(about);
    man_section("Commands");
    for (enum group group = 0; group < GROUP_MAX; group++) {
        man_subsection(groups[group]);
        for (size_t i = 0; i < ELEMENTS(commands); i++)
            if (commands[i].group == group) {
                man_term(commands[i].name);
                man_text(commands[i].help);
            }
    }
    man_section("See also");
    man_text("brood-run(1), brood-up(1), brood-status(1), brood.conf(5), libbrood(3)");
}

static int command_help(int argc, char **argv) {
    bool man = argc > 0 && strcmp(argv[0], "--man") == 0;

    argc -= man;
    argv += man;
    if (man && argc > 0 && strcmp(argv[0], "brood.conf") == 0) {
        help_print_conf_man();
        return STATUS_OK;
    }
    if (argc > 0)
        return help_about(argv[0], man ? "--help=man" : "--help");
    if (man)
        print_man();
    else
        print_commands();
    return STATUS_OK;
}

static int command_version(int argc, char **argv) {
    (void)argc, (void)argv;
    printf("brood %s\n", BROOD_VERSION);
    return STATUS_OK;
}

/* Whoever closed the standard descriptors shall not find something of ours under their numbers. */
static void fill_standard_descriptors(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDWR);
}

int main(int argc, char **argv) {
    fill_standard_descriptors();
    if (argc < 2) {
        fprintf(stderr, "brood: no command given; see 'brood help'\n");
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return command_help(0, NULL);
    if (strcmp(argv[1], "--version") == 0)
        return command_version(0, NULL);

    const struct command *command = find_command(argv[1]);
    return command ? command->run(argc - 2, argv + 2) : unknown_command(argv[1]);
}
