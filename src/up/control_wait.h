/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Answers that come later. A waiter is the call of one client that waits for what it has begun: it
 * has targets, and is answered when all of them are settled, or its time is over.
 */

#include "up/control_target.h"

enum answer {
    ANSWER_OUTCOMES, /* of one target or more: Outcome */
    ANSWER_CHANGES,  /* … of a reloaded configuration: Change */
    ANSWER_SHUTDOWN, /* no targets: when brood ends */
    ANSWER_PENDING,  /* none either: when all files have been looked at, or its time is over */
    ANSWER_REOPENED, /* … which the client does not want to see */
};

/* The client has none yet. NULL: no memory; the client is to be dropped. */
struct waiter *waiter_new(struct client *client, enum answer answer);
/* Accepts NULL. */
void waiter_free(struct waiter *waiter);

/* Adds a target, before what it waits for is begun: how things stand now is what is compared with.
 */
void waiter_add(struct waiter *waiter, const struct target *what);

/* JSON texts with commas between them, for the answer. */
struct queue *waiter_warnings(struct waiter *waiter);

/* All is begun: waits at most `timeout`, and answers at once what is settled. */
void waiter_start(struct waiter *waiter, nsec_t timeout);
/* Answers without waiting: it is begun. */
void waiter_dismiss(struct waiter *waiter);

/* For control.c. */
void waiters_on_report(struct control *control, const struct engine_report *told);
/* Pools were added or removed. */
void waiters_on_pools(struct control *control);
void waiters_look(struct control *control, nsec_t now);
nsec_t waiters_deadline(const struct control *control);
void waiters_answer_shutdown(struct control *control);

/* Files have been looked at: answers who has waited for that. */
void waiters_on_files(struct control *control);
bool waiters_want_files(const struct control *control);
