/* SPDX-License-Identifier: MIT */

/* Values that are made of words, and those that take memory or have something to say. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/readers.h"
#include "conf/values.h"
#include "conf/words.h"
#include "run/listen.h"
#include "sys/caps.h"
#include "sys/limit.h"

int word_list_add(struct arena *arena, struct word_list *list, const char *word) {
    const char **grown = arena_grow(arena, list->words, list->count, sizeof(*grown));

    if (!grown || !word)
        return -ENOMEM;
    list->words = grown;
    list->words[list->count++] = word;
    return 0;
}

int value_one(struct conf_reader *reader, const char *text, void *field) {
    return word_list_add(reader->arena, field, text);
}

/* Each word to `take`. */
static int each_word(struct conf_reader *reader, const char *text,
    int (*take)(struct conf_reader *reader, const char *word, void *field), void *field) {
    char *word = arena_alloc(reader->arena, strlen(text) + 1);
    bool is_odd = false;
    int r = word ? 1 : -ENOMEM;

    while (r > 0 && (r = words_next(&text, word, &is_odd)) > 0) {
        int taken = take(reader, arena_copy(reader->arena, word, strlen(word)), field);

        if (taken < 0)
            r = taken;
    }
    return r;
}

int value_words(struct conf_reader *reader, const char *text, void *field) {
    return each_word(reader, text, value_one, field);
}

static int take_assignment(struct conf_reader *reader, const char *word, void *field) {
    if (word && !words_is_assignment(word))
        return conf_complain(reader, "%s='%s' is not NAME=VALUE", reader->directive->name, word);
    return word_list_add(reader->arena, field, word);
}

int value_assignments(struct conf_reader *reader, const char *text, void *field) {
    return each_word(reader, text, take_assignment, field);
}

/* "a:b" would be a second name for it. */
static int take_directory(struct conf_reader *reader, const char *word, void *field) {
    if (word && (*word == '/' || strstr(word, "..")))
        return conf_complain(
            reader, "%s='%s' is not a path below it", reader->directive->name, word);
    if (word && strchr(word, ':'))
        return conf_complain(
            reader, "%s='%s': symbolic links are not made", reader->directive->name, word);
    return word_list_add(reader->arena, field, word);
}

int value_directories(struct conf_reader *reader, const char *text, void *field) {
    return each_word(reader, text, take_directory, field);
}

int value_cpus(struct conf_reader *reader, const char *text, void *field) {
    struct plan_spec *spec = field;
    struct given_cpus cpus;
    cpu_set_t *set = arena_alloc(reader->arena, sizeof(*set));

    if (!set)
        return -ENOMEM;
    if (read_cpus(text, &cpus) < 0)
        return -EINVAL;
    if (spec->cpus)
        CPU_OR(&cpus.value, &cpus.value, spec->cpus);
    *set = cpus.value;
    spec->cpus = set;
    return 0;
}

/* Times and nice levels in the units of the kernel. */
static int read_limit_number(int resource, const char *text, rlim_t *ret_value) {
    nsec_t duration;
    int64_t nice;

    if (strcmp(text, "infinity") == 0) {
        *ret_value = RLIM_INFINITY;
        return 0;
    }
    if (resource == RLIMIT_CPU || resource == RLIMIT_RTTIME) {
        bool is_bare = text[strspn(text, "0123456789")] == '\0';
        nsec_t unit = resource == RLIMIT_CPU ? NSEC_PER_SEC : NSEC_PER_USEC;

        if (is_bare)
            return text_parse_u64(text, 0, UINT64_MAX - 1, ret_value);
        if (text_parse_duration(text, &duration) < 0)
            return -EINVAL;
        *ret_value = duration / unit + (duration % unit > 0);
        return 0;
    }
    if (resource == RLIMIT_NICE && (*text == '+' || *text == '-')) {
        if (text_parse_i64(text, -20, 19, &nice) < 0)
            return -EINVAL;
        *ret_value = (rlim_t)(20 - nice);
        return 0;
    }
    return text_parse_size(text, ret_value);
}

/* LimitX=SOFT[:HARD]; which one is in the directive's name. */
int value_limit(struct conf_reader *reader, const char *text, void *field) {
    int resource = limit_find(reader->directive->name);
    struct plan_spec *spec = field;
    struct limit_spec limit = {.set = true};
    char copy[96], *hard;

    if (resource < 0 || strlen(text) >= sizeof(copy))
        return -EINVAL;
    strcpy(copy, text);
    hard = strchr(copy, ':');
    if (hard)
        *hard++ = '\0';
    if (read_limit_number(resource, copy, &limit.soft) < 0 ||
        read_limit_number(resource, hard ? hard : copy, &limit.hard) < 0 || limit.soft > limit.hard)
        return -EINVAL;
    spec->limits[resource] = limit;
    return 0;
}

/* "~": the user's own. "-": it need not be there, which is looked at now. */
int value_directory(struct conf_reader *reader, const char *text, void *field) {
    bool is_optional = *text == '-';
    const char *path = text + is_optional;

    if (strcmp(path, "~") != 0 && *path != '/')
        return -EINVAL;
    if (is_optional && *path == '/' && !strchr(path, '%') && access(path, X_OK) < 0)
        path = "/";
    *(const char **)field = path;
    return path == text + is_optional
               ? 0
               : conf_warn(reader, "WorkingDirectory=%s is not there; / is taken", text);
}

int value_root(struct conf_reader *reader, const char *text, void *field) {
    (void)reader;
    if (*text != '/')
        return -EINVAL;
    *(const char **)field = text;
    return 0;
}

int value_stream(const char *text, void *field) {
    const char *path = strchr(text, ':');

    if (path && path[1] != '/')
        return -EINVAL;
    return read_stdio(text, field);
}

int value_input(struct conf_reader *reader, const char *text, void *field) {
    if (strncmp(text, "tty", 3) == 0)
        return conf_complain(reader, "StandardInput=%s: terminals are not opened", text);
    if (strncmp(text, "append:", 7) == 0 || strncmp(text, "truncate:", 9) == 0 ||
        strcmp(text, "inherit") == 0)
        return strcmp(text, "inherit") == 0 ? read_stdio(text, field) : -EINVAL;
    return value_stream(text, field);
}

/* Or the controllers that the worker is to have; it gets those that there are. */
int value_delegate(struct conf_reader *reader, const char *text, void *field) {
    bool *delegate = field;

    if (value_bool(text, delegate) == 0)
        return 0;
    *delegate = true;
    return conf_warn(
        reader, "Delegate=%s: the worker gets the controllers that its pool has", text);
}

int value_listen(struct conf_reader *reader, const char *text, void *field) {
    struct conf_listens *listens = field;
    const char *name = reader->directive->name, *reason = "";
    struct listen_spec spec;
    struct conf_listen *grown =
        arena_grow(reader->arena, listens->list, listens->count, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    listen_spec_init(&spec);
    if (listen_parse(name, text, &spec, &reason) < 0)
        return conf_complain(reader, "%s=%s: %s", name, text, reason);
    listens->list = grown;
    listens->list[listens->count++] = (struct conf_listen){
        .kind = strcmp(name, "ListenStream") == 0     ? CONF_LISTEN_STREAM
                : strcmp(name, "ListenDatagram") == 0 ? CONF_LISTEN_DATAGRAM
                                                      : CONF_LISTEN_SEQUENTIAL_PACKET,
        .address = text,
        .origin = reader->origin,
    };
    return 0;
}

static int read_capabilities(struct conf_reader *reader, const char *text, uint64_t *mask) {
    bool is_inverted = *text == '~';
    char item[256];
    uint64_t named;

    if (capability_parse(text + is_inverted, &named, item) < 0)
        return conf_complain(reader, "unknown capability '%s'", item);
    *mask = is_inverted ? *mask & ~named : *mask | named;
    return 0;
}

/* "~" as the first word means all but these. */
int value_bounding(struct conf_reader *reader, const char *text, void *field) {
    struct draft *draft = field;

    if (!draft->has_bounding)
        draft->bounding = *text == '~' ? UINT64_MAX : 0;
    draft->has_bounding = true;
    return read_capabilities(reader, text, &draft->bounding);
}

int value_ambient(struct conf_reader *reader, const char *text, void *field) {
    struct draft *draft = field;
    uint64_t mask = 0;

    if (*text == '~')
        return conf_complain(reader, "AmbientCapabilities=~…: name those that are given");
    draft->has_ambient = true;
    int r = read_capabilities(reader, text, &mask);
    return r < 0 ? r : word_list_add(reader->arena, &draft->ambient, text);
}

/* A program with the default disposition ends when it writes to a closed pipe. */
int value_pipe_signal(struct conf_reader *reader, const char *text, void *field) {
    bool ignore;

    (void)field;
    if (value_bool(text, &ignore) < 0)
        return -EINVAL;
    return ignore ? conf_warn(reader, "IgnoreSIGPIPE=yes: SIGPIPE has its default effect") : 0;
}
