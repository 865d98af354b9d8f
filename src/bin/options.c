/* SPDX-License-Identifier: MIT */
#include "bin/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"

struct found {
    const struct option_row *row;
    const struct option_table *table;
};

static struct found find_name(
    const struct option_table *tables, size_t n_tables, const char *name, size_t length) {
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_rows; i++)
            if (strlen(tables[t].rows[i].name) == length &&
                strncmp(tables[t].rows[i].name, name, length) == 0)
                return (struct found){&tables[t].rows[i], &tables[t]};
    return (struct found){0};
}

static struct found find_letter(const struct option_table *tables, size_t n_tables, char letter) {
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_rows; i++)
            if (tables[t].rows[i].letter == letter)
                return (struct found){&tables[t].rows[i], &tables[t]};
    return (struct found){0};
}

void options_tell_unknown(const char *command, const char *thing, const char *word,
    const char *const *words, size_t n_words, const char *help) {
    const char *nearest = text_nearest(word, words, n_words);

    if (nearest)
        fprintf(stderr, "%s: unknown %s '%s'; did you mean '%s'?\n", command, thing, word, nearest);
    else
        fprintf(stderr, "%s: unknown %s '%s'; see '%s'\n", command, thing, word, help);
}

static const char *nearest_option(
    const struct option_table *tables, size_t n_tables, const char *name) {
    const char *names[128];
    size_t count = 0;

    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_rows && count < ELEMENTS(names); i++)
            names[count++] = tables[t].rows[i].name;
    return text_nearest(name, names, count);
}

static int unknown_option(const char *command, const struct option_table *tables, size_t n_tables,
    const char *name, size_t length) {
    char word[64];

    snprintf(word, sizeof(word), "%.*s", (int)MIN(length, (size_t)INT_MAX), name);
    const char *nearest = nearest_option(tables, n_tables, word);
    if (nearest)
        fprintf(
            stderr, "%s: unknown option '--%s'; did you mean '--%s'?\n", command, word, nearest);
    else
        fprintf(stderr, "%s: unknown option '--%s'; see '%s --help'\n", command, word, command);
    return -EINVAL;
}

static int set(const char *command, struct found found, const char *text) {
    void *field = (char *)found.table->target + found.row->offset;
    char suggestion[64];

    if (!found.row->argument) {
        *(bool *)field = true;
        return 0;
    }
    if (found.row->read(text, field) >= 0)
        return 0;
    fprintf(stderr, "%s: --%s: expected %s, not '%s'%s\n", command, found.row->name,
        found.row->expects, text ?: "",
        text_suggest_choice(text ?: "", found.row->expects, suggestion));
    return -EINVAL;
}

struct cursor {
    const char *command;
    const struct option_table *tables;
    size_t n_tables;
    int argc, at;
    char **argv;
};

/* The argument of an option: the rest of its word, or the next word. */
static int set_with(struct cursor *c, struct found found, const char *inline_text) {
    if (inline_text && !found.row->argument) {
        fprintf(stderr, "%s: --%s takes no argument\n", c->command, found.row->name);
        return -EINVAL;
    }
    if (inline_text || !found.row->argument || found.row->optional)
        return set(c->command, found, inline_text);
    if (c->at + 1 >= c->argc) {
        fprintf(stderr, "%s: --%s needs %s\n", c->command, found.row->name, found.row->argument);
        return -EINVAL;
    }
    return set(c->command, found, c->argv[++c->at]);
}

static int parse_long(struct cursor *c, const char *name) {
    size_t length = strcspn(name, "=");
    struct found found = find_name(c->tables, c->n_tables, name, length);

    if (!found.row)
        return unknown_option(c->command, c->tables, c->n_tables, name, length);
    return set_with(c, found, name[length] == '=' ? name + length + 1 : NULL);
}

/* "-n4", "-n 4", "-qn4": switches may stand together, the last may have its argument. */
static int parse_short(struct cursor *c, const char *letters) {
    for (; *letters != '\0'; letters++) {
        struct found found = find_letter(c->tables, c->n_tables, *letters);

        if (!found.row) {
            fprintf(stderr, "%s: unknown option '-%c'; see '%s --help'\n", c->command, *letters,
                c->command);
            return -EINVAL;
        }
        if (found.row->argument)
            return set_with(c, found, letters[1] != '\0' ? letters + 1 : NULL);
        set(c->command, found, NULL);
    }
    return 0;
}

int options_parse(const char *command, const struct option_table *tables, size_t n_tables, int argc,
    char **argv) {
    struct cursor c = {command, tables, n_tables, argc, 0, argv};

    for (; c.at < argc; c.at++) {
        const char *word = argv[c.at];
        int r;

        if (strcmp(word, "--") == 0)
            return c.at + 1;
        if (word[0] != '-' || word[1] == '\0' || isdigit((unsigned char)word[1]))
            return c.at;
        r = word[1] == '-' ? parse_long(&c, word + 2) : parse_short(&c, word + 1);
        if (r < 0)
            return r;
    }
    return argc;
}

int options_parse_among(const char *command, const struct option_table *tables, size_t n_tables,
    int argc, char **argv) {
    int n_words = 0, at = 0;

    while (at < argc) {
        int first = options_parse(command, tables, n_tables, argc - at, argv + at);

        if (first < 0)
            return first;
        at += first;
        bool all = first > 0 && strcmp(argv[at - 1], "--") == 0;
        do {
            if (at < argc)
                argv[n_words++] = argv[at++];
        } while (all && at < argc);
    }
    return n_words;
}

int options_make_absolute(const char *path, char absolute[PATH_MAX]) {
    absolute[0] = '\0';
    if (path[0] != '/' && !getcwd(absolute, PATH_MAX))
        return -errno;
    size_t length = strlen(absolute);
    int n = snprintf(absolute + length, PATH_MAX - length, "%s%s", length > 0 ? "/" : "", path);
    return n < (int)(PATH_MAX - length) ? 0 : -ENAMETOOLONG;
}
