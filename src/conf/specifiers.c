/* SPDX-License-Identifier: MIT */

/* %n, %H, %t … in values, as systemd.unit(5) has them. */

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "conf/internal.h"

/* What is said at the spawn. */
#define SPAWN_LETTERS "iwg"

struct expansion {
    struct conf_reader *reader;
    FILE *text;
    bool keep;
};

static const char *file_id(struct arena *arena, const char *path) {
    char id[64];
    FILE *file = fopen(path, "re");
    size_t length = 0;

    if (!file)
        return NULL;
    for (int c; (c = getc(file)) != EOF && c != '\n' && length < sizeof(id);)
        if (c != '-')
            id[length++] = (char)c;
    fclose(file);
    return arena_copy(arena, id, length);
}

static const char *host_name(struct arena *arena, bool is_short) {
    struct utsname names;

    if (uname(&names) < 0)
        return NULL;
    return arena_copy(
        arena, names.nodename, is_short ? strcspn(names.nodename, ".") : strlen(names.nodename));
}

static const char *kernel_release(struct arena *arena) {
    struct utsname names;

    return uname(&names) < 0 ? NULL : arena_copy(arena, names.release, strlen(names.release));
}

/* The directories of the system, or those of the user whom we run as. */
const char *specifier_directory(struct arena *arena, char letter) {
    static const struct {
        char letter;
        const char *system, *variable, *below_home;
    } places[] = {
        {'t', "/run", "XDG_RUNTIME_DIR", NULL},
        {'S', "/var/lib", "XDG_STATE_HOME", ".local/state"},
        {'C', "/var/cache", "XDG_CACHE_HOME", ".cache"},
        {'L', "/var/log", NULL, ".local/state/log"},
        {'E', "/etc", "XDG_CONFIG_HOME", ".config"},
    };

    for (size_t i = 0; i < ELEMENTS(places); i++) {
        if (places[i].letter != letter)
            continue;
        const char *set = places[i].variable ? getenv(places[i].variable) : NULL;
        const char *home = getenv("HOME");

        if (geteuid() == 0)
            return places[i].system;
        if (set && *set == '/')
            return set;
        if (home && places[i].below_home)
            return arena_format(arena, "%s/%s", home, places[i].below_home);
        return places[i].system;
    }
    return NULL;
}

static const char *temporary(const char *fallback) {
    const char *set = getenv("TMPDIR");

    return set && *set == '/' ? set : fallback;
}

/* The user whom the supervisor runs as, as in systemd: not the one of User=. */
static const char *own_user(struct arena *arena, char letter) {
    struct passwd *user = getpwuid(getuid());

    if (letter == 'U')
        return arena_format(arena, "%u", (unsigned)getuid());
    if (letter == 'G')
        return arena_format(arena, "%u", (unsigned)getgid());
    const char *text = !user           ? NULL
                       : letter == 'h' ? user->pw_dir
                       : letter == 's' ? user->pw_shell
                                       : user->pw_name;
    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

/* "a-b\x20c" → "a/b c", as systemd-escape has it. */
static const char *unescape(struct arena *arena, const char *text) {
    char *copy = arena_copy(arena, text, strlen(text)), *to = copy;

    if (!copy)
        return NULL;
    for (; *text != '\0'; text++) {
        unsigned byte;
        int length = 0;

        if (*text == '\\' && sscanf(text, "\\x%2x%n", &byte, &length) == 1 && length == 4) {
            *to++ = (char)byte;
            text += 3;
        } else {
            *to++ = *text == '-' ? '/' : *text;
        }
    }
    *to = '\0';
    return copy;
}

static const char *last_part(const char *prefix) {
    const char *dash = strrchr(prefix, '-');

    return dash ? dash + 1 : prefix;
}

/* Words of the pool's own name; NULL: none of these letters. */
static const char *pool_name(struct arena *arena, const struct conf_pool *pool, char letter) {
    const char *instance = pool->instance ? pool->instance : "";

    switch (letter) {
    case 'n':
    case 'N':
        return pool->name;
    case 'i':
        return instance;
    case 'I':
        return unescape(arena, instance);
    case 'p':
        return pool->is_service ? pool->prefix : pool->name;
    case 'P':
        return unescape(arena, pool->prefix);
    case 'f':
        return arena_format(
            arena, "/%s", unescape(arena, pool->instance ? instance : pool->prefix));
    case 'j':
        return last_part(pool->prefix);
    case 'J':
        return unescape(arena, last_part(pool->prefix));
    default:
        return NULL;
    }
}

static const char *meaning(struct conf_reader *reader, char letter) {
    struct arena *arena = reader->arena;
    const char *text = reader->draft ? pool_name(arena, &reader->draft->pool, letter) : NULL;

    if (text)
        return text;
    switch (letter) {
    case 'H':
        return host_name(arena, false);
    case 'q':
    case 'l':
        return host_name(arena, true);
    case 'v':
        return kernel_release(arena);
    case 'm':
        return file_id(arena, "/etc/machine-id");
    case 'b':
        return file_id(arena, "/proc/sys/kernel/random/boot_id");
    case 'T':
        return temporary("/tmp");
    case 'V':
        return temporary("/var/tmp");
    case 'u':
    case 'U':
    case 'h':
    case 's':
    case 'G':
        return own_user(arena, letter);
    default:
        return specifier_directory(arena, letter);
    }
}

/*
 * The worker's number is what %i means in a pool. An instance of a .service template keeps
 * systemd's meaning: there it is the instance.
 */
static bool is_for_spawn(const struct conf_reader *reader, char letter) {
    const struct conf_pool *pool = reader->draft ? &reader->draft->pool : NULL;

    if (!pool || letter == '\0' || !strchr(SPAWN_LETTERS, letter))
        return false;
    return letter != 'i' || !pool->is_service || !pool->instance;
}

/* Appends what `letter` stands for; -EINVAL: nothing. */
static int append_meaning(struct expansion *e, char letter) {
    const char *text;

    if (is_for_spawn(e->reader, letter)) {
        fprintf(e->text, "%%%c", letter);
        return e->keep ? 0 : -EINVAL;
    }
    text = meaning(e->reader, letter);
    if (text && e->keep)
        text = specifiers_escape(e->reader->arena, text);
    if (!text)
        return -EINVAL;
    fputs(text, e->text);
    return 0;
}

static int append_all(struct expansion *e, const char *text, char *ret_letter) {
    while (*text != '\0') {
        size_t length = strcspn(text, "%");

        fwrite(text, 1, length, e->text);
        text += length;
        if (*text == '\0')
            break;
        /* "100 %" means what it says. */
        if (!isalpha((unsigned char)text[1])) {
            fputs(e->keep ? "%%" : "%", e->text);
            text += text[1] == '%' ? 2 : 1;
            continue;
        }
        if (append_meaning(e, text[1]) < 0) {
            *ret_letter = text[1];
            return -EINVAL;
        }
        text += 2;
    }
    return 0;
}

int specifiers_expand(struct conf_reader *reader, const char *text, bool keep,
    const char **ret_text, char *ret_letter) {
    char *memory = NULL;
    size_t size = 0;

    *ret_text = text;
    if (!strchr(text, '%'))
        return 0;
    struct expansion e = {reader, open_memstream(&memory, &size), keep};
    if (!e.text)
        return -ENOMEM;
    int r = append_all(&e, text, ret_letter);
    if (fclose(e.text) != 0)
        r = -ENOMEM;
    if (r == 0) {
        *ret_text = arena_copy(reader->arena, memory, size);
        r = *ret_text ? 0 : -ENOMEM;
    }
    free(memory);
    return r;
}

char *specifiers_escape(struct arena *arena, const char *text) {
    size_t length = 0;
    char *copy = arena_alloc(arena, 2 * strlen(text) + 1);

    if (!copy)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text == '%')
            copy[length++] = '%';
        copy[length++] = *text;
    }
    return copy;
}
