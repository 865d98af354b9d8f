/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files that make a configuration. */

#include "conf/arena.h"
#include "conf/conf.h"
#include "conf/directive.h"

enum directive_flags {
    DIRECTIVE_BROOD = 1 << 0, /* of [Brood], all others of a pool */
    DIRECTIVE_UNIT = 1 << 1,  /* in [Unit] of a .service file, too */
    DIRECTIVE_OWN = 1 << 2,   /* systemd has no such word */
    DIRECTIVE_LIST = 1 << 3,  /* adds to what was said before; an empty one forgets that */
    DIRECTIVE_SPAWN = 1 << 4, /* the spawn plan renders it: %i and its like stay */
    DIRECTIVE_TEXT = 1 << 9,  /* specifiers are expanded, all of them */
    DIRECTIVE_EMPTY = 1 << 8, /* an empty one is a value: nothing at all */

    /* What a change of it is; without one of these, it takes new processes. */
    DIRECTIVE_RULES = 1 << 5,
    DIRECTIVE_COUNT = 1 << 6,
    DIRECTIVE_SOCKETS = 1 << 7,
};

/* KEY=VALUE in a file. */
struct assignment {
    const char *key;
    const char *value;
    struct conf_origin origin;
    bool in_unit; /* in [Unit] */
};

struct assignments {
    struct assignment *list;
    size_t count;
};

/* What the files say about one pool, template or all: the assignments of one name. */
struct block {
    const char *name; /* "web", "web@blue"; "web@": a template */
    struct conf_origin origin;
    bool is_service;
    struct assignments assignments;
};

struct blocks {
    struct block *list;
    size_t count;
};

/* All that was read, not yet understood. */
struct sections {
    struct assignments brood, defaults;
    struct blocks pools;
};

/* A pool in the making: what it becomes, and what has to be put together first. */
struct draft {
    struct conf_pool pool;

    struct conf_commands starts;
    struct given_time {
        bool given;
        nsec_t value;
    } restart_delay, restart_max_delay, start_timeout;
    uint32_t restart_steps;
    unsigned restart_jitter_permille;
    nsec_t restart_reset;
    bool dynamic_user;

    bool inherit_environment;
    struct word_list environment; /* Environment= */
    struct word_list environment_files;
    struct word_list pass_environment;
    struct word_list merged; /* all of them, as the plan gets it */
    struct word_list groups, ambient;
    struct conf_output {
        struct stdio_spec stdio;
        enum capture_target target; /* CAPTURE_NONE: it goes where `stdio` says */
    } outputs[FRAME_STREAM_MAX];
    uint64_t bounding;
    bool has_bounding, has_ambient;
    struct word_list instances;
};

/* What a reader of values knows besides the text. */
struct conf_reader {
    struct arena *arena;
    struct conf_messages *messages;
    const struct conf_directive *directive;
    struct conf_origin origin;
    struct draft *draft; /* NULL in [Brood] */
    bool strict;
};

/*
 * Readers report more than "expected …" by these; both return what the reader is to return. With
 * `strict` a warning is an error, too.
 */
int conf_complain(struct conf_reader *reader, const char *format, ...) printf_like(2, 3);
int conf_warn(struct conf_reader *reader, const char *format, ...) printf_like(2, 3);

/* The rows of the table, in pieces (rows_*.c). */
struct directive_rows {
    const struct conf_directive *rows;
    size_t count;
};

extern const struct directive_rows rows_life, rows_change, rows_process, rows_limits, rows_log,
    rows_system, rows_brood;

/*
 * Expands what is known now. `keep`: %i, %w, %p, %g and %% stay, for the plan; otherwise the first
 * three are an error. -EINVAL: the letter left in `ret_letter`.
 */
int specifiers_expand(struct conf_reader *reader, const char *text, bool keep,
    const char **ret_text, char *ret_letter);

/* Writes `text` so that the plan renders it as it is: each % twice. */
char *specifiers_escape(struct arena *arena, const char *text);

/* The directory of %t, %S, %C, %L or %E; NULL: none of these. */
const char *specifier_directory(struct arena *arena, char letter);

int word_list_add(struct arena *arena, struct word_list *list, const char *word);

/* Puts the pieces of a draft together, and looks at what they are as a whole. */
int draft_finish(struct conf_reader *reader, struct draft *draft);

/* The environment of a draft into draft->merged and the plan. */
int draft_environment(struct conf_reader *reader, struct draft *draft);

/* Puts the values of variables into a command, in the place of $NAME and ${NAME}. */
int command_expand(
    struct conf_reader *reader, const struct draft *draft, struct conf_command *command);

/* Reads all files into `sections`. -EBADMSG after messages, -ENOMEM. */
int conf_read_sources(const struct conf_sources *sources, struct arena *arena,
    struct conf_messages *messages, struct sections *ret_sections);

/* For tests: one text, as if it were the file `name`; of a unit, if `service` is its name. */
int conf_load_text(const char *name, const char *text, const char *service, struct conf **ret_conf,
    struct conf_messages *messages);

/* What the known directives of systemd that brood does not have mean; NULL: unknown. */
struct foreign {
    bool silent;         /* says nothing about the process */
    const char *meaning; /* "the process can see …" */
};

const struct foreign *foreign_find(const char *key);
