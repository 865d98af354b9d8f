/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Varlink messages (https://varlink.org), for the server and the client: calls and replies read
 * from text and written to a queue. JSON is jansson's; what comes from outside is bounded before
 * jansson sees it: its depth (a parser that calls itself needs stack) and its number of values (a
 * value of three bytes becomes an object of hundreds).
 */

#include <jansson.h>
#include <stdint.h>

#include "wire/queue.h"

#define VARLINK_DEPTH_MAX 32

/* What a server takes from its clients, and a client from the server that it trusts. */
#define VARLINK_CALL_MAX    ((size_t)1 << 20)
#define VARLINK_CALL_VALUES 65536u
#define VARLINK_REPLY_MAX   ((size_t)256 << 20)

/* Errors that every Varlink service may answer with. */
#define VARLINK_INTERFACE_NOT_FOUND    "org.varlink.service.InterfaceNotFound"
#define VARLINK_METHOD_NOT_FOUND       "org.varlink.service.MethodNotFound"
#define VARLINK_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_INVALID_PARAMETER      "org.varlink.service.InvalidParameter"
#define VARLINK_EXPECTED_MORE          "org.varlink.service.ExpectedMore"

enum varlink_flags {
    VARLINK_MORE = 1 << 0,   /* several replies are wanted */
    VARLINK_ONEWAY = 1 << 1, /* no reply is wanted */
};

struct varlink_call {
    json_t *message;    /* owns what the others point into */
    const char *method; /* "io.brood.Status" */
    json_t *parameters; /* an object, or NULL for none */
    bool more, oneway;
};

struct varlink_reply {
    json_t *message;
    const char *error;  /* NULL: it is none */
    json_t *parameters; /* an object, or NULL for none */
    bool continues;     /* more replies to this call will follow */
};

/* So that nobody can choose keys that fall together in jansson's tables. Once, before all else. */
void varlink_seed(uint64_t seed);

/*
 * JSON text → an object. -EBADMSG: no JSON, no object, a key twice, a number out of range, too deep
 * or more than `max_values` (0: any number) values; -ENOMEM.
 */
int varlink_parse(const char *text, size_t length, unsigned max_values, json_t **ret_object);

/* -EBADMSG as above, and for what is no call or reply; -ENOMEM. Results are given back by _finish.
 */
int varlink_read_call(const char *text, size_t length, struct varlink_call *ret_call);
int varlink_read_reply(const char *text, size_t length, struct varlink_reply *ret_reply);
void varlink_call_finish(struct varlink_call *call);
void varlink_reply_finish(struct varlink_reply *reply);

/*
 * Add a message with its end; `parameters` are theirs (NULL: none). A lack of memory, here or in
 * making the parameters out of nothing, is queue->failed; a message that failed is not added.
 */
void varlink_write_call_take(
    struct queue *queue, const char *method, json_t *parameters, unsigned flags);
void varlink_write_reply_take(struct queue *queue, json_t *parameters, bool continues);
void varlink_write_error_take(struct queue *queue, const char *error, json_t *parameters);

/* The same around parameters that are written as text: an object between the two. */
void varlink_begin_reply(struct queue *queue);
void varlink_end_reply(struct queue *queue, bool continues);

/* InvalidParameter and MethodNotFound, which name what they are about. */
void varlink_write_invalid(struct queue *queue, const char *parameter);
void varlink_write_no_method(struct queue *queue, const char *method);
