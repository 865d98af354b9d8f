/* SPDX-License-Identifier: MIT */

/* brood completion: the scripts that complete its command line, and what they ask. */

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "bin/commands.h"
#include "bin/complete.h"
#include "bin/help.h"

/* The files of src/bin/completion. */
extern const char completion_bash[], completion_zsh[], completion_fish[];

static const struct shell {
    const char *name;
    const char *script;
} shells[] = {
    {"bash", completion_bash},
    {"zsh", completion_zsh},
    {"fish", completion_fish},
};

struct completion_options {
    enum help_format help;
};

static const struct option_row rows[] = {
    HELP_ROW(offsetof(struct completion_options, help)),
};

static const struct help completion_help = {
    .name = "completion",
    .synopsis = (const char *const[]){"completion bash|zsh|fish", "completion -- WORD…", NULL},
    .text =
        "Prints the script by which a shell completes brood's command line: commands, options and "
        "their values, the pools and workers of the supervisor that runs. 'meson install' puts "
        "it where shells look by themselves.\n\n"
        "The scripts know nothing themselves: they call 'brood completion --' with the words "
        "of the line so far, the last one perhaps empty, and get what may come next, a line "
        "each with a tab and what it means.",
    .sections =
        (const struct help_section[]){
            {.heading = "Exit status",
                .items = (const struct help_item[]){{"0", "done"}, {"2", "usage"}, {0}}},
            {.heading = "Examples",
                .literal =
                    "  eval \"$(brood completion bash)\"        # in ~/.bashrc\n"
                    "  eval \"$(brood completion zsh)\"         # in ~/.zshrc, after compinit\n"
                    "  brood completion fish | source         # in ~/.config/fish/config.fish\n"},
            {0},
        },
    .see_also = "brood(1)",
};

static int print_script(const char *name) {
    const char *names[ELEMENTS(shells)];

    for (size_t i = 0; i < ELEMENTS(shells); i++) {
        names[i] = shells[i].name;
        if (strcmp(shells[i].name, name) == 0) {
            fputs(shells[i].script, stdout);
            return STATUS_OK;
        }
    }
    options_tell_unknown(
        "brood completion", "shell", name, names, ELEMENTS(names), "brood completion --help");
    return STATUS_USAGE;
}

int command_completion(int argc, char **argv) {
    struct completion_options options = {0};
    const struct option_table table = {"Options", rows, ELEMENTS(rows), &options};

    if (argc > 0 && strcmp(argv[0], "--") == 0) {
        complete_print(argc - 1, argv + 1);
        return STATUS_OK;
    }
    int first = options_parse("brood completion", &table, 1, argc, argv);
    if (options.help) {
        help_print(&completion_help, &table, 1, options.help);
        return STATUS_OK;
    }
    if (first >= 0 && argc - first == 1)
        return print_script(argv[first]);
    if (first >= 0)
        fprintf(stderr, "brood completion: expected one shell: bash, zsh or fish\n");
    return STATUS_USAGE;
}
