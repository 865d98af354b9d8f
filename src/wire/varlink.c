/* SPDX-License-Identifier: MIT */
#include "wire/varlink.h"

#include <errno.h>
#include <string.h>

void varlink_seed(uint64_t seed) {
    /* 0 would make jansson look for randomness by itself, in /dev. */
    json_object_seed((size_t)seed | 1);
}

/* Depth and number of values of what may be JSON: counted, not parsed. */
static bool is_bounded(const char *text, size_t length, unsigned max_values) {
    unsigned depth = 0, values = 1;
    bool in_text = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
            continue;
        }
        in_text = c == '"';
        if (c == '{' || c == '[') {
            values++;
            if (++depth > VARLINK_DEPTH_MAX)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (c == ',' || c == ':')
            values++;
    }
    return max_values == 0 || values <= max_values;
}

int varlink_parse(const char *text, size_t length, unsigned max_values, json_t **ret_object) {
    json_error_t error;

    if (!is_bounded(text, length, max_values))
        return -EBADMSG;
    json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!message)
        return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
    if (!json_is_object(message)) {
        json_decref(message);
        return -EBADMSG;
    }
    *ret_object = message;
    return 0;
}

/* A member that is missing, null, or of the type: 0 with it or NULL. */
static int member(const json_t *object, const char *key, json_type type, json_t **ret_value) {
    json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value)) {
        *ret_value = NULL;
        return 0;
    }
    /* jansson has two types for the two booleans. */
    if (json_typeof(value) != type && !(type == JSON_TRUE && json_is_false(value)))
        return -EBADMSG;
    *ret_value = value;
    return 0;
}

static int flag(const json_t *object, const char *key, bool *ret_flag) {
    json_t *value;
    int r = member(object, key, JSON_TRUE, &value);

    if (r == 0)
        *ret_flag = json_is_true(value);
    return r;
}

int varlink_read_call(const char *text, size_t length, struct varlink_call *ret_call) {
    struct varlink_call call = {};
    json_t *method;
    int r = varlink_parse(text, length, VARLINK_CALL_VALUES, &call.message);

    if (r < 0)
        return r;
    if (member(call.message, "method", JSON_STRING, &method) < 0 || !method ||
        member(call.message, "parameters", JSON_OBJECT, &call.parameters) < 0 ||
        flag(call.message, "more", &call.more) < 0 ||
        flag(call.message, "oneway", &call.oneway) < 0) {
        json_decref(call.message);
        return -EBADMSG;
    }
    call.method = json_string_value(method);
    *ret_call = call;
    return 0;
}

int varlink_read_reply(const char *text, size_t length, struct varlink_reply *ret_reply) {
    struct varlink_reply reply = {};
    json_t *error;
    int r = varlink_parse(text, length, 0, &reply.message);

    if (r < 0)
        return r;
    if (member(reply.message, "error", JSON_STRING, &error) < 0 ||
        member(reply.message, "parameters", JSON_OBJECT, &reply.parameters) < 0 ||
        flag(reply.message, "continues", &reply.continues) < 0) {
        json_decref(reply.message);
        return -EBADMSG;
    }
    reply.error = error ? json_string_value(error) : NULL;
    *ret_reply = reply;
    return 0;
}

void varlink_call_finish(struct varlink_call *call) {
    json_decref(call->message);
    *call = (struct varlink_call){};
}

void varlink_reply_finish(struct varlink_reply *reply) {
    json_decref(reply->message);
    *reply = (struct varlink_reply){};
}

static int add_bytes(const char *bytes, size_t length, void *data) {
    struct queue *queue = data;

    queue_add(queue, bytes, length);
    return queue->failed ? -1 : 0;
}

/* Adds a message and its end, or nothing. */
static void write_take(struct queue *queue, json_t *message) {
    size_t before = queue->length;

    if (!message || json_dump_callback(message, add_bytes, queue, JSON_COMPACT) < 0)
        queue->failed = true;
    queue_add(queue, "", 1);
    if (queue->failed)
        queue->length = before;
    json_decref(message);
}

void varlink_write_call_take(
    struct queue *queue, const char *method, json_t *parameters, unsigned flags) {
    json_t *message = json_pack("{s:s, s:o*}", "method", method, "parameters", parameters);

    if (message && flags & VARLINK_MORE && json_object_set_new(message, "more", json_true()) < 0)
        queue->failed = true;
    if (message && flags & VARLINK_ONEWAY &&
        json_object_set_new(message, "oneway", json_true()) < 0)
        queue->failed = true;
    write_take(queue, message);
}

void varlink_write_reply_take(struct queue *queue, json_t *parameters, bool continues) {
    json_t *message = json_pack("{s:o}", "parameters", parameters ? parameters : json_object());

    if (message && continues && json_object_set_new(message, "continues", json_true()) < 0)
        queue->failed = true;
    write_take(queue, message);
}

void varlink_write_error_take(struct queue *queue, const char *error, json_t *parameters) {
    write_take(queue, json_pack("{s:s, s:o}", "error", error, "parameters",
                          parameters ? parameters : json_object()));
}

void varlink_begin_reply(struct queue *queue) {
    queue_add_text(queue, "{\"parameters\":");
}

void varlink_end_reply(struct queue *queue, bool continues) {
    queue_add_text(queue, continues ? ",\"continues\":true}" : "}");
    queue_add(queue, "", 1);
}

void varlink_write_invalid(struct queue *queue, const char *parameter) {
    varlink_write_error_take(
        queue, VARLINK_INVALID_PARAMETER, json_pack("{s:s}", "parameter", parameter));
}

void varlink_write_no_method(struct queue *queue, const char *method) {
    varlink_write_error_take(queue, VARLINK_METHOD_NOT_FOUND, json_pack("{s:s}", "method", method));
}
