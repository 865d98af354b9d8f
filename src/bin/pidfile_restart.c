/* SPDX-License-Identifier: MIT */
#include "bin/pidfile_restart.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    char program[PATH_MAX];
    char directory[PATH_MAX];
    char streams[3][PATH_MAX]; /* empty: /dev/null */
    char user[16], group[16], groups[4096];
    unsigned umask;
    bool is_setuid;
};

/* What stands in the way of a new start, found with its rights: errno values. */
struct obstacles {
    int identity, directory, program, streams[3];
};

/* The user may have chosen a file that never opens, or stop the trial, which runs as the user. */
#define TRIAL_MILLISECONDS 10000

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

/* Of the very file that it executes. What is not to be seen counts as setuid. */
static bool is_setuid(pid_t pid) {
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    return stat(path, &status) < 0 || (status.st_mode & (S_ISUID | S_ISGID));
}

/* The file that it executes, under the name which that had; replaced or deleted, it still has one.
 */
static bool read_program(pid_t pid, char program[PATH_MAX]) {
    static const char deleted[] = " (deleted)";
    const size_t suffix = sizeof(deleted) - 1;

    if (!read_link(pid, "exe", program))
        return false;
    size_t length = strlen(program);
    if (length > suffix && strcmp(program + length - suffix, deleted) == 0)
        program[length - suffix] = '\0';
    return true;
}

static bool same_name(const char *one, const char *other) {
    return strcmp(basename(one), basename(other)) == 0;
}

/* By name, as an upgrade of brood puts another file into the place of the one that runs. */
bool pidfile_restart_is_supervisor(pid_t pid) {
    char ours[PATH_MAX], theirs[PATH_MAX];
    struct packed arguments = {0};
    bool is = read_program(getpid(), ours) && read_program(pid, theirs) &&
              same_name(ours, theirs) && read_packed(pid, "cmdline", &arguments) == 0 &&
              arguments.list.count > 1 && strcmp(arguments.list.words[1], "run") == 0;

    free_packed(&arguments);
    return is;
}

/*
 * The numbers after "Groups:" become a list. Of "Uid:" and "Gid:" the real one counts, that of who
 * started it: a setuid program gets the other by its new start, and with an environment made safe.
 */
static int read_identity(pid_t pid, struct restart *restart) {
    char path[64], *line = NULL;
    size_t size = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        sscanf(line, "Uid: %15s", restart->user);
        sscanf(line, "Gid: %15s", restart->group);
        sscanf(line, "Umask: %o", &restart->umask);
        sscanf(line, "Groups: %4095[0-9 ]", restart->groups);
    }
    free(line);
    fclose(file);
    return 0;
}

static int read_facts(pid_t pid, struct restart *restart) {
    int r = read_packed(pid, "cmdline", &restart->arguments);

    if (r == 0)
        r = read_packed(pid, "environ", &restart->environment);
    if (r == 0)
        r = read_identity(pid, restart);
    if (r == 0 && (restart->arguments.list.count == 0 || !read_program(pid, restart->program) ||
                      !read_link(pid, "cwd", restart->directory)))
        r = -ESRCH;
    restart->is_setuid = is_setuid(pid);
    /* The end of argv, which is no argument. */
    if (r == 0)
        r = append_word(&restart->arguments.list, NULL);
    for (int i = 0; r == 0 && i < 3; i++) {
        char name[8];

        snprintf(name, sizeof(name), "fd/%d", i);
        read_link(pid, name, restart->streams[i]);
        /* What has no name any more, a pipe say. */
        if (restart->streams[i][0] != '/' || access(restart->streams[i], F_OK) < 0)
            restart->streams[i][0] = '\0';
    }
    return r;
}

/* "nginx: master process": written over the arguments, of which nothing is left. */
static bool is_title(const struct word_list *words) {
    for (size_t i = 1; words->words[i]; i++)
        if (words->words[i][0] != '\0')
            return false;
    return strstr(words->words[0], ": ") != NULL;
}

/* A brood that was not recognised: started again below our pidfile it would refuse itself. */
static bool is_brood(const struct word_list *words) {
    if (strcmp(basename(words->words[0]), "brood") != 0)
        return false;
    for (size_t i = 1; words->words[i]; i++)
        if ((i == 1 && strcmp(words->words[i], "run") == 0) ||
            strncmp(words->words[i], "--pidfile", 9) == 0)
            return true;
    return false;
}

/* Why the process must not be started again from what is seen of it; NULL: it may. */
static const char *find_objection(const struct restart *restart) {
    if (is_brood(&restart->arguments.list))
        return "it is a brood of its own; 'brood pidfile signal FILE HUP' restarts its workers";
    if (is_title(&restart->arguments.list))
        return "it has put a title in the place of its arguments, which nobody knows now";
    if (restart->is_setuid && geteuid() == 0)
        return "its program is setuid, so it does not show whose it is";
    return NULL;
}

/* A file is opened again, to append. */
static struct stdio_spec stream_again(const char *path, int target) {
    if (*path == '\0' || strcmp(path, "/dev/null") == 0)
        return (struct stdio_spec){.kind = STDIO_NULL};
    return (struct stdio_spec){target == 0 ? STDIO_FILE : STDIO_APPEND, path};
}

/*
 * The daemon's user chooses what its descriptors are, and may name by them what only root can open:
 * the streams are opened with the rights of the user.
 */
static struct plan_spec make_spec(const struct restart *restart) {
    bool other_user = geteuid() == 0;
    struct plan_spec spec = {
        .pool = restart->arguments.list.words[0],
        .argv = restart->arguments.list.words,
        .program = restart->program,
        .literal = true,
        .clear_environment = true,
        .set_environment = restart->environment.list,
        .directory = restart->directory,
        .has_umask = true,
        .umask = restart->umask,
        .stdio_as_user = true,
        .user = other_user ? restart->user : NULL,
        .group = other_user ? restart->group : NULL,
        .groups = other_user ? restart->groups : NULL,
    };

    for (int i = 0; i < 3; i++)
        spec.stdio[i] = stream_again(restart->streams[i], i);
    return spec;
}

static int become_user(const struct identity *id) {
    if ((id->has_groups && setgroups(id->n_groups, id->groups) < 0) ||
        (id->gid != (gid_t)-1 && setresgid(id->gid, id->gid, id->gid) < 0) ||
        (id->uid != (uid_t)-1 && setresuid(id->uid, id->uid, id->uid) < 0))
        return errno;
    return 0;
}

/* Files and devices only: a FIFO would wait for somebody at its other end. */
static int try_stream(const char *path, int target) {
    struct stat status;
    int access = target == 0 ? O_RDONLY : O_WRONLY | O_APPEND;

    if (*path == '\0')
        return 0;
    if (stat(path, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        return ENXIO;
    int fd = open(path, access | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static struct obstacles try_all(const struct restart *restart, const struct identity *identity) {
    struct obstacles found = {.identity = become_user(identity)};

    if (found.identity != 0)
        return found;
    found.program = access(restart->program, X_OK) < 0 ? errno : 0;
    found.directory = chdir(restart->directory) < 0 ? errno : 0;
    for (int i = 0; i < 3; i++)
        found.streams[i] = try_stream(restart->streams[i], i);
    return found;
}

/* Tries in a child what the new process will do first, with its rights. */
static int find_obstacles(const struct restart *restart, const struct identity *identity,
    struct obstacles *ret_obstacles) {
    int channel[2];

    if (pipe2(channel, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child == 0) {
        struct obstacles found = try_all(restart, identity);
        _exit(write(channel[1], &found, sizeof(found)) != sizeof(found));
    }
    int r = child < 0 ? -errno : 0;
    close(channel[1]);
    struct pollfd answer = {.fd = channel[0], .events = POLLIN};
    if (r == 0 &&
        (poll(&answer, 1, TRIAL_MILLISECONDS) <= 0 ||
            read(channel[0], ret_obstacles, sizeof(*ret_obstacles)) != sizeof(*ret_obstacles)))
        r = -ETIMEDOUT;
    close(channel[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return r;
}

/* A log that the user may not open is no reason to have no daemon, but one to say so. */
static void give_up_streams(struct restart *restart, const struct obstacles *found) {
    static const char *const names[] = {"input", "output", "error"};

    for (int i = 0; i < 3; i++)
        if (found->streams[i] != 0) {
            fprintf(stderr, "brood pidfile: standard %s becomes /dev/null: %s, as its user: %s\n",
                names[i], restart->streams[i], strerror(found->streams[i]));
            restart->streams[i][0] = '\0';
        }
}

/* Whether it can be started again, as far as that can be known; else why not. */
static int check(struct restart *restart, struct plan_error *error) {
    struct plan_spec spec = make_spec(restart);
    struct obstacles found;
    struct plan *plan;

    if (plan_new(&spec, &plan, error) < 0)
        return error->status;
    int r = find_obstacles(restart, &plan->identity, &found);
    plan_free(plan);
    if (r < 0 || found.identity != 0) {
        snprintf(error->text, sizeof(error->text), "cannot try it as user %s: %s", restart->user,
            strerror(r < 0 ? -r : found.identity));
        return STATUS_INTERNAL;
    }
    if (found.program != 0 || found.directory != 0) {
        snprintf(error->text, sizeof(error->text), "%s %.400s: %s",
            found.program != 0 ? "exec" : "chdir",
            found.program != 0 ? restart->program : restart->directory,
            strerror(found.program != 0 ? found.program : found.directory));
        return found.program == ENOENT ? 127 : 126;
    }
    give_up_streams(restart, &found);
    return STATUS_OK;
}

int pidfile_restart_note(pid_t pid, struct restart **ret_restart) {
    struct restart *restart = *ret_restart = calloc(1, sizeof(*restart));
    int r = restart ? read_facts(pid, restart) : -ENOMEM;
    struct plan_error error;

    if (r < 0) {
        fprintf(stderr, "brood pidfile: cannot read how process %d was started: %s\n", pid,
            strerror(-r));
        return STATUS_INTERNAL;
    }
    const char *objection = find_objection(restart);
    int status = objection ? PIDFILE_STATUS_UNKNOWN : check(restart, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "brood pidfile: cannot start process %d again: %s; it is still running\n",
            pid, objection ? objection : error.text);
    return status;
}

int pidfile_restart_start(const struct restart *restart, const char *pidfile, nsec_t timeout) {
    struct start_daemon start = {
        .command = "brood pidfile",
        .options = {.pidfile = pidfile, .ready = DAEMONIZE_READY_EXEC, .ready_timeout = timeout},
        .plan = make_spec(restart),
    };

    return start_daemon(&start);
}

void pidfile_restart_free(struct restart *restart) {
    if (!restart)
        return;
    free_packed(&restart->arguments);
    free_packed(&restart->environment);
    free(restart);
}
