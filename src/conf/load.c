/* SPDX-License-Identifier: MIT */

/*
 * Which files are read, in which order, and whether they can be trusted. As root, whoever may write
 * a configuration may run anything: a file that others can write, or put another one in its place,
 * is refused.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/sections.h"

#define FILE_SIZE_MAX (1 << 20)
#define SUFFIX        ".service"

struct load {
    const struct conf_sources *sources;
    struct section_reader reader;
    struct word_list seen; /* directories whose conf.d has been read */
};

#define complain(load, file, ...)                                                                  \
    conf_message_add((load)->reader.messages, CONF_ERROR, file, 0, __VA_ARGS__)

static bool ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text), n = strlen(suffix);

    return length > n && strcmp(text + length - n, suffix) == 0;
}

/* Why somebody else could change it, or NULL. A sticky directory lets nobody replace our file. */
static const char *unsafe(const struct stat *stat) {
    bool is_directory = S_ISDIR(stat->st_mode);

    if (stat->st_uid != 0 && stat->st_uid != geteuid())
        return "is owned by another user";
    if (is_directory && stat->st_mode & S_ISVTX)
        return NULL;
    if (stat->st_mode & S_IWOTH)
        return "can be written by everybody";
    if (stat->st_mode & S_IWGRP && stat->st_gid != 0)
        return "can be written by its group";
    return NULL;
}

static bool is_trusted(struct load *load, int fd, const char *path) {
    char *copy = arena_copy(load->reader.arena, path, strlen(path));
    struct stat file, directory;
    const char *reason = NULL;

    if (geteuid() != 0 || load->sources->trust_any_owner)
        return true;
    if (!copy || fstat(fd, &file) < 0 || stat(dirname(copy), &directory) < 0) {
        complain(load, path, "cannot be looked at: %s", strerror(copy ? errno : ENOMEM));
        return false;
    }
    if (S_ISREG(file.st_mode) && (reason = unsafe(&file)))
        complain(
            load, path, "the file %s; as root, brood reads only what root alone can write", reason);
    else if ((reason = unsafe(&directory)))
        complain(load, path,
            "its directory %s; as root, brood reads only where root alone can write", reason);
    return !reason;
}

/* All of it, ended. NULL after a message. */
static char *read_text_of(struct load *load, int fd, const char *path) {
    char *room = malloc(FILE_SIZE_MAX), *text = NULL;
    size_t length = 0;
    ssize_t n = 0;

    while (
        room && length < FILE_SIZE_MAX && (n = read(fd, room + length, FILE_SIZE_MAX - length)) > 0)
        length += (size_t)n;
    if (!room || n < 0)
        complain(load, path, "cannot be read: %s", strerror(room ? errno : ENOMEM));
    else if (length == FILE_SIZE_MAX)
        complain(load, path, "is larger than 1 MiB");
    else if (memchr(room, '\0', length))
        complain(load, path, "has a NUL byte in it: this is no text");
    else
        text = arena_copy(load->reader.arena, room, length);
    free(room);
    return text;
}

/* 0, also after a message; -ENOENT without one. */
static int read_path(struct load *load, const char *path, const char *service) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat stat;
    int r = 0;

    if (fd < 0)
        return errno == ENOENT ? -ENOENT
                               : complain(load, path, "cannot be read: %s", strerror(errno));
    if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
        r = complain(load, path, "is a directory: give it without -c");
    else if (is_trusted(load, fd, path)) {
        char *text = read_text_of(load, fd, path);

        r = text ? sections_read(&load->reader, text, path, service) : 0;
    }
    close(fd);
    return r;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/*
 * Each file of a directory whose name ends so, in the order of the names, to `take`. A directory
 * that is there and cannot be read is no empty one: what is in it would seem to be wanted no more.
 */
static int each_file(struct load *load, const char *directory, const char *suffix,
    int (*take)(struct load *load, const char *path, const char *service), const char *service,
    unsigned *ret_count) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, by_name), r = 0;

    if (count < 0 && errno != ENOENT && errno != ENOTDIR)
        return complain(load, directory, "cannot be read: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        if (r == 0 && *entries[i]->d_name != '.' && ends_with(entries[i]->d_name, suffix)) {
            const char *path =
                arena_format(load->reader.arena, "%s/%s", directory, entries[i]->d_name);

            r = path ? take(load, path, service) : -ENOMEM;
            *ret_count += 1;
        }
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int read_drop_ins(struct load *load, const char *directory, const char *service) {
    unsigned count = 0;

    if (!directory)
        return -ENOMEM;
    return each_file(load, directory, ".conf", read_path, service, &count);
}

/* "dir/web@blue.service" → "web@blue". */
static char *service_name(struct load *load, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    return arena_copy(load->reader.arena, name, strlen(name) - strlen(SUFFIX));
}

/* "dir/web@blue.service" → "dir/web@.service"; NULL: no instance of a template. */
static char *template_path(struct load *load, const char *path) {
    const char *slash = strrchr(path, '/'), *at = strchr(slash ? slash : path, '@');

    if (!at || strcmp(at + 1, SUFFIX) == 0)
        return NULL;
    return arena_format(load->reader.arena, "%.*s@%s", (int)(at - path), path, SUFFIX);
}

/* A unit, the template where it is an instance without a file, and the drop-ins of both. */
static int read_service(struct load *load, const char *path, const char *unused) {
    char *name = service_name(load, path), *template = template_path(load, path);

    (void)unused;
    if (!name)
        return -ENOMEM;
    int r = read_path(load, path, name);
    if (r == -ENOENT && template)
        r = read_path(load, template, name);
    if (r == 0 && template)
        r = read_drop_ins(load, arena_format(load->reader.arena, "%s.d", template), name);
    if (r == 0)
        r = read_drop_ins(load, arena_format(load->reader.arena, "%s.d", path), name);
    return r;
}

/* The conf.d in a directory, once. */
static int read_conf_d(struct load *load, const char *directory) {
    const char *path = arena_format(load->reader.arena, "%s/conf.d", directory);

    if (!path)
        return -ENOMEM;
    for (size_t i = 0; i < load->seen.count; i++)
        if (strcmp(load->seen.words[i], path) == 0)
            return 0;
    int r = word_list_add(load->reader.arena, &load->seen, path);
    return r < 0 ? r : read_drop_ins(load, path, NULL);
}

/* A unit file has drop-ins of its own; a conf.d beside it is about others. */
static int read_given(struct load *load, const char *path) {
    char *copy = arena_copy(load->reader.arena, path, strlen(path));
    bool is_service = ends_with(path, SUFFIX);
    int r = is_service ? read_service(load, path, NULL) : read_path(load, path, NULL);

    if (!copy)
        return -ENOMEM;
    if (r == -ENOENT)
        return complain(load, path, "is not there");
    return r < 0 || is_service ? r : read_conf_d(load, dirname(copy));
}

static int read_directory(struct load *load, const char *given) {
    size_t length = strlen(given);

    while (length > 1 && given[length - 1] == '/')
        length--;
    const char *directory = arena_copy(load->reader.arena, given, length);
    const char *main_file =
        directory ? arena_format(load->reader.arena, "%s/brood.conf", directory) : NULL;
    size_t before = load->reader.messages->count;
    unsigned count = 0;

    if (!main_file)
        return -ENOMEM;
    int r = read_path(load, main_file, NULL);
    bool is_there = r != -ENOENT;
    if (r == 0 || r == -ENOENT)
        r = each_file(load, directory, SUFFIX, read_service, NULL, &count);
    if (r == 0)
        r = read_conf_d(load, directory);
    if (r == 0 && !is_there && count == 0 && load->reader.sections->pools.count == 0 &&
        load->reader.messages->count == before)
        r = complain(load, directory,
            access(directory, R_OK | X_OK) < 0 ? "cannot be read, or is not there"
                                               : "has no brood.conf and no .service file");
    return r;
}

int conf_read_sources(const struct conf_sources *sources, struct arena *arena,
    struct conf_messages *messages, struct sections *ret_sections) {
    struct load load = {sources, {arena, messages, ret_sections}, {0}};
    int r = 0;

    for (size_t i = 0; i < sources->n_files && r == 0; i++)
        r = read_given(&load, sources->files[i]);
    if (r == 0 && sources->directory)
        r = read_directory(&load, sources->directory);
    return r == -ENOENT ? 0 : r;
}
