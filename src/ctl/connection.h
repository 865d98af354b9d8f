/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A connection to the supervisor. What goes wrong is told to the user here, once, in the words of
 * the command; callers only pass the exit status on.
 */

#include <sys/types.h>

#include "ctl/ctl.h"
#include "wire/endpoint.h"
#include "wire/frames.h"
#include "wire/varlink.h"

/* Within this a supervisor answers what it need not wait for, unless a call has less patience. */
#define CONNECTION_ANSWER (10 * NSEC_PER_SEC)

struct connection {
    const struct ctl_call *call;
    struct endpoint address;
    int fd;
    pid_t peer; /* the supervisor, or 0 where that cannot be known */
    nsec_t deadline;
    struct frames frames;
};

/* Opens it within the call's patience. */
int connection_open(const struct ctl_call *call, struct connection *ret_connection);
void connection_finish(struct connection *connection);

/*
 * Sends a call, and sets the time by which the next reply has to be there: `wait` from now
 * (NSEC_NEVER: whenever it comes).
 */
int connection_send_take(struct connection *connection, const char *method, json_t *parameters,
    unsigned flags, nsec_t wait);

/*
 * The next reply. An error is told and becomes a status, with its parameters in the reply all the
 * same; a reply is given back with varlink_reply_finish() in any case.
 */
int connection_receive(struct connection *connection, struct varlink_reply *ret_reply);

/* The next reply if it has come already: 1 with it or 0 without; or, told, -1. */
int connection_poll(struct connection *connection, struct varlink_reply *ret_reply);

/* Both: what the supervisor answers at once to a method of io.brood. */
int connection_ask_take(struct connection *connection, const char *method, json_t *parameters,
    struct varlink_reply *ret_reply);
