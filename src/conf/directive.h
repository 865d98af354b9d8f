/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The table of directives: the one source of parsing, checking, `brood help DIRECTIVE`, `brood
 * config show`, the manual page and the shell's completion. One row is one directive.
 */

#include <stdbool.h>
#include <stddef.h>

/* Headings, in the order of the manual page. */
#define CONF_GROUPS(X)                                                                             \
    X(POOL, "Pool")                                                                                \
    X(COMMANDS, "Commands")                                                                        \
    X(READINESS, "Readiness and health")                                                           \
    X(RESTART, "Restarting")                                                                       \
    X(STOP, "Stopping")                                                                            \
    X(CHANGE, "Rolling and recycling")                                                             \
    X(ENVIRONMENT, "Environment")                                                                  \
    X(IDENTITY, "User and rights")                                                                 \
    X(PLACE, "Files and directories")                                                              \
    X(LIMITS, "Limits and scheduling")                                                             \
    X(CGROUP, "Control groups")                                                                    \
    X(LOG, "Output and logs")                                                                      \
    X(SOCKETS, "Sockets")                                                                          \
    X(BROOD, "The supervisor")

enum conf_group {
#define X(name, text) CONF_GROUP_##name,
    CONF_GROUPS(X)
#undef X
        CONF_GROUP_MAX
};

const char *conf_group_name(enum conf_group group);

struct conf_reader;

struct conf_directive {
    const char *name; /* without "=" */
    enum conf_group group;
    unsigned flags;               /* internal.h */
    const char *argument;         /* "SECONDS", "SIGNAL", … */
    const char *expects;          /* "a duration such as 10s", for errors */
    const char *fallback;         /* the default as text; NULL: unset */
    const char *service_fallback; /* the default in a .service file; NULL: the same */
    const char *help;             /* sentences, without line breaks */

    /* The reader takes the text to the field: one of both. */
    int (*read)(const char *text, void *field);
    int (*read_with)(struct conf_reader *reader, const char *text, void *field);
    size_t offset;
};

/* Row after row, group by group; NULL after the last one. */
const struct conf_directive *conf_directive_at(size_t index);

/* The row of a name, in [Brood] or in a pool; NULL: there is none. */
const struct conf_directive *conf_directive_find(const char *name, bool brood);

/* The default as text; NULL: unset. */
const char *conf_directive_default(const struct conf_directive *directive, bool is_service);

/* The nearest name, or NULL. */
const char *conf_directive_nearest(const char *name);

bool conf_directive_is_list(const struct conf_directive *directive); /* adds; empty resets */
bool conf_directive_is_own(const struct conf_directive *directive);  /* systemd has no such word */
bool conf_directive_is_brood(
    const struct conf_directive *directive); /* in [Brood], not in a pool */
