/* SPDX-License-Identifier: MIT */

/* The files of captured output: what waits for them, and opening them anew. */

#include <string.h>

#include "base/base64.h"
#include "run/capture.h"
#include "run/peek.h"
#include "up/control_wait.h"

/* Beyond this a file is one that does not answer: its thread hangs in the disk. */
#define PATIENCE (250 * NSEC_PER_MSEC)

static void on_answer(void *data) {
    waiters_on_files(data);
}

static void wait_for_files(struct client *client, enum answer answer) {
    struct control *control = client->control;
    struct capture *capture = engine_capture(control->options.engine);
    struct waiter *waiter = waiter_new(client, answer);

    if (!waiter)
        return;
    if (capture)
        client->ticket = capture_peek(capture, on_answer, control);
    waiter_start(waiter, PATIENCE);
}

void logs_tell_pending(struct client *client, json_t *pools) {
    json_decref(client->pools);
    client->pools = json_incref(pools);
    wait_for_files(client, ANSWER_PENDING);
}

/* What a look shows is what comes after the opening. */
void logs_reopen(struct client *client) {
    engine_reopen_output(client->control->options.engine);
    wait_for_files(client, ANSWER_REOPENED);
}

bool logs_are_known(const struct client *client) {
    const struct capture *capture = engine_capture(client->control->options.engine);

    return !capture || capture_has_peeked(capture, client->ticket);
}

void logs_forget(const struct control *control) {
    struct capture *capture = engine_capture(control->options.engine);

    if (capture && !waiters_want_files(control))
        capture_forget_peeks(capture);
}

static void add_bytes(struct buffer *buffer, const char *key, const char *bytes, size_t length) {
    if (length == 0)
        return;
    buffer_add_json_key(buffer, key);
    buffer_add_text(buffer, "\"");
    buffer_add_base64(buffer, bytes, length);
    buffer_add_text(buffer, "\"");
}

static void add_peek(struct buffer *buffer, const struct peek *peek) {
    const char *bytes = peek->bytes ?: "";

    buffer_add_json_integer(buffer, "device", (int64_t)peek->file.device);
    buffer_add_json_integer(buffer, "inode", (int64_t)peek->file.inode);
    buffer_add_json_integer(buffer, "size", (int64_t)peek->file.size);
    add_bytes(buffer, "pending", bytes, peek->n_pending);
    add_bytes(buffer, "unfinished", bytes + peek->n_pending, peek->length - peek->n_pending);
    buffer_add_json_key(buffer, "cut");
    buffer_add_text(buffer, peek->is_cut ? "true" : "false");
}

static void write_file(struct buffer *buffer, const void *data) {
    const struct capture_file *file = data;
    int error = file->peek ? file->peek->error : 0;
    bool is_known = file->peek && error == 0;

    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "pool", file->pool);
    buffer_add_json_text(buffer, "path", file->path);
    buffer_add_json_key(buffer, "known");
    buffer_add_text(buffer, is_known ? "true" : "false");
    if (is_known)
        add_peek(buffer, file->peek);
    if (error != 0)
        buffer_add_json_text(buffer, "error", strerrordesc_np(error) ?: "unknown error");
    buffer_add_text(buffer, "}");
}

struct files_list {
    const struct client *client;
    struct queue *queue;
    bool begun;
};

static void add_file(void *data, const struct capture_file *file) {
    struct files_list *list = data;

    if (!events_wanted(list->client->pools, file->pool))
        return;
    if (list->begun)
        queue_add_text(list->queue, ",");
    list->begun = true;
    queue_write(list->queue, write_file, file);
}

void logs_write(const struct client *client, struct queue *queue) {
    const struct capture *capture = engine_capture(client->control->options.engine);
    struct files_list list = {client, queue, false};

    queue_add_text(queue, "\"files\":[");
    if (capture)
        capture_visit_files(capture, client->ticket, add_file, &list);
    queue_add_text(queue, "]");
}
