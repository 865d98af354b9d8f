/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The spawn plan: all that a pool's children need between clone and exec, worked out once. Names
 * have become numbers, the program has been looked up, the environment has been merged. What is
 * left for each spawn is to fill in the worker's number (plan_render), without allocation; what is
 * left for the child is a fixed list of raw system calls (child.c).
 */

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/macro.h"
#include "sys/identity.h"

enum stdio_kind {
    STDIO_INHERIT,
    STDIO_NULL,
    STDIO_FILE,   /* read for stdin; written from the start, what is there stays, for the others */
    STDIO_APPEND, /* created where it is missing */
    STDIO_TRUNCATE, /* created where it is missing */
};

struct stdio_spec {
    enum stdio_kind kind;
    const char *path;
};

struct limit_spec {
    bool set;
    rlim_t soft, hard;
};

/* A list of words that somebody else owns. */
struct word_list {
    const char **words;
    size_t count;
};

/* What the user asks for. Zeroed, with argv, it is a plain start. Strings stay the caller's. */
struct plan_spec {
    const char *pool;
    uint32_t n_workers; /* 0: not a worker at all, without variables of brood's */
    const char *const *argv;
    const char *program; /* the file to execute, argv[0] being only its name; NULL: look that up */
    bool literal;        /* no placeholders */

    bool clear_environment;
    struct word_list set_environment; /* NAME=VALUE */
    struct word_list unset_environment;
    struct word_list environment_files;

    const char *root_directory; /* chroot(2) there; the program is looked up below it */
    const char *directory;      /* within the root */
    bool is_default_directory;  /* nobody asked for it: a relative command is not meant there */
    bool has_umask;
    mode_t umask;
    struct stdio_spec stdio[3];
    bool stdio_as_user; /* open files with the rights of `user`, not with ours */
    bool new_session;   /* otherwise a process group of its own */

    const char *user;
    const char *group;
    const char *groups;
    const char *bounding_capabilities; /* list; NULL: untouched */
    const char *ambient_capabilities;
    bool no_new_privileges;

    struct limit_spec limits[RLIM_NLIMITS];
    bool has_nice;
    int nice;
    const cpu_set_t *cpus; /* NULL: untouched */
    bool has_oom_score;
    int oom_score;
    int parent_death_signal;
    bool ignore_hangup; /* nohup(1)'s one promise */
};

/* The steps of a child, in their order: enumerator, word in messages. */
#define CHILD_STEPS(X)                                                                             \
    X(CLONE, "clone")                                                                              \
    X(RENDER, "expand placeholders")                                                               \
    X(VOICE, "listen for notifications")                                                           \
    X(FILES, "close descriptors")                                                                  \
    X(CONTROL_GROUP, "enter control group")                                                        \
    X(PASS, "pass descriptor")                                                                     \
    X(SIGNALS, "reset signals")                                                                    \
    X(SESSION, "setsid")                                                                           \
    X(GROUP, "setpgid")                                                                            \
    X(STDIN, "open standard input")                                                                \
    X(STDOUT, "open standard output")                                                              \
    X(STDERR, "open standard error")                                                               \
    X(LIMITS, "set limit")                                                                         \
    X(NICE, "set nice")                                                                            \
    X(CPUS, "set CPU affinity")                                                                    \
    X(OOM, "set OOM score")                                                                        \
    X(ROOT, "chroot")                                                                              \
    X(BOUNDING, "drop bounding capability")                                                        \
    X(GROUPS, "setgroups")                                                                         \
    X(GID, "setgid")                                                                               \
    X(UID, "setuid")                                                                               \
    X(AMBIENT, "raise ambient capability")                                                         \
    X(NO_NEW_PRIVS, "set no_new_privs")                                                            \
    X(PARENT_DEATH, "set parent-death signal")                                                     \
    X(DIRECTORY, "chdir")                                                                          \
    X(EXEC, "exec")

enum child_step {
#define X(name, text) CHILD_##name,
    CHILD_STEPS(X)
#undef X
        CHILD_STEP_MAX
};

const char *child_step_name(enum child_step step);

/* Text with placeholders, and whether there are any. */
struct template {
    const char *text;
    bool has_placeholders;
};

struct plan {
    char *pool;
    uint32_t n_workers;
    char *program; /* absolute */

    struct template *arguments;
    size_t n_arguments;
    struct template *environment;
    size_t n_environment;
    struct template root;      /* text NULL: ours */
    struct template directory; /* text NULL: stay, or the new root */
    struct template stdio_paths[3];
    enum stdio_kind stdio[3];
    bool stdio_as_user;
    bool join_stderr; /* standard error is the same file as standard output: share its offset */

    uint64_t ignored_signals; /* to be set back to default */
    bool ignore_hangup;
    bool new_session;
    bool has_umask;
    mode_t umask;
    struct limit_spec limits[RLIM_NLIMITS];
    uint32_t n_limits;
    bool has_nice;
    int nice;
    bool has_cpus;
    cpu_set_t cpus;
    char oom_score[8]; /* empty: untouched */

    struct identity identity;
    bool has_bounding;
    uint64_t bounding;
    uint64_t ambient;
    bool no_new_privileges;
    int parent_death_signal;

    size_t scratch_size; /* what plan_render needs at the most, extras aside */
};

/* Why a plan could not be made: a line for the user, and the exit status that fits it. */
struct plan_error {
    int status;
    char text[512];
};

/*
 * Works out a plan. Fails with negative errno and a filled error: an unknown user, group or
 * capability, an environment file that cannot be read, a program that is not there (status 127) or
 * cannot be executed (126).
 */
int plan_new(const struct plan_spec *spec, struct plan **ret_plan, struct plan_error *ret_error);

/* Fills the error for -ENOMEM, which it returns. */
int plan_error_no_memory(struct plan_error *ret_error);

/* Accepts NULL; returns NULL. */
struct plan *plan_free(struct plan *plan);

/* A descriptor for the child: its number here, and there. */
struct child_descriptor {
    int from;
    int to;
};

/* What one start gets that is not of its plan; copied by plan_render(). */
struct plan_extras {
    const char *const *variables; /* NAME=VALUE, instead of the plan's of the same name */
    size_t n_variables;
    const char *const *pid_variables; /* names of variables that hold the child's own pid */
    size_t n_pid_variables;
    const struct child_descriptor *descriptors; /* by rising `to` */
    size_t n_descriptors;
};

#define PID_VARIABLES_MAX 2

/* One incarnation of one worker. */
struct incarnation {
    uint32_t worker;
    uint32_t generation;
    uint32_t n_workers;               /* of the pool now; 0: as when the plan was made */
    const struct plan_extras *extras; /* NULL: none */
};

/* What the child hands to the kernel, laid out in scratch memory. */
struct rendered {
    char **arguments; /* with a free slot before the first */
    char **environment;
    const char *root;
    const char *directory;
    const char *stdio_paths[3];
    char *pids[PID_VARIABLES_MAX]; /* where the child writes its pid; NULL: no more */
    struct child_descriptor *descriptors;
    size_t n_descriptors;
};

/* How much scratch memory an incarnation of this plan needs at the most. */
size_t plan_scratch_for(const struct plan *plan, const struct plan_extras *extras);

/* Fills in the placeholders; `scratch` has plan_scratch_for() bytes, aligned to 16. */
void plan_render(const struct plan *plan, struct incarnation incarnation, void *scratch,
    struct rendered *ret_rendered);

/* What a child leaves behind when it cannot become its program. */
struct child_fault {
    uint32_t step; /* enum child_step */
    int error;     /* errno; 0: none */
    int detail;    /* LIMITS: the resource; BOUNDING, AMBIENT: the capability; PASS: the number */
};

/*
 * "exec /usr/bin/wbe: No such file or directory": what failed, on which thing, and why. Returns
 * `buffer`.
 */
const char *plan_explain(const struct plan *plan, struct incarnation incarnation,
    struct child_fault fault, char *buffer, size_t size);
