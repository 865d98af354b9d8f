/* SPDX-License-Identifier: MIT */

/* brood logs: what workers have written, read from the files, so that nobody need run; with what a
 * running supervisor has not written yet. */

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "bin/commands.h"
#include "bin/conf_options.h"
#include "bin/help.h"
#include "bin/logs_show.h"
#include "bin/options.h"
#include "conf/readers.h"
#include "ctl/request.h"
#include "logs/when.h"
#include "sys/wall.h"
#include "wire/endpoint.h"

/* How many of the last lines come first where somebody follows. */
#define FOLLOW_LINES 10

struct logs_command {
    enum help_format help;
    bool follow, json, previous, reopen;
    struct {
        bool given;
        uint64_t value;
    } lines;
    const char *since, *until, *pattern, *directory, *socket, *config;

    struct query query;
    regex_t regex;
    bool has_regex;
    struct logs_lines out;
    struct logs_places places;
    struct logs_told told;
    bool has_failed;
};

static int read_lines(const char *text, void *field) {
    struct logs_command *c = container_of(field, struct logs_command, lines);

    c->lines.given = true;
    return read_count(text, &c->lines.value);
}

#define AT(member) offsetof(struct logs_command, member)

static const struct option_row rows[] = {
    {"follow", 'f', false, NULL, NULL, AT(follow), NULL,
        "go on with what is written from now on, over rotations and restarts"},
    {"lines", 'n', false, "N", read_lines, AT(lines), "a whole number",
        "only the last N lines (with -f: 10)"},
    {"since", 0, false, "TIME", read_text, AT(since), "a time", "from then on"},
    {"until", 0, false, "TIME", read_text, AT(until), "a time", "up to then"},
    {"grep", 0, false, "REGEX", read_text, AT(pattern), "a pattern",
        "only lines whose text matches (POSIX extended)"},
    {"previous", 0, false, NULL, NULL, AT(previous), NULL,
        "of each worker, only what the process before the last one wrote"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "one JSON object a line"},
    {"dir", 0, false, "DIR", read_text, AT(directory), "a directory",
        "where the logs are; no supervisor is asked then"},
    {"config", 'c', false, "PATH", read_text, AT(config), "a file or a directory",
        "where none runs: the configuration that says where logs are\n"
        "(default: /etc/brood, if it is there)"},
    {"reopen", 0, false, NULL, NULL, AT(reopen), NULL,
        "show nothing: tell the supervisor to open its files anew, as SIGUSR1 does"},
    {"socket", 0, false, "PATH", read_text, AT(socket), "a path",
        "the supervisor's socket (default: $BROOD_SOCKET, or brood/control.sock in "
        "$XDG_RUNTIME_DIR or /run)"},
    HELP_ROW(AT(help)),
};

static const struct help logs_help = {
    .name = "logs",
    .synopsis = (const char *const[]){"logs [POOL[/N]…] [OPTION…]", NULL},
    .text = "Shows what workers have written, read from the files where it is kept: over rotated "
            "and compressed ones, all pools by time. A running brood is asked where that is, and "
            "for what it has read and not written yet; but none need run.",
    .sections =
        (const struct help_section[]){
            {.heading = "Times",
                .text = "2026-11-22, \"2026-11-22 19:28\", 19:28, yesterday, @1795375738 (seconds "
                        "since 1970), or a duration, which is that long ago: 10min. Local time, "
                        "unless it is as in the log, with Z at the end."},
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "fine"},
                        {"1", "something could not be read"},
                        {"2", "usage"},
                        {"4", "there is no log of that pool"},
                        {"5 … 8, 125", "of --reopen, as 'brood status' has them"},
                        {0},
                    }},
            {.heading = "Examples",
                .literal = "  brood logs -f\n"
                           "  brood logs web/3 -n 20 --since 10min --grep 'timed? ?out'\n"
                           "  brood logs web --previous       # of the processes that crashed\n"},
            {0},
        },
    .see_also =
        "brood(1), brood-up(1), brood-status(1), brood-events(1), brood.conf(5), journalctl(1)",
};

static int usage(const char *what, const char *word, const char *expected) {
    fprintf(
        stderr, "brood logs: %s '%s' is not %s; see 'brood logs --help'\n", what, word, expected);
    return STATUS_USAGE;
}

static int take_subject(struct logs_command *c, const char *word) {
    struct query *query = &c->query;
    struct query_subject *grown =
        reallocarray(query->subjects, query->n_subjects + 1, sizeof(*grown));

    if (!grown)
        return STATUS_INTERNAL;
    query->subjects = grown;
    if (query_subject_parse(word, &grown[query->n_subjects]) < 0)
        return usage("word", word, "POOL or POOL/N");
    query->n_subjects++;
    return STATUS_OK;
}

/* Options and names of pools in any order. */
static int parse_words(
    struct logs_command *c, const struct option_table *table, int argc, char **argv) {
    while (argc > 0) {
        int used = options_parse("brood logs", table, 1, argc, argv);

        if (used < 0)
            return STATUS_USAGE;
        argc -= used;
        argv += used;
        if (argc == 0)
            break;
        int status = take_subject(c, *argv);
        if (status != STATUS_OK)
            return status;
        argc--;
        argv++;
    }
    return STATUS_OK;
}

static int compile_pattern(struct logs_command *c) {
    char why[256];
    int r = regcomp(&c->regex, c->pattern, REG_EXTENDED);

    if (r != 0) {
        regerror(r, &c->regex, why, sizeof(why));
        fprintf(stderr, "brood logs: --grep '%s': %s\n", c->pattern, why);
        return STATUS_USAGE;
    }
    c->has_regex = true;
    c->query.pattern = &c->regex;
    return STATUS_OK;
}

static int prepare(struct logs_command *c) {
    uint64_t now = wall_clock();

    c->query.until = UINT64_MAX;
    c->query.previous = c->previous;
    if (c->since && when_parse(c->since, now, &c->query.since) < 0)
        return usage("--since", c->since, "a time");
    if (c->until && when_parse(c->until, now, &c->query.until) < 0)
        return usage("--until", c->until, "a time");
    if (c->follow && !c->lines.given && !c->since) {
        c->lines.given = true;
        c->lines.value = FOLLOW_LINES;
    }
    c->out = logs_lines_init(c->json);
    return c->pattern ? compile_pattern(c) : STATUS_OK;
}

/* Where nobody tells: where a supervisor with that socket would keep logs. -ENAMETOOLONG. */
static int default_directory(const struct logs_command *c, char *path, bool *ret_is_usual) {
    struct endpoint endpoint;
    char buffer[PATH_MAX];

    if (endpoint_choose(c->socket, &endpoint) < 0)
        return -ENAMETOOLONG;
    const char *identity = endpoint_identity(&endpoint, buffer);
    *ret_is_usual = !identity;
    return archive_default_directory(identity, path, PATH_MAX);
}

/* Returns an exit status. */
static int choose_without_supervisor(struct logs_command *c) {
    char fallback[PATH_MAX];
    bool is_usual = false;
    const char *config = c->config;

    if (default_directory(c, fallback, &is_usual) < 0) {
        fprintf(stderr, "brood logs: the path of the control socket is too long\n");
        return STATUS_USAGE;
    }
    if (!config && is_usual && access(CONF_DEFAULT_DIRECTORY, F_OK) == 0)
        config = CONF_DEFAULT_DIRECTORY;
    int r = config ? logs_places_read(&c->places, config, fallback) : 0;
    if (r == -EBADMSG && c->config)
        return STATUS_USAGE;
    r = logs_places_choose(&c->places, &c->query, fallback);
    return r < 0 ? conf_fail("brood logs", r) : STATUS_OK;
}

/* Returns an exit status. */
static int choose_places(struct logs_command *c) {
    int r;

    if (c->directory) {
        r = logs_places_add(&c->places, c->directory);
        return r < 0 ? conf_fail("brood logs", r) : STATUS_OK;
    }
    c->told = logs_told_init(c->socket);
    r = logs_told_ask_places(&c->told, &c->places);
    if (r >= 0 && (!c->told.listens || !c->told.fallback))
        return choose_without_supervisor(c);
    if (r >= 0)
        r = logs_places_choose(&c->places, &c->query, c->told.fallback);
    return r < 0 ? conf_fail("brood logs", r) : STATUS_OK;
}

/* Says of who is asked for, where that is in no file, where it is. False: of nobody. */
static bool explain(const struct logs_command *c) {
    const struct query *query = &c->query;
    bool explained = false;

    for (size_t i = 0; i < query->n_subjects; i++)
        explained |= logs_places_explain(&c->places, query->subjects[i].pool);
    for (size_t i = 0; i < c->places.n_pools && query->n_subjects == 0; i++)
        explained |= logs_places_explain(&c->places, c->places.pools[i].name);
    return explained;
}

static void tell_place(const struct logs_command *c, const struct logs_place *place, int error) {
    fprintf(stderr, "brood logs: %s: %s%s\n", place->path, strerror(error),
        error == ENOENT && !c->directory ? "; --dir says where else to look" : "");
}

static int refuse_subjects(const struct logs_command *c) {
    const struct query *query = &c->query;

    for (size_t i = 0; i < query->n_subjects; i++)
        fprintf(stderr,
            "brood logs: there is no log of '%s' in %s; --dir says where else to look\n",
            query->subjects[i].pool, c->places.list[0].path);
    return STATUS_NO_SUCH_POOL;
}

/* One that is not there has no logs; where there is none at all, that is said. */
static int open_places(struct logs_command *c) {
    size_t n_open = 0;

    for (size_t i = 0; i < c->places.count; i++) {
        struct logs_place *place = &c->places.list[i];

        place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        n_open += place->fd >= 0;
        if (place->fd >= 0 || errno == ENOENT)
            continue;
        tell_place(c, place, errno);
        c->has_failed = true;
    }
    if (n_open > 0)
        return STATUS_OK;
    if (!c->has_failed && explain(c))
        return STATUS_NO_SUCH_POOL;
    if (!c->has_failed && !c->directory && c->query.n_subjects > 0 && c->places.count > 0)
        return refuse_subjects(c);
    for (size_t i = 0; i < c->places.count && !c->has_failed; i++)
        tell_place(c, &c->places.list[i], ENOENT);
    return STATUS_UNCLEAN;
}

static int show(struct logs_command *c) {
    struct logs_show what = {
        .query = &c->query,
        .places = &c->places,
        .told = &c->told,
        .out = &c->out,
        .follow = c->follow,
        .has_last = c->lines.given,
        .last = c->lines.value,
    };
    int status = logs_show(&what);

    return status == STATUS_OK && c->has_failed ? STATUS_UNCLEAN : status;
}

static int reopen(const struct logs_command *c) {
    const struct ctl_call call = {
        .command = "brood logs", .socket = c->socket, .timeout = NSEC_NEVER};

    return request_run_one_take(&call, "io.brood.ReopenLogs", REQUEST_PROMPT, json_object());
}

static void finish(struct logs_command *c) {
    if (c->has_regex)
        regfree(&c->regex);
    logs_places_finish(&c->places);
    logs_told_finish(&c->told);
    logs_lines_finish(&c->out);
    free(c->query.subjects);
}

int command_logs(int argc, char **argv) {
    struct logs_command c = {0};
    struct option_table table = {"Options", rows, ELEMENTS(rows), &c};
    int status = parse_words(&c, &table, argc, argv);

    if (status == STATUS_OK && c.help)
        help_print(&logs_help, &table, 1, c.help);
    else if (status == STATUS_OK && c.reopen)
        status = reopen(&c);
    else {
        status = status == STATUS_OK ? prepare(&c) : status;
        status = status == STATUS_OK ? choose_places(&c) : status;
        status = status == STATUS_OK ? open_places(&c) : status;
        status = status == STATUS_OK ? show(&c) : status;
    }
    finish(&c);
    return status;
}
