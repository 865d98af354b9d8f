/* SPDX-License-Identifier: MIT */

/*
 * The environment of a pool, in the order in which later wins: what is passed on, what User= makes
 * of it, Environment=, and the files, as systemd.exec(5) has it. The files are read here, once:
 * what they hold is a part of what the pool is.
 */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/values.h"
#include "conf/words.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define BLANKS       "\t\n\r "

/* NAME=VALUE, the value as it is. */
static int add(struct conf_reader *reader, struct word_list *list, const char *name,
    size_t name_length, const char *value) {
    const char *escaped = specifiers_escape(reader->arena, value);

    if (!escaped)
        return -ENOMEM;
    return word_list_add(reader->arena, list,
        arena_format(reader->arena, "%.*s=%s", (int)name_length, name, escaped));
}

/* The value of a line in place: one pair of quotes, or none; a backslash takes what follows. */
static void unquote(char *value) {
    char *to = value, quote = '\0', *end = value;

    for (char *from = value; *from != '\0'; from++) {
        if (!quote && (*from == '"' || *from == '\'')) {
            quote = *from;
        } else if (*from == quote) {
            quote = '\0';
        } else {
            bool escapes = *from == '\\' && quote != '\'' && from[1] != '\0' &&
                           (!quote || strchr("\"\\`$", from[1]));

            from += escapes;
            *to++ = *from;
            /* Blanks at the end count where they are quoted. */
            if (quote || escapes || !strchr(BLANKS, *from))
                end = to;
        }
    }
    *end = '\0';
}

static bool has_open_quote(const char *line) {
    char quote = '\0';

    for (; *line != '\0'; line++)
        if (*line == '\\' && quote != '\'' && line[1] != '\0')
            line++;
        else if (*line == quote)
            quote = '\0';
        else if (!quote && (*line == '"' || *line == '\''))
            quote = *line;
    return quote != '\0';
}

/* A logical line: a backslash at the end, or a quote that is open, takes the next one, too. */
static bool next_line(FILE *file, char **line, size_t *size, unsigned *number) {
    char *more = NULL;
    size_t more_size = 0;
    ssize_t length = getline(line, size, file), more_length;

    if (length < 0)
        return false;
    (*number)++;
    for (;;) {
        bool is_comment = strchr("#;", (*line)[strspn(*line, BLANKS)]);
        bool is_joined = length >= 2 && strcmp(*line + length - 2, "\\\n") == 0;

        if (is_comment || !(is_joined || has_open_quote(*line)))
            break;
        length -= is_joined ? 2 : 0;
        more_length = getline(&more, &more_size, file);
        char *grown =
            more_length < 0 ? NULL : realloc(*line, (size_t)length + (size_t)more_length + 1);
        if (!grown)
            break;
        *line = grown;
        *size = (size_t)length + (size_t)more_length + 1;
        memcpy(*line + length, more, (size_t)more_length + 1);
        length += more_length;
        (*number)++;
    }
    free(more);
    return true;
}

static int take_line(struct conf_reader *reader, struct word_list *list, char *line) {
    line += strspn(line, BLANKS);
    size_t length = words_name_length(line), blanks = strspn(line + length, "\t ");

    if (*line == '\0' || *line == '#' || *line == ';')
        return 0;
    if (length == 0 || line[length + blanks] != '=') {
        line[strcspn(line, "\n")] = '\0';
        return conf_warn(reader, "'%s' is not NAME=VALUE, and is passed over", line);
    }
    char *value = line + length + blanks + 1;
    value += strspn(value, "\t ");
    unquote(value);
    return add(reader, list, line, length, value);
}

static int read_lines(
    struct conf_reader *reader, struct word_list *list, FILE *file, const char *path) {
    struct conf_origin origin = reader->origin;
    char *line = NULL;
    size_t size = 0;
    unsigned number = 0;
    int r = 0;

    for (unsigned begin = 1; r == 0 && next_line(file, &line, &size, &number); begin = number + 1) {
        reader->origin = (struct conf_origin){path, begin};
        r = take_line(reader, list, line);
    }
    reader->origin = origin;
    if (r == 0 && ferror(file))
        r = conf_complain(reader, "environment file %s cannot be read", path);
    free(line);
    return r;
}

/* "-": it need not be there. */
static int read_file(struct conf_reader *reader, struct word_list *list, const char *path) {
    bool is_optional = *path == '-';

    path += is_optional;
    if (*path != '/')
        return conf_complain(reader, "environment file '%s': expected an absolute path", path);
    FILE *file = fopen(path, "re");
    if (!file && is_optional)
        return 0;
    if (!file)
        return conf_complain(reader, "environment file %s: %s", path, strerror(errno));
    int r = read_lines(reader, list, file, path);
    fclose(file);
    return r;
}

/* What a login would set. */
static int add_user(struct conf_reader *reader, struct draft *draft) {
    const char *name = draft->pool.plan.user;
    struct passwd *user = name ? getpwnam(name) : NULL;
    int r;

    if (!user)
        return 0;
    r = add(reader, &draft->merged, "HOME", 4, user->pw_dir);
    if (r == 0)
        r = add(reader, &draft->merged, "LOGNAME", 7, user->pw_name);
    if (r == 0)
        r = add(reader, &draft->merged, "USER", 4, user->pw_name);
    if (r == 0)
        r = add(reader, &draft->merged, "SHELL", 5, user->pw_shell);
    return r;
}

static int add_passed(struct conf_reader *reader, struct draft *draft) {
    int r = draft->inherit_environment ? 0 : add(reader, &draft->merged, "PATH", 4, DEFAULT_PATH);

    for (size_t i = 0; r == 0 && i < draft->pass_environment.count; i++) {
        const char *name = draft->pass_environment.words[i], *value = getenv(name);

        if (value)
            r = add(reader, &draft->merged, name, strlen(name), value);
    }
    return r;
}

/* RUNTIME_DIRECTORY and its like: where the directories that are made for the pool are. */
static int add_directories(struct conf_reader *reader, struct draft *draft) {
    static const struct {
        const char *variable;
        char letter;
    } places[CONF_DIRECTORY_MAX] = {
        [CONF_DIRECTORY_RUNTIME] = {"RUNTIME_DIRECTORY", 't'},
        [CONF_DIRECTORY_STATE] = {"STATE_DIRECTORY", 'S'},
        [CONF_DIRECTORY_CACHE] = {"CACHE_DIRECTORY", 'C'},
        [CONF_DIRECTORY_LOGS] = {"LOGS_DIRECTORY", 'L'},
    };

    for (size_t i = 0; i < CONF_DIRECTORY_MAX; i++) {
        struct conf_directories *directories = &draft->pool.directories[i];
        const char *text = NULL;

        directories->base = specifier_directory(reader->arena, places[i].letter);
        for (size_t n = 0; n < directories->names.count; n++)
            text = arena_format(reader->arena, "%s%s%s/%s", text ? text : "", text ? ":" : "",
                directories->base, directories->names.words[n]);
        if (text &&
            add(reader, &draft->merged, places[i].variable, strlen(places[i].variable), text) < 0)
            return -ENOMEM;
    }
    return 0;
}

int draft_environment(struct conf_reader *reader, struct draft *draft) {
    int r = add_passed(reader, draft);

    if (r == 0)
        r = add_user(reader, draft);
    if (r == 0)
        r = add_directories(reader, draft);
    for (size_t i = 0; r == 0 && i < draft->environment.count; i++)
        r = word_list_add(reader->arena, &draft->merged, draft->environment.words[i]);
    for (size_t i = 0; r == 0 && i < draft->environment_files.count; i++)
        r = read_file(reader, &draft->merged, draft->environment_files.words[i]);
    draft->pool.plan.clear_environment = !draft->inherit_environment;
    draft->pool.plan.set_environment = draft->merged;
    return r;
}
