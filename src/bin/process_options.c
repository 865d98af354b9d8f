/* SPDX-License-Identifier: MIT */
#include "bin/process_options.h"

#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct process_options, member)

static const struct option_row rows[] = {
    {"chdir", 0, false, "DIR", read_text, AT(directory), "a directory", "working directory"},
    {"umask", 0, false, "MODE", read_mode, AT(umask), "an octal mode such as 022",
        "file mode creation mask"},
    {"stdin", 0, false, "WHERE", read_stdio, AT(stdio[0]), "inherit, null or file:PATH",
        "inherit, null or file:PATH"},
    {"stdout", 0, false, "WHERE", read_stdio, AT(stdio[1]),
        "inherit, null, file:PATH, append:PATH or truncate:PATH",
        "inherit, null, file:PATH, append:PATH, truncate:PATH"},
    {"stderr", 0, false, "WHERE", read_stdio, AT(stdio[2]),
        "inherit, null, file:PATH, append:PATH or truncate:PATH", "as --stdout"},
    {"env", 'e', false, "NAME=VALUE", read_word, AT(set_environment), "NAME=VALUE",
        "set a variable (again for more)"},
    {"env-file", 0, false, "FILE", read_word, AT(environment_files), "a file",
        "read variables from a file of NAME=VALUE lines"},
    {"unset-env", 0, false, "NAME", read_word, AT(unset_environment), "a name",
        "remove a variable"},
    {"clear-env", 0, false, NULL, NULL, AT(clear_environment), NULL,
        "start from an empty environment"},
    {"session", 0, false, NULL, NULL, AT(new_session), NULL,
        "a session of its own (default: a process group)"},
    {"user", 0, false, "USER", read_text, AT(user), "a user", "run as this user (name or number)"},
    {"group", 0, false, "GROUP", read_text, AT(group), "a group", "run with this group"},
    {"groups", 0, false, "LIST", read_text, AT(groups), "a list of groups",
        "supplementary groups (default: the user's)"},
    {"bounding-caps", 0, false, "LIST", read_text, AT(bounding_capabilities),
        "a list of capabilities", "keep only these capabilities in the bounding set"},
    {"ambient-caps", 0, false, "LIST", read_text, AT(ambient_capabilities),
        "a list of capabilities", "give these capabilities to an unprivileged user"},
    {"no-new-privs", 0, false, NULL, NULL, AT(no_new_privileges), NULL,
        "no set-user-ID program raises privileges below"},
    {"limit", 0, false, "NAME=SOFT[:HARD]", read_limit, AT(limits),
        "NAME=SOFT[:HARD], as in NOFILE=1024:4096 or AS=64M",
        "resource limit: NOFILE=1024, AS=64M, CORE=infinity, …"},
    {"nice", 0, false, "N", read_nice, AT(nice), "a whole number from -20 to 19",
        "scheduling priority"},
    {"cpus", 0, false, "LIST", read_cpus, AT(cpus), "a list of CPUs such as 0-3,6", "CPU affinity"},
    {"oom-score", 0, false, "N", read_oom_score, AT(oom_score), "a whole number from -1000 to 1000",
        "out-of-memory score adjustment"},
    {"parent-death-signal", 0, false, "SIGNAL", read_signal, AT(parent_death_signal), "a signal",
        "sent to each worker when brood dies"},
    {"literal", 0, false, NULL, NULL, AT(literal), NULL,
        "leave %i, %p, %w, %g, %% in the command as they are"},
};

struct option_table process_options_table(struct process_options *options) {
    return (struct option_table){"Process", rows, ELEMENTS(rows), options};
}

struct plan_spec process_options_plan(const struct process_options *options, const char *pool,
    uint32_t n_workers, const char *const *argv) {
    struct plan_spec spec = {
        .pool = pool,
        .n_workers = n_workers,
        .argv = argv,
        .literal = options->literal,
        .clear_environment = options->clear_environment,
        .set_environment = options->set_environment,
        .unset_environment = options->unset_environment,
        .environment_files = options->environment_files,
        .directory = options->directory,
        .has_umask = options->umask.given,
        .umask = options->umask.value,
        .new_session = options->new_session,
        .user = options->user,
        .group = options->group,
        .groups = options->groups,
        .bounding_capabilities = options->bounding_capabilities,
        .ambient_capabilities = options->ambient_capabilities,
        .no_new_privileges = options->no_new_privileges,
        .has_nice = options->nice.given,
        .nice = options->nice.value,
        .cpus = options->cpus.given ? &options->cpus.value : NULL,
        .has_oom_score = options->oom_score.given,
        .oom_score = options->oom_score.value,
        .parent_death_signal = options->parent_death_signal,
    };

    memcpy(spec.stdio, options->stdio, sizeof(spec.stdio));
    memcpy(spec.limits, options->limits, sizeof(spec.limits));
    return spec;
}

void process_options_finish(struct process_options *options) {
    free(options->set_environment.words);
    free(options->unset_environment.words);
    free(options->environment_files.words);
}
