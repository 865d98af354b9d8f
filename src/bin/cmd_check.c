/* SPDX-License-Identifier: MIT */

/* brood check: whether `brood up` would take a configuration, and what it has to say about it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bin/commands.h"
#include "bin/conf_options.h"
#include "bin/help.h"

struct check_options {
    enum help_format help;
    bool strict;
    bool json;
};

#define AT(member) offsetof(struct check_options, member)

static const struct option_row rows[] = {
    {"strict", 0, false, NULL, NULL, AT(strict), NULL, "warnings are errors"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "one JSON object a message, on standard output"},
    HELP_ROW(AT(help)),
};

static const struct help check_help = {
    .name = "check",
    .synopsis = (const char *const[]){"check [OPTION…] [FILE|DIR]…", NULL},
    .text =
        "Reads configuration files (INI or .service) or a directory "
        "(default: " CONF_DEFAULT_DIRECTORY
        "), and says what is wrong with them, without starting anything. 'brood up' comes to the "
        "same verdict.",
    .sections =
        (const struct help_section[]){
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "fine, also with warnings"},
                        {"1", "errors, or warnings with --strict"},
                        {"2", "usage"},
                        {0},
                    }},
            {0},
        },
    .see_also = "brood(1), brood.conf(5), brood-config(1), brood-up(1)",
};

/* A directory among the words is DIR, the others are files. */
static int sort_out(char **words, int count, struct conf_sources *sources, const char **files) {
    for (int i = 0; i < count; i++) {
        struct stat status;

        if (stat(words[i], &status) < 0 || !S_ISDIR(status.st_mode)) {
            files[sources->n_files++] = words[i];
            continue;
        }
        if (sources->directory) {
            fprintf(stderr, "brood check: one directory at a time, not '%s' and '%s'\n",
                sources->directory, words[i]);
            return -EINVAL;
        }
        sources->directory = words[i];
    }
    sources->files = files;
    if (count == 0)
        sources->directory = CONF_DEFAULT_DIRECTORY;
    return 0;
}

static int check(const struct conf_sources *sources, const struct check_options *options) {
    struct conf_messages messages = {0};
    struct conf *conf = NULL;
    int r = conf_load(sources, &conf, &messages);

    if (r == 0)
        r = conf_check(conf, &messages);
    if (options->json)
        conf_print_json(&messages);
    else
        conf_print_messages(&messages);
    bool is_fine = messages.n_errors == 0 && !(options->strict && messages.count > 0);
    conf_messages_finish(&messages);
    conf_free(conf);
    if (r < 0 && r != -EBADMSG)
        return conf_fail("brood check", r);
    return is_fine ? STATUS_OK : STATUS_UNCLEAN;
}

int command_check(int argc, char **argv) {
    struct check_options options = {0};
    const struct option_table table = {"Options", rows, sizeof(rows) / sizeof(rows[0]), &options};
    struct conf_sources sources = {0};
    int n_words = options_parse_among("brood check", &table, 1, argc, argv);

    if (n_words < 0)
        return STATUS_USAGE;
    if (options.help) {
        help_print(&check_help, &table, 1, options.help);
        return STATUS_OK;
    }
    const char **files = calloc((size_t)n_words + 1, sizeof(*files));
    if (!files)
        return conf_fail("brood check", -ENOMEM);
    sources.strict = options.strict;
    int status =
        sort_out(argv, n_words, &sources, files) < 0 ? STATUS_USAGE : check(&sources, &options);
    free(files);
    return status;
}
