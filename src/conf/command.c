/* SPDX-License-Identifier: MIT */

/* Command lines: ExecStart= and its relatives, and the variables in them. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/values.h"
#include "conf/words.h"

#define BLANKS "\t\n\r "

/* Takes the prefixes off. */
static int take_prefixes(const char **word, struct conf_command *command) {
    for (;; (*word)++) {
        switch (**word) {
        case '-':
            command->tolerated = true;
            break;
        case ':':
            command->literal = true;
            break;
        case '@':
            if (command->program)
                return -EINVAL;
            command->program = "";
            break;
        case '+':
            command->privileged = true;
            break;
        case '!':
            command->unswitched = true;
            break;
        default:
            return 0;
        }
    }
}

/* A name that is looked up, or a path. In a unit a path is absolute, as systemd demands. */
static int check_program(struct conf_reader *reader, const char *program) {
    bool is_service = reader->draft->pool.is_service;

    if (*program == '\0' || program[strlen(program) - 1] == '/')
        return conf_complain(reader, "'%s' is no program", program);
    for (const char *p = program; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return conf_complain(reader, "a control character in the program's name");
    if (is_service && *program != '/' && strchr(program, '/'))
        return conf_complain(
            reader, "'%s': in a unit a program is a plain name or an absolute path", program);
    return 0;
}

static int add_command(
    struct conf_reader *reader, struct conf_commands *commands, struct conf_command *command) {
    struct conf_command *grown =
        arena_grow(reader->arena, commands->list, commands->count, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    commands->list = grown;
    commands->list[commands->count++] = *command;
    return 0;
}

/* One word; 0 at the end. "\\;" is a semicolon that separates nothing. */
static int take_word(struct conf_reader *reader, const char **cursor, char *word,
    struct word_list *words, bool *is_odd) {
    const char *begin = *cursor + strspn(*cursor, BLANKS);
    bool is_semicolon = strncmp(begin, "\\;", 2) == 0 && strchr(BLANKS, begin[2]);
    bool odd = false;
    int r = words_next(cursor, word, &odd);

    if (r <= 0)
        return r;
    *is_odd |= odd && !is_semicolon;
    word = is_semicolon ? arena_copy(reader->arena, ";", 1)
                        : arena_copy(reader->arena, word, strlen(word));
    return word_list_add(reader->arena, words, word) < 0 ? -ENOMEM : 1;
}

/* The words up to a lone ";" or the end. `ret_more`: there was a ";". */
static int take_words(
    struct conf_reader *reader, const char **cursor, struct word_list *words, bool *ret_more) {
    char *word = arena_alloc(reader->arena, strlen(*cursor) + 1);
    bool is_odd = false;
    int r = word ? 1 : -ENOMEM;

    *ret_more = false;
    while (r > 0 && !*ret_more) {
        const char *begin = *cursor + strspn(*cursor, BLANKS);

        *ret_more = *begin == ';' && strchr(BLANKS, begin[1]);
        if (*ret_more)
            *cursor = begin + 1;
        else
            r = take_word(reader, cursor, word, words, &is_odd);
    }
    if (is_odd && r >= 0)
        r = conf_warn(reader, "a backslash before a character that needs none is left as it is");
    return MIN(r, 0);
}

/* Ends the list: the NULL is not counted. */
static int end_words(struct conf_reader *reader, struct word_list *words) {
    const char **grown = arena_grow(reader->arena, words->words, words->count, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    grown[words->count] = NULL;
    words->words = grown;
    return 0;
}

static int take_command(
    struct conf_reader *reader, struct word_list *words, struct conf_commands *commands) {
    struct conf_command command = {.origin = reader->origin};

    if (words->count == 0)
        return 0;
    if (take_prefixes(&words->words[0], &command) < 0)
        return conf_complain(reader, "'@' is there twice before the command");
    int r = check_program(reader, words->words[0]);
    if (r < 0)
        return r;
    if (command.program) {
        command.program = words->words[0];
        if (words->count < 2)
            return conf_complain(reader, "after '@' the second word is the name, argv[0]");
    }
    r = end_words(reader, words);
    command.argv = words->words + (command.program ? 1 : 0);
    return r < 0 ? r : add_command(reader, commands, &command);
}

int value_commands(struct conf_reader *reader, const char *text, void *field) {
    bool more = true;
    int r = 0;

    while (more && r == 0) {
        struct word_list words = {0};

        r = take_words(reader, &text, &words, &more);
        if (r == 0)
            r = take_command(reader, &words, field);
    }
    return r;
}

/* What is known at each spawn alone: the plan puts it in. */
static const char *spawn_variable(const char *name, size_t length) {
    static const struct {
        const char *name, *placeholder;
    } variables[] = {
        {"BROOD_WORKER", "%i"},
        {"BROOD_WORKERS", "%w"},
        {"BROOD_GENERATION", "%g"},
        {"BROOD_POOL", "%p"},
        {"MAINPID", "%{MAINPID}"},
        {"SERVICE_RESULT", "%{SERVICE_RESULT}"},
        {"EXIT_CODE", "%{EXIT_CODE}"},
        {"EXIT_STATUS", "%{EXIT_STATUS}"},
    };

    for (size_t i = 0; i < ELEMENTS(variables); i++)
        if (strlen(variables[i].name) == length && strncmp(variables[i].name, name, length) == 0)
            return variables[i].placeholder;
    return NULL;
}

/* The value of a variable, as the plan is to render it; "" where there is none. */
static const char *find_value(
    struct conf_reader *reader, const struct draft *draft, const char *name, size_t length) {
    const struct word_list *merged = &draft->merged;
    const char *placeholder = spawn_variable(name, length);

    if (placeholder)
        return placeholder;
    for (size_t i = merged->count; i-- > 0;)
        if (strncmp(merged->words[i], name, length) == 0 && merged->words[i][length] == '=')
            return merged->words[i] + length + 1;
    if (draft->inherit_environment) {
        const char *inherited = getenv(arena_copy(reader->arena, name, length) ?: "");

        if (inherited)
            return specifiers_escape(reader->arena, inherited) ?: "";
    }
    if (draft->environment_files.count == 0)
        conf_warn(reader, "$%.*s is not set, which makes it empty", (int)length, name);
    return "";
}

/* ${NAME} and $$ within a word. */
static void expand_word(
    struct conf_reader *reader, const struct draft *draft, const char *word, FILE *out) {
    for (const char *p = word; *p != '\0'; p++) {
        size_t length = strncmp(p, "${", 2) == 0 ? words_name_length(p + 2) : 0;

        if (strncmp(p, "$$", 2) == 0) {
            putc('$', out);
            p++;
        } else if (length > 0 && p[2 + length] == '}') {
            fputs(find_value(reader, draft, p + 2, length), out);
            p += 2 + length;
        } else {
            putc(*p, out);
        }
    }
}

static int add_expanded(struct conf_reader *reader, const struct draft *draft, const char *word,
    struct word_list *words) {
    char *memory = NULL;
    size_t size;
    FILE *out = open_memstream(&memory, &size);

    if (!out)
        return -ENOMEM;
    expand_word(reader, draft, word, out);
    int r = fclose(out) == 0 ? 0 : -ENOMEM;
    if (r == 0)
        r = word_list_add(reader->arena, words, arena_copy(reader->arena, memory, size));
    free(memory);
    return r;
}

/* A word that is $NAME alone becomes the words of the value, none at all where that is empty. */
static int add_split(struct conf_reader *reader, const char *value, struct word_list *words) {
    char *word = arena_alloc(reader->arena, strlen(value) + 1);
    bool is_odd = false;
    int r = word ? 1 : -ENOMEM;

    while (r > 0 && (r = words_next(&value, word, &is_odd)) > 0)
        if (word_list_add(reader->arena, words, arena_copy(reader->arena, word, strlen(word))) < 0)
            r = -ENOMEM;
    if (r == -EINVAL)
        return conf_complain(reader, "a quote in the value of a variable is not closed");
    return r;
}

int command_expand(
    struct conf_reader *reader, const struct draft *draft, struct conf_command *command) {
    struct word_list words = {0};
    int r = word_list_add(reader->arena, &words, command->argv[0]);

    if (command->literal)
        return 0;
    reader->origin = command->origin;
    for (size_t i = 1; r == 0 && command->argv[i]; i++) {
        const char *word = command->argv[i];
        size_t length = *word == '$' ? words_name_length(word + 1) : 0;

        if (length > 0 && word[1 + length] == '\0')
            r = add_split(reader, find_value(reader, draft, word + 1, length), &words);
        else if (strchr(word, '$'))
            r = add_expanded(reader, draft, word, &words);
        else
            r = word_list_add(reader->arena, &words, word);
    }
    if (r == 0)
        r = end_words(reader, &words);
    command->argv = words.words;
    return r;
}
