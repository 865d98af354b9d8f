/* SPDX-License-Identifier: MIT */
#include "bin/complete.h"

#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/signame.h"
#include "base/text.h"
#include "bin/commands.h"
#include "conf/directive.h"
#include "ctl/ctl.h"

/* Whoever has pressed a key waits: a supervisor that does not answer has no pools. */
#define PATIENCE_SECONDS 2

struct option {
    const char *name; /* "--timeout" */
    char letter;
    bool optional;
    const char *argument, *expects, *help; /* "" for none */
};

struct spec {
    char *text; /* owns what the others point into */
    const char *synopses[8];
    size_t n_synopses;
    struct option options[96];
    size_t n_options;
};

/* The line so far. */
struct line {
    const struct spec *spec;
    const char *current; /* the word under way, or the part of it after "=" */
    const char *lead;    /* what stands before that part in the same word, or "" */
    int lead_length;
    const struct option *pending; /* whose argument is under way */
    bool options_over;
    const char *words[64]; /* that are no options */
    size_t n_words;
    const char *socket;
};

static void offer(const struct line *line, const char *candidate, const char *about) {
    if (strncmp(candidate, line->current, strlen(line->current)) == 0)
        printf("%.*s%s\t%s\n", line->lead_length, line->lead, candidate, about);
}

/* Runs `brood COMMAND --help=words` within this process. */
static char *capture_words(const char *command) {
    FILE *real = stdout;
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);

    if (!memory)
        return NULL;
    stdout = memory;
    command_explain(command, "--help=words");
    stdout = real;
    fclose(memory);
    return text;
}

static struct option read_option(char *row) {
    struct option option = {.name = strsep(&row, "\t")};

    option.letter = *(strsep(&row, "\t") ?: "-");
    option.argument = strsep(&row, "\t") ?: "";
    option.optional = *(strsep(&row, "\t") ?: "") != '\0';
    option.expects = strsep(&row, "\t") ?: "";
    option.help = strsep(&row, "\t") ?: "";
    return option;
}

static void read_spec(const char *command, struct spec *ret_spec) {
    char *cursor = capture_words(command), *row;

    *ret_spec = (struct spec){.text = cursor};
    while ((row = strsep(&cursor, "\n")))
        if (strncmp(row, "--", 2) == 0 && ret_spec->n_options < ELEMENTS(ret_spec->options))
            ret_spec->options[ret_spec->n_options++] = read_option(row);
        else if (*row != '\0' && ret_spec->n_synopses < ELEMENTS(ret_spec->synopses))
            ret_spec->synopses[ret_spec->n_synopses++] = row;
}

static const struct option *find_option(const struct spec *spec, const char *word) {
    size_t length = strcspn(word, "=");

    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option *option = &spec->options[i];

        if (word[1] == '-'
                ? strlen(option->name) == length && strncmp(option->name, word, length) == 0
                : option->letter == word[strlen(word) - 1])
            return option;
    }
    return NULL;
}

static bool wants_argument(const struct option *option) {
    return option && *option->argument != '\0' && !option->optional;
}

static void take_argument(struct line *line, const struct option *option, const char *text) {
    if (option && strcmp(option->name, "--socket") == 0)
        line->socket = text;
}

/* bash hands "--for=ready" over as three words. */
static bool is_equals(int at, int n_words, char **words) {
    return at < n_words && strcmp(words[at], "=") == 0;
}

/*
 * Reads the finished words as the command would. Returns the index of the first word of another
 * command's line, or -1.
 */
static int read_line(struct line *line, int n_words, char **words, bool runs_command) {
    int last = n_words - 1;

    for (int i = 1; i < last; i++) {
        const char *word = words[i];
        bool is_option = !line->options_over && word[0] == '-' && word[1] != '\0';

        if (is_option && strcmp(word, "--") == 0) {
            line->options_over = true;
        } else if (is_option) {
            const struct option *option = find_option(line->spec, word);
            bool parted = is_equals(i + 1, last, words);

            if (strchr(word, '='))
                take_argument(line, option, strchr(word, '=') + 1);
            else if (parted || wants_argument(option)) {
                i += parted + 1;
                line->pending = i >= last ? option : NULL;
                take_argument(line, option, i < last ? words[i] : NULL);
            }
        } else if (runs_command)
            return i;
        else if (line->n_words < ELEMENTS(line->words))
            line->words[line->n_words++] = word;
    }
    return -1;
}

/* The word under way: an option's argument may be a part of it, or come after a "=" of its own. */
static void read_current(struct line *line, int n_words, char **words) {
    const char *equals = strchr(line->current, '=');

    if (is_equals(n_words - 1, n_words, words) && n_words > 2) {
        line->pending = find_option(line->spec, words[n_words - 2]);
        line->current = "";
    } else if (!line->pending && !line->options_over && equals &&
               strncmp(line->current, "--", 2) == 0) {
        line->pending = find_option(line->spec, line->current);
        line->lead = line->current;
        line->lead_length = (int)(equals + 1 - line->current);
        line->current = equals + 1;
    }
}

/* Candidates of one kind; `argument` is as the synopsis or the option's row has it. */

static void offer_files(const struct line *line, const char *argument) {
    (void)line, (void)argument;
    puts(":files");
}

static void offer_directories(const struct line *line, const char *argument) {
    (void)line, (void)argument;
    puts(":directories");
}

static void offer_users(const struct line *line, const char *argument) {
    (void)line, (void)argument;
    puts(":users");
}

static void offer_groups(const struct line *line, const char *argument) {
    (void)line, (void)argument;
    puts(":groups");
}

static void offer_signals(const struct line *line, const char *argument) {
    bool whole = strncmp(line->current, "SIG", 3) == 0;
    char name[24];

    (void)argument;
    for (int number = 1; number < SIGSYS + 1; number++) {
        signame_format(number, name);
        if (strncmp(name, "SIG", 3) == 0)
            offer(line, whole ? name : name + 3, "");
    }
}

static void offer_name(void *data, const char *name, const char *about) {
    offer(data, name, about);
}

/* "POOL[/N]": workers once there is a slash. */
static void offer_pools(const struct line *line, const char *argument) {
    const struct ctl_call call = {
        .command = "brood completion", .socket = line->socket, .timeout = NSEC_NEVER};
    const char *slash = strchr(argument, '/') ? strchr(line->current, '/') : NULL;
    char *pool = slash ? strndup(line->current, (size_t)(slash - line->current)) : NULL;

    ctl_names(&call, pool, offer_name, (void *)line);
    free(pool);
}

static void offer_commands(const struct line *line) {
    const char *name;

    for (size_t i = 0; (name = command_name(i)); i++)
        offer(line, name, command_brief(name));
}

static const struct kind {
    const char *argument; /* a synopsis' or an option's word that begins so */
    void (*offer)(const struct line *line, const char *argument);
} kinds[] = {
    {"FILE", offer_files},
    {"PATH", offer_files},
    {"DIR", offer_directories},
    {"USER", offer_users},
    {"GROUP", offer_groups},
    {"SIGNAL", offer_signals},
    {"POOL", offer_pools},
};

static bool offer_kind(const struct line *line, const char *argument) {
    size_t length = 0;

    while (isupper((unsigned char)argument[length]))
        length++;
    for (size_t i = 0; i < ELEMENTS(kinds); i++)
        if (strlen(kinds[i].argument) == length &&
            strncmp(kinds[i].argument, argument, length) == 0) {
            kinds[i].offer(line, argument);
            return true;
        }
    return false;
}

static bool is_literal(const char *text) {
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz-")] == '\0' && *text != '\0';
}

/* "no, on-failure or always" are words; "a whole number from 1 to 9" is not. */
static void offer_expected(const struct line *line, const char *expects) {
    const char *words[16];
    char *copy = strdup(expects);
    size_t count = copy ? text_split_choices(copy, words, ELEMENTS(words)) : 0;

    for (size_t i = 0; i < count; i++)
        if (is_literal(words[i]))
            offer(line, words[i], "");
    free(copy);
}

static void offer_argument(const struct line *line) {
    if (!offer_kind(line, line->pending->argument))
        offer_expected(line, line->pending->expects);
}

static void offer_options(const struct line *line) {
    for (size_t i = 0; i < line->spec->n_options; i++)
        offer(line, line->spec->options[i].name, line->spec->options[i].help);
}

/*
 * A synopsis, token by token: "[POOL[/N]… | --all]" is one place with two choices, "…" a place that
 * repeats, "status|stop" a choice of words that have to be met. "[OPTION…]" and the like are none.
 */
struct place {
    char choices[128];
    bool repeats;
};

static size_t read_places(const char *synopsis, struct place *places, size_t max) {
    char *copy = strdup(synopsis), *cursor = copy, *token;
    size_t count = 0;
    bool joined = false, is_name = true;

    while (copy && (token = strsep(&cursor, " "))) {
        bool bar = strcmp(token, "|") == 0;
        bool is_place = !is_name && !bar && !strstr(token, "OPTION") && strcmp(token, "[--]") != 0;

        is_name = false;
        if (is_place && joined && count > 0) {
            size_t used = strlen(places[count - 1].choices);

            snprintf(
                places[count - 1].choices + used, sizeof(places->choices) - used, "|%s", token);
        } else if (is_place && count < max) {
            places[count].repeats = strstr(token, "…") != NULL;
            snprintf(places[count++].choices, sizeof(places->choices), "%s", token);
        }
        joined = bar;
    }
    free(copy);
    return count;
}

/* Strips what is round a choice: "[POOL[/N]…" → "POOL[/N]". */
static void clean(char *choice) {
    char *dots = strstr(choice, "…");

    if (dots)
        *dots = '\0';
    memmove(choice, choice + strspn(choice, "["), strlen(choice + strspn(choice, "[")) + 1);
    size_t length = strlen(choice);
    while (length > 0 && choice[length - 1] == ']' && !strchr(choice, '['))
        choice[--length] = '\0';
}

/* What each choice of a place is good for: to be met by a word, or to be offered. */
static bool each_choice(const struct place *place, const char *word, const struct line *line) {
    char copy[sizeof(place->choices)], *cursor = copy, *choice;
    bool literals = false, met = false;

    memcpy(copy, place->choices, sizeof(copy));
    while ((choice = strsep(&cursor, "|"))) {
        clean(choice);
        literals |= is_literal(choice) && choice[0] != '-';
        met |= word && strcmp(choice, word) == 0;
        if (line && is_literal(choice) && choice[0] != '-')
            offer(line, choice, "");
        else if (line)
            offer_kind(line, choice);
    }
    return met || !literals;
}

/* The places of a synopsis that the next word can take, if the words so far can be its. */
static void offer_synopsis(const struct line *line, const char *synopsis) {
    struct place places[8];
    size_t count = read_places(synopsis, places, ELEMENTS(places));
    size_t at = line->n_words;
    bool repeats = false;

    for (size_t i = 0; i < MIN(at, count); i++)
        if (!each_choice(&places[i], line->words[i], NULL))
            return;
    for (size_t i = 0; i < count; i++) {
        repeats |= places[i].repeats;
        if (i == at || (repeats && i <= at))
            each_choice(&places[i], NULL, line);
    }
}

/* What 'brood help' can be asked about. */
static void offer_topics(const struct line *line) {
    const struct conf_directive *directive;
    char about[256];

    offer_commands(line);
    offer(line, "directives", "what a configuration may hold");
    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        /* The first sentence, without its end. */
        const char *end = strstr(directive->help, ". ") ?: strrchr(directive->help, '.');

        snprintf(about, sizeof(about), "%.*s", end ? (int)(end - directive->help) : INT_MAX,
            directive->help);
        offer(line, directive->name, about);
    }
}

static bool runs_command(const struct spec *spec) {
    for (size_t i = 0; i < spec->n_synopses; i++)
        if (strstr(spec->synopses[i], " COMMAND"))
            return true;
    return false;
}

static void complete_command(int n_words, char **words) {
    struct spec spec;
    struct line line = {.spec = &spec, .current = words[n_words - 1], .lead = ""};

    read_spec(words[0], &spec);
    int other = read_line(&line, n_words, words, runs_command(&spec));
    read_current(&line, n_words, words);
    bool option = !line.options_over && line.current[0] == '-';
    if (other < 0 && !line.pending && !option && runs_command(&spec))
        other = n_words - 1;
    if (other >= 0)
        printf(":command %d\n", other);
    else if (line.pending)
        offer_argument(&line);
    else if (option)
        offer_options(&line);
    else
        for (size_t i = 0; i < spec.n_synopses; i++)
            offer_synopsis(&line, spec.synopses[i]);
    free(spec.text);
}

void complete_print(int n_words, char **words) {
    const struct line line = {.current = n_words > 0 ? words[n_words - 1] : "", .lead = ""};

    /* Nobody reads complaints between two keys. */
    if (!freopen("/dev/null", "w", stderr))
        return;
    alarm(PATIENCE_SECONDS);
    if (n_words == 2 && strcmp(words[0], "help") == 0)
        offer_topics(&line);
    else if (n_words > 1)
        complete_command(n_words, words);
    else
        offer_commands(&line);
}
