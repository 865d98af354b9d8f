/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A change that is asked for: the same method for each of several targets, side by side, with what
 * came of each as a line (or all as one JSON object), and one exit status for all.
 */

#include "ctl/connection.h"
#include "ctl/target.h"

/* What a method knows of time. */
enum request_kind {
    REQUEST_PROMPT,  /* nothing: it answers at once */
    REQUEST_WAITS,   /* `wait` and `timeout` */
    REQUEST_WAITING, /* `timeout`: it is there for nothing else */
};

/* Of `list` what is there is used up. */
int request_run(const struct ctl_call *call, const char *method, enum request_kind kind,
    struct target_list *list);

/* As above for a method without targets: one call with these parameters. */
int request_run_one_take(
    const struct ctl_call *call, const char *method, enum request_kind kind, json_t *parameters);

/* Only the call, with what the command's options say of time. */
int request_send_take(
    struct connection *connection, const char *method, enum request_kind kind, json_t *parameters);

/* Prints a JSON value, indented on a terminal, else on one line. */
void request_print_json_take(json_t *value);
