/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The configuration: text in systemd's grammar and vocabulary becomes pools, each with the very
 * structs that the floors below take. Nothing is printed and nothing is started here. What is wrong
 * goes into a list of messages with file and line; a configuration with an error in it is no
 * configuration.
 *
 *   files ─▶ lines (lexer) ─▶ assignments by section ─▶ for each pool: its own rows of the table of
 *   directives (directive.h), in the order [Defaults], template, pool, drop-ins; later wins, or
 *   adds where the directive is a list.
 *
 * Strings live as long as the struct conf. Text that the spawn plan renders (commands, environment,
 * paths of the child) keeps %i, %w, %p, %g and %%; everything else has been expanded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nsec.h"
#include "conf/message.h"
#include "core/worker.h"
#include "run/capture.h"
#include "run/log_settings.h"
#include "run/notify_socket.h"
#include "run/plan.h"
#include "sys/cgroup.h"
#include "sys/identity.h"

/* Where something was said; without a file it is the default. */
struct conf_origin {
    const char *file;
    unsigned line;
};

/* Which text is read. */
struct conf_sources {
    const char *const *files; /* -c: INI or .service files, each with the conf.d beside it */
    size_t n_files;
    const char *directory; /* DIR: its brood.conf, .service files and conf.d; NULL: none */
    bool strict;           /* what is not enforced is an error */
    bool trust_any_owner;  /* do not look at owner and mode of files, though we are root */
};

/* One command of a pool: ExecStart= and its relatives. */
struct conf_command {
    const char *const *argv; /* ended by NULL */
    const char *program;     /* "@": the file, argv[0] being only its name; else NULL */
    bool tolerated;          /* "-": a failure of it is ignored */
    bool literal;            /* ":": $VARIABLES are left as they are */
    bool privileged;         /* "+": without User=, Group= and what else takes rights away */
    bool unswitched;         /* "!": without User= and Group=, with the rest */
    struct conf_origin origin;
};

struct conf_commands {
    struct conf_command *list;
    size_t count;
};

/* Who the stop signal, and SIGKILL after it, go to. */
#define CONF_KILL_MODES(X)                                                                         \
    X(CONTROL_GROUP, "control-group") /* the whole tree, both times */                             \
    X(MIXED, "mixed")                 /* the process, then SIGKILL for the tree */                 \
    X(PROCESS, "process")             /* the process alone, both times */                          \
    X(NONE, "none")                   /* nobody */

enum conf_kill_mode {
#define X(name, text) CONF_KILL_##name,
    CONF_KILL_MODES(X)
#undef X
        CONF_KILL_MAX
};

#define CONF_TYPES(X)                                                                              \
    X(SIMPLE, "simple")   /* ready when it has been forked; here: as exec */                       \
    X(EXEC, "exec")       /* ready when exec has succeeded */                                      \
    X(NOTIFY, "notify")   /* ready when it says READY=1, or a line on NotifyDescriptor= */         \
    X(ONESHOT, "oneshot") /* done when it has ended */

enum conf_type {
#define X(name, text) CONF_TYPE_##name,
    CONF_TYPES(X)
#undef X
        CONF_TYPE_MAX
};

enum conf_listen_kind { CONF_LISTEN_STREAM, CONF_LISTEN_DATAGRAM, CONF_LISTEN_SEQUENTIAL_PACKET };

/* A socket that brood opens and hands over; the address is text still (run/listen.h reads it). */
struct conf_listen {
    enum conf_listen_kind kind;
    const char *address;
    struct conf_origin origin;
};

struct conf_listens {
    struct conf_listen *list;
    size_t count;
    uint32_t backlog;
    bool reuse_port;          /* one socket for each worker */
    const char *name;         /* FileDescriptorName=; NULL: the pool's name */
    mode_t mode;              /* of unix sockets */
    const char *user, *group; /* of unix sockets; NULL: ours */
};

/* The control groups of a pool. */
struct conf_cgroup {
    struct cgroup_limits limits; /* of each worker's tree */
    const char *slice;           /* name below the chosen root; NULL: the root itself */
    bool delegate;               /* the worker may make groups of its own */
    bool strict;                 /* a limit that cannot be had is an error, not a warning */
};

/* Directories that brood makes before the first start, owned by User=. */
struct conf_directories {
    struct word_list names; /* relative to: */
    const char *base;       /* "/run", "/var/lib", …; those of the user where we are not root */
    mode_t mode;
};

enum conf_directory_kind {
    CONF_DIRECTORY_RUNTIME, /* removed again at the end */
    CONF_DIRECTORY_STATE,
    CONF_DIRECTORY_CACHE,
    CONF_DIRECTORY_LOGS,
    CONF_DIRECTORY_MAX
};

/* What becomes of the output that is captured. */
struct conf_log {
    struct capture_settings capture; /* without what the engine fills in; directory NULL: the
                                        supervisor's */
    const char *user, *group;        /* who owns the files; NULL: we */
};

/* A value as it was given, its specifiers expanded. */
struct conf_setting {
    const struct conf_directive *directive;
    const char *value;
    struct conf_origin origin;
};

struct conf_pool {
    const char *name;     /* "web", "web@blue" */
    const char *prefix;   /* "web" */
    const char *instance; /* "blue"; NULL where it is no instance of a template */
    struct conf_origin origin;
    bool is_service; /* from a .service file: with systemd's defaults */
    const char *description;

    uint32_t workers;
    uint32_t surge;
    enum conf_type type;

    struct plan_spec plan; /* without the command: conf_pool_plan() */
    struct conf_command start;
    struct conf_commands pre, post, stop_post, reload;

    struct worker_rules rules;
    enum conf_kill_mode kill_mode;
    bool ends_leftovers; /* of a worker that has ended unasked, before it is replaced */
    int final_signal;
    uint64_t recycle_memory; /* bytes of the tree; 0: none */

    enum notify_access notify_access;
    int notify_descriptor; /* 0: none; else ready by a line there, as s6 has it */
    uint32_t descriptor_store_max;

    struct conf_listens listens;
    bool on_demand; /* start with the first connection */
    struct conf_cgroup cgroup;
    struct conf_log log;
    struct conf_directories directories[CONF_DIRECTORY_MAX];

    /* What was set, in order, without what a later one has replaced. */
    const struct conf_setting *settings;
    size_t n_settings;
};

struct conf_brood {
    const char *read_group;   /* may ask */
    const char *change_group; /* may ask and change */
    const char *slice;        /* root of our cgroups; NULL: found out */
    bool strict;
    bool exit_when_done;       /* exit when every pool has ended by itself */
    struct log_choice log;     /* brood's own */
    const char *notify_socket; /* directory of the workers' notify sockets; NULL: abstract ones */
    const struct conf_setting *settings;
    size_t n_settings;
};

struct conf; /* an arena with everything in it */

/*
 * Reads it all. -EBADMSG: there are errors among the messages. Otherwise a negative errno that is
 * not the text's fault (-ENOMEM). `messages` has been initialised with zeros; warnings come on
 * success, too.
 */
int conf_load(
    const struct conf_sources *sources, struct conf **ret_conf, struct conf_messages *messages);

/* Accepts NULL; returns NULL. */
struct conf *conf_free(struct conf *conf);

const struct conf_brood *conf_brood(const struct conf *conf);

/* Pools in the order in which they were first named. */
size_t conf_n_pools(const struct conf *conf);
const struct conf_pool *conf_pool_at(const struct conf *conf, size_t index);
const struct conf_pool *conf_find_pool(const struct conf *conf, const char *name);

/*
 * What plan_new() takes for one of the pool's commands (&pool->start, &pool->pre.list[0], …).
 * Refers to the pool.
 */
struct plan_spec conf_pool_plan(const struct conf_pool *pool, const struct conf_command *command);

/* Where a directive of the pool was given; if it was not, where the pool begins. */
struct conf_origin conf_pool_origin(const struct conf_pool *pool, const char *directive);

/*
 * Who is to own something of the pool (`what`: "its sockets"); the names may be NULL. -EBADMSG: one
 * is not known, and the messages say so; -ENOMEM.
 */
int conf_find_owner(const struct conf_pool *pool, const char *what, const char *user,
    const char *group, struct identity *ret_owner, struct conf_messages *messages);

/*
 * Looks for what would fail at the start: users, groups, capabilities and programs that are not
 * there. Adds to the messages. -ENOMEM.
 */
int conf_check(const struct conf *conf, struct conf_messages *messages);

/* What lies between two definitions of a pool; several at once. 0: nothing. */
enum conf_change {
    CONF_CHANGE_WORKERS = 1 << 0, /* how many: scale */
    CONF_CHANGE_RULES = 1 << 1,   /* what is done with processes: takes effect as it is */
    CONF_CHANGE_PROCESS = 1 << 2, /* what a process is: new ones are needed (roll) */
    CONF_CHANGE_SOCKETS = 1 << 3, /* what is listened on (new processes, too) */
};

unsigned conf_pool_compare(const struct conf_pool *before, const struct conf_pool *after);
