/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The control socket of a supervisor: the Varlink interface io.brood (wire/io.brood.varlink) for
 * the pools of an engine, on the engine's loop. It never blocks, and what a client can make it keep
 * is bounded: the length of a call, one call at a time, the replies that wait for a client that
 * does not read.
 *
 * The same user and root may do everything; members of one group may look, and those of another
 * change things as well, where such are named. Others are told that they may not.
 *
 * What the socket cannot know of by itself (the configuration, the end of the process) it asks by
 * the callbacks. All are called in the engine's thread, from a source of the loop: the engine's
 * functions may be called there.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "run/engine.h"
#include "run/listen.h"
#include "run/report.h"

struct control;

/* What a reload of the configuration comes to: filled in by reload_config(). */
struct control_changes;

/*
 * A pool that is added is waited for until its workers are up, a removed one until
 * engine_remove_pool(), a scaled one until there are as many as the engine has now, a rolled one
 * until the roll has ended, and one that was given up and is tried anew until its workers are up.
 * What is updated takes effect with the next start of each worker.
 */
/* enumerator, word in Change.what, what is waited for */
#define CONTROL_CHANGES(X)                                                                         \
    X(ADDED, "added", WAIT_UP)                                                                     \
    X(REMOVED, "removed", WAIT_GONE)                                                               \
    X(SCALED, "scaled", WAIT_SCALE)                                                                \
    X(ROLLED, "rolled", WAIT_ROLL)                                                                 \
    X(STARTED, "started", WAIT_UP)                                                                 \
    X(UPDATED, "updated", WAIT_NOTHING)                                                            \
    X(UNCHANGED, "unchanged", WAIT_NOTHING)

enum control_change {
#define X(name, text, kind) CHANGE_##name,
    CONTROL_CHANGES(X)
#undef X
};

/* `text`: what has changed, in words, or NULL. To be told after the engine has been told to. */
void control_changed(
    struct control_changes *changes, const char *pool, enum control_change what, const char *text);
/* FILE:LINE: what … */
void control_warn(struct control_changes *changes, const char *text);
void control_error(struct control_changes *changes, const char *text);

/* About a pool, for Status. Each may be NULL. */
struct control_origin {
    const char *command;
    const char *file;
    unsigned line;
};

struct control_callbacks {
    /*
     * Reads the configuration again and applies the difference, or changes nothing: -EINVAL with
     * errors told; -EBUSY: not now (a roll is under way); others: what has failed.
     */
    int (*reload_config)(void *data, struct control_changes *changes);
    /* As engine_pool_scale(); where it fails, `reason` may say why (it is empty before). */
    int (*scale)(
        void *data, struct engine_pool *pool, uint32_t n_workers, char reason[LISTEN_TEXT_SIZE]);
    /* How often the configuration has been taken over. */
    uint64_t (*configuration)(void *data);
    /* Stop everything and end, as SIGTERM does. */
    void (*shut_down)(void *data);
    void (*origin)(void *data, const struct engine_pool *pool, struct control_origin *ret_origin);
    /* Somebody asks for what changes something, whether it is granted or not. May be NULL. */
    void (*called)(void *data, const char *method, uid_t uid, pid_t pid);
};

struct control_options {
    struct engine *engine; /* outlives the control */
    const char *path;      /* of the socket; its directory is made if it is not there */
    const char *version;
    const char *logs;   /* where output is kept unless a pool says where; NULL: unknown */
    gid_t read_group;   /* may look; (gid_t)-1: none */
    gid_t change_group; /* may look and change; (gid_t)-1: none */
    const struct control_callbacks *callbacks;
    void *data;
};

/*
 * Listens. -EADDRINUSE: somebody else does, `ret_pid` says who (0: nobody could tell);
 * -ENAMETOOLONG, -EEXIST (what is there is no socket), -EAGAIN (another one is just starting
 * there), or what the system says.
 */
int control_new(
    const struct control_options *options, struct control **ret_control, pid_t *ret_pid);

/* Other groups may connect from now on; who is connected keeps the rights that it had. */
int control_set_groups(struct control *control, gid_t read_group, gid_t change_group);

/* Accepts NULL; returns NULL. Answers who waits for a shutdown, and removes the socket. */
struct control *control_free(struct control *control);

/* Nothing can be started any more. To be called when the shutdown begins, however it was asked for.
 */
void control_shutting_down(struct control *control);

/* Pools were added or removed: who waits for that is to be looked at. */
void control_pools_changed(struct control *control);

/* Something of brood itself that followers of the events should know. */
void control_note(struct control *control, enum report_note note, const char *text);
