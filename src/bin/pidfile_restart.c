/* SPDX-License-Identifier: MIT */
#include "bin/pidfile_restart.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bin/commands.h"
#include "bin/start_daemon.h"

/* Words that stand one after another in one piece of memory, each with its terminating zero. */
struct packed {
    char *memory;
    struct word_list list;
};

struct restart {
    struct packed arguments, environment;
    char directory[PATH_MAX];
    char streams[3][PATH_MAX];
    char user[16], group[16], groups[4096];
    unsigned umask;
};

/* An empty argument is an argument, too. */
static int append_word(struct word_list *list, const char *word) {
    const char **grown = reallocarray(list->words, list->count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    list->words = grown;
    list->words[list->count++] = word;
    return 0;
}

static int read_packed(pid_t pid, const char *name, struct packed *packed) {
    char path[64], piece[4096];
    size_t length = 0, n;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "re"), *memory = open_memstream(&packed->memory, &length);
    while (file && memory && (n = fread(piece, 1, sizeof(piece), file)) > 0)
        fwrite(piece, 1, n, memory);
    int r = file ? 0 : -errno;
    if (file)
        fclose(file);
    if (!memory || fclose(memory) != 0)
        r = -ENOMEM;
    for (char *word = packed->memory; r == 0 && word < packed->memory + length;
         word += strlen(word) + 1)
        if (append_word(&packed->list, word) < 0)
            r = -ENOMEM;
    return r;
}

static void free_packed(struct packed *packed) {
    free(packed->list.words);
    free(packed->memory);
}

static bool read_link(pid_t pid, const char *name, char target[PATH_MAX]) {
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    ssize_t n = readlink(path, target, PATH_MAX - 1);
    target[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool pidfile_restart_is_supervisor(pid_t pid) {
    char ours[PATH_MAX], theirs[PATH_MAX];
    struct packed arguments = {0};
    bool is = read_link(getpid(), "exe", ours) && read_link(pid, "exe", theirs) &&
              strcmp(ours, theirs) == 0 && read_packed(pid, "cmdline", &arguments) == 0 &&
              arguments.list.count > 1 && strcmp(arguments.list.words[1], "run") == 0;

    free_packed(&arguments);
    return is;
}

/* The numbers after "Groups:" become a list; of "Uid:" and "Gid:" the effective one counts. */
static int read_identity(pid_t pid, struct restart *restart) {
    char path[64], *line = NULL;
    size_t size = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        sscanf(line, "Uid: %*s %15s", restart->user);
        sscanf(line, "Gid: %*s %15s", restart->group);
        sscanf(line, "Umask: %o", &restart->umask);
        sscanf(line, "Groups: %4095[0-9 ]", restart->groups);
    }
    free(line);
    fclose(file);
    return 0;
}

int pidfile_restart_note(pid_t pid, struct restart **ret_restart) {
    struct restart *restart = calloc(1, sizeof(*restart));
    int r = restart ? 0 : -ENOMEM;

    *ret_restart = restart;
    if (r == 0)
        r = read_packed(pid, "cmdline", &restart->arguments);
    if (r == 0)
        r = read_packed(pid, "environ", &restart->environment);
    if (r == 0)
        r = read_identity(pid, restart);
    if (r == 0 && restart->arguments.list.count == 0)
        r = -ESRCH;
    if (r < 0) {
        fprintf(stderr, "brood pidfile: cannot read how process %d was started: %s\n", pid,
            strerror(-r));
        return STATUS_INTERNAL;
    }
    read_link(pid, "cwd", restart->directory);
    read_link(pid, "fd/0", restart->streams[0]);
    read_link(pid, "fd/1", restart->streams[1]);
    read_link(pid, "fd/2", restart->streams[2]);
    return STATUS_OK;
}

/* A file is opened again (to append); what has no name any more, a pipe say, becomes /dev/null. */
static struct stdio_spec stream_again(const char *path, int target) {
    if (*path != '/' || strcmp(path, "/dev/null") == 0 || access(path, F_OK) < 0)
        return (struct stdio_spec){.kind = STDIO_NULL};
    return (struct stdio_spec){target == 0 ? STDIO_FILE : STDIO_APPEND, path};
}

int pidfile_restart_start(struct restart *restart, const char *pidfile, nsec_t timeout) {
    struct word_list *words = &restart->arguments.list;
    const char **argv = reallocarray(words->words, words->count + 1, sizeof(char *));
    bool other_user = geteuid() == 0;

    if (!argv)
        return STATUS_INTERNAL;
    words->words = argv;
    argv[words->count] = NULL;

    struct start_daemon start = {
        .command = "brood pidfile",
        .options = {.pidfile = pidfile, .ready = DAEMONIZE_READY_EXEC, .ready_timeout = timeout},
        .plan =
            {
                .pool = argv[0],
                .argv = argv,
                .literal = true,
                .clear_environment = true,
                .set_environment = restart->environment.list,
                .directory = restart->directory,
                .has_umask = true,
                .umask = restart->umask,
                .user = other_user ? restart->user : NULL,
                .group = other_user ? restart->group : NULL,
                .groups = other_user ? restart->groups : NULL,
            },
    };
    for (int i = 0; i < 3; i++)
        start.plan.stdio[i] = stream_again(restart->streams[i], i);
    return start_daemon(&start);
}

void pidfile_restart_free(struct restart *restart) {
    if (!restart)
        return;
    free_packed(&restart->arguments);
    free_packed(&restart->environment);
    free(restart);
}
