/* SPDX-License-Identifier: MIT */

/* brood config show: what a configuration comes to, and where each value was said. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bin/commands.h"
#include "bin/conf_options.h"
#include "bin/help.h"
#include "conf/readers.h"
#include "conf/show.h"

struct config_options {
    enum help_format help;
    bool json;
    struct word_list files;
};

#define AT(member) offsetof(struct config_options, member)

static const struct option_row rows[] = {
    {"config", 'c', false, "FILE", read_word, AT(files), "a file",
        "an INI file or a .service file (again for more)"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "one JSON object"},
    HELP_ROW(AT(help)),
};

static const struct help config_help = {
    .name = "config",
    .synopsis = (const char *const[]){"config show [OPTION…] [DIR] [POOL]", NULL},
    .text =
        "Shows every directive with its value, after drop-ins, templates and defaults, and before "
        "it the file and line where it was said. DIR has a slash in it; "
        "default: " CONF_DEFAULT_DIRECTORY ".",
    .sections =
        (const struct help_section[]){
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "shown"},
                        {"1", "errors in the configuration"},
                        {"2", "usage"},
                        {"4", "no such pool"},
                        {0},
                    }},
            {0},
        },
    .see_also = "brood(1), brood.conf(5), brood-check(1), brood-up(1)",
};

static int no_such_pool(const struct conf *conf, const char *name) {
    const char **names = calloc(conf_n_pools(conf) + 1, sizeof(*names));
    size_t count = names ? conf_n_pools(conf) : 0;

    for (size_t i = 0; i < count; i++)
        names[i] = conf_pool_at(conf, i)->name;
    options_tell_unknown("brood config show", "pool", name, names, count, "brood config show");
    free(names);
    return STATUS_NO_SUCH_POOL;
}

static int show(const struct conf *conf, const char *name, bool json) {
    const struct conf_pool *pool = name ? conf_find_pool(conf, name) : NULL;

    if (name && !pool)
        return no_such_pool(conf, name);
    if (json)
        conf_show_json(conf, pool, stdout);
    else
        conf_show(conf, pool, stdout);
    return STATUS_OK;
}

static int load_and_show(const struct conf_sources *sources, const char *name, bool json) {
    struct conf_messages messages = {0};
    struct conf *conf = NULL;
    int r = conf_load(sources, &conf, &messages), status = STATUS_UNCLEAN;

    conf_print_messages(&messages);
    if (r == 0)
        status = show(conf, name, json);
    else if (r != -EBADMSG)
        status = conf_fail("brood config show", r);
    conf_messages_finish(&messages);
    conf_free(conf);
    return status;
}

static int usage(const char *text, const char *word) {
    fprintf(stderr, "brood config: %s%s; see 'brood config --help'\n", text, word);
    return STATUS_USAGE;
}

int command_config(int argc, char **argv) {
    struct config_options options = {0};
    const struct option_table table = {"Options", rows, sizeof(rows) / sizeof(rows[0]), &options};
    int n_words = options_parse_among("brood config", &table, 1, argc, argv), status;
    bool has_verb = n_words > 0;
    char **words = argv + has_verb;
    struct conf_sources sources = {0};

    n_words -= has_verb;
    if (n_words > 0 && strchr(words[0], '/')) {
        sources.directory = *words++;
        n_words--;
    }
    sources.files = options.files.words;
    sources.n_files = options.files.count;
    if (sources.n_files == 0 && !sources.directory)
        sources.directory = CONF_DEFAULT_DIRECTORY;
    if (options.help) {
        help_print(&config_help, &table, 1, options.help);
        status = STATUS_OK;
    } else if (n_words < 0) {
        status = STATUS_USAGE;
    } else if (!has_verb || strcmp(argv[0], "show") != 0) {
        status = usage("there is 'brood config show', not ", has_verb ? argv[0] : "nothing");
    } else if (n_words > 1) {
        status = usage("one pool at a time, not ", words[1]);
    } else {
        status = load_and_show(&sources, n_words > 0 ? words[0] : NULL, options.json);
    }
    free(options.files.words);
    return status;
}
