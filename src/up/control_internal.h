/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the files of the control socket: control.c (the socket and who is connected),
 * control_client.c (one connection), control_methods.c (what it may call), control_wait.c (answers
 * that come later), control_status.c, control_events.c, control_logs.c, control_socket.c
 * (binding it).
 */

#include <jansson.h>

#include "loop/loop.h"
#include "up/control.h"
#include "wire/frames.h"
#include "wire/interface.h"

#define CONTROL_CLIENTS_MAX 1024

/* While a call is being answered its client may send so much ahead. */
#define CONTROL_AHEAD_MAX ((size_t)64 << 10)

/* Events that wait for one follower, in bytes; and how many it may miss beyond them. */
#define CONTROL_FOLLOWER_BYTES  ((size_t)1 << 20)
#define CONTROL_FOLLOWER_MISSED 10000

/* Replies that wait for all clients together. */
#define CONTROL_REPLIES_MAX ((size_t)64 << 20)

/* Events that are remembered. */
#define CONTROL_EVENTS_KEPT 1000

enum control_right {
    RIGHT_NONE,
    RIGHT_READ,
    RIGHT_OUTPUT, /* no client's own: to see lines whose files may be kept from those who read */
    RIGHT_CHANGE,
};

struct waiter;

struct client {
    struct control *control;
    struct client *previous, *next; /* longest idle first */
    int fd;
    loop_source_t source;
    unsigned events; /* watched for */
    enum control_right right;
    struct frames in;
    struct queue out;
    struct waiter *waiter; /* the call under way, whose answer comes later; or NULL */
    bool oneway;           /* … and is not wanted */
    bool follows;          /* gets events, until it goes */
    bool ended;            /* it will send no more */
    uint64_t missed;       /* events, since the last one it got */
    json_t *pools;         /* whose events or files it wants, or NULL: all */
    uint64_t ticket;       /* of the look at files that it waits for */
};

/* The last events as lines without their ends, each with a NUL after it. */
struct events {
    struct queue lines;
    uint32_t count;
    uint64_t sequence; /* of the last one; the first is 1 */
};

struct control {
    struct control_options options;
    struct loop *loop;
    char *path;
    dev_t device; /* of the socket's file, which may have been replaced */
    ino_t inode;
    int fd;
    loop_source_t source;
    bool muted; /* no descriptors left to accept with */
    struct client *first, *last;
    uint32_t n_clients, n_followers;
    struct waiter *waiters;
    struct events ring;
    struct loop_timer timer; /* all that is to be done later, see control_wake() */
    nsec_t next_look;        /* waiters are not looked at before */
    nsec_t accept_again;     /* NSEC_NEVER: not muted */
    uint64_t started;        /* nanoseconds since 1970 */
    bool looking;            /* something was reported that waiters wait for */
    bool telling;            /* events wait for followers */
    bool shutting_down;
};

/* control.c */

/* Something is to be looked at once the turn has done what it is at: by control->looking,
 * ->telling. */
void control_wake(struct control *control);

/* control_socket.c */
int control_listen(struct control *control, pid_t *ret_pid);
void control_unlink(const struct control *control);
enum control_right control_right_of(const struct control *control, int fd);

/* control_client.c */
int client_new_take(struct control *control, int fd);
void client_free(struct client *client);
/* Sends what it can, and takes up the next call when all is out. May free the client. */
void client_flush(struct client *client);
bool client_is_idle(const struct client *client);

/* control_methods.c: answers a call, or makes a waiter or a follower of the client. */
void methods_dispatch(struct client *client, const struct varlink_call *call);

/* control_status.c */
void status_write(
    struct control *control, const struct engine_pool *pool, int64_t worker, struct queue *queue);

enum pool_state {
    POOL_UP,
    POOL_STARTING,
    POOL_STOPPING,
    POOL_STOPPED,
    POOL_FAILED,
    POOL_DONE,
    POOL_ROLLING,
};

struct pool_summary {
    uint32_t workers, ready;
    uint64_t restarts;
    enum pool_state state;
};

struct pool_summary status_of(const struct engine_pool *pool);
const char *status_state_name(enum pool_state state);
bool status_is_rolling(const struct engine_pool *pool);
enum worker_state status_worker_state(const struct worker_facts *facts);

/* control_logs.c */

/* Makes a waiter of the client. */
void logs_tell_pending(struct client *client, json_t *pools);
void logs_reopen(struct client *client);
/* Whether the files have been looked at since the client asked. */
bool logs_are_known(const struct client *client);
void logs_write(const struct client *client, struct queue *queue);
/* A waiter for files is gone. */
void logs_forget(const struct control *control);

/* control_events.c */
void events_on_report(struct control *control, const struct engine_report *told);
/* Whether the pool is among them; an empty list, or none, is all. */
bool events_wanted(const json_t *pools, const char *pool);
/* Sends what is remembered, and with `follow` goes on with what comes. */
void events_send(struct client *client, bool follow, json_t *pools);
/* The follower has taken all: tell it what it has missed. */
void events_confess(struct client *client);
