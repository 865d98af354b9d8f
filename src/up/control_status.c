/* SPDX-License-Identifier: MIT */

/* How things stand: of a worker, of a pool, of brood itself; written as it is, without a tree. */

#include <unistd.h>

#include "base/signame.h"
#include "run/capture.h"
#include "up/control_internal.h"

static const char *const state_names[] = {
    [POOL_UP] = "up",
    [POOL_STARTING] = "starting",
    [POOL_STOPPING] = "stopping",
    [POOL_STOPPED] = "stopped",
    [POOL_FAILED] = "failed",
    [POOL_DONE] = "done",
    [POOL_ROLLING] = "rolling",
};

const char *status_state_name(enum pool_state state) {
    return state_names[state];
}

bool status_is_rolling(const struct engine_pool *pool) {
    return pool_rolling(engine_pool_core(pool));
}

enum worker_state status_worker_state(const struct worker_facts *facts) {
    int state = 0;

    while (
        state < WORKER_STATE_MAX - 1 && worker_state_name((enum worker_state)state) != facts->state)
        state++;
    return (enum worker_state)state;
}

static enum pool_state state_of(const struct engine_pool *pool, uint32_t ready) {
    const struct pool *core = engine_pool_core(pool);
    const uint32_t *states = core->ledger.states;
    bool up = engine_pool_is_up(pool);
    uint32_t alive = pool_alive(core);
    uint32_t ending = states[WORKER_STOPPING] + states[WORKER_KILLING] + states[WORKER_DRAINING] +
                      states[WORKER_CLEANING];

    if (pool_rolling(core))
        return POOL_ROLLING;
    if (alive == 0 && states[WORKER_FAILED] > 0)
        return POOL_FAILED;
    if (alive == 0 && states[WORKER_DONE] > 0)
        return POOL_DONE;
    if (alive == 0)
        return up && engine_pool_workers(pool) == 0 ? POOL_UP : POOL_STOPPED;
    if (!up && ending > 0)
        return POOL_STOPPING;
    if (alive > states[WORKER_READY])
        return POOL_STARTING;
    if (states[WORKER_FAILED] > 0)
        return POOL_FAILED;
    return up && ready < engine_pool_workers(pool) ? POOL_STARTING : POOL_UP;
}

struct pool_summary status_of(const struct engine_pool *pool) {
    const struct pool *core = engine_pool_core(pool);
    uint32_t ready = pool_ready(core);

    return (struct pool_summary){
        .workers = engine_pool_workers(pool),
        .ready = ready,
        .restarts = core->ledger.restarts,
        .state = state_of(pool, ready),
    };
}

static void add_flag(struct buffer *buffer, const char *key, bool flag) {
    buffer_add_json_key(buffer, key);
    buffer_add_text(buffer, flag ? "true" : "false");
}

struct worker_line {
    const struct engine_pool *pool;
    const struct worker_facts *facts;
    nsec_t now;
};

static void add_cause(struct buffer *buffer, const struct worker_facts *facts) {
    struct cause cause = facts->cause;
    char text[80], name[24];

    buffer_add_json_key(buffer, "cause");
    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "kind", cause_kind_name(cause.kind));
    buffer_add_json_text(buffer, "text", facts->detail ? facts->detail : cause_format(cause, text));
    buffer_add_json_integer(buffer, "exit_status", cause_exit_status(cause));
    if (cause.kind == CAUSE_SIGNAL || cause.kind == CAUSE_CORE)
        buffer_add_json_text(buffer, "signal", signame_format(cause.value, name));
    buffer_add_text(buffer, "}");
}

static void write_worker(struct buffer *buffer, const void *data) {
    const struct worker_line *line = data;
    const struct worker_facts *facts = line->facts;

    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "pool", engine_pool_name(line->pool));
    buffer_add_json_integer(buffer, "worker", facts->number);
    buffer_add_json_text(buffer, "role", facts->role);
    buffer_add_json_text(buffer, "state", facts->state);
    buffer_add_json_integer(buffer, "generation", facts->generation);
    if (facts->pid != 0)
        buffer_add_json_integer(buffer, "pid", facts->pid);
    if (facts->since != 0)
        buffer_add_json_seconds(buffer, "since", nsec_sub(line->now, facts->since));
    if (facts->pid != 0 && facts->started != 0)
        buffer_add_json_seconds(buffer, "uptime", nsec_sub(line->now, facts->started));
    buffer_add_json_integer(buffer, "restarts", facts->restarts);
    if (facts->cause.kind != CAUSE_NONE)
        add_cause(buffer, facts);
    if (facts->words)
        buffer_add_json_text(buffer, "stderr", facts->words);
    if (facts->status)
        buffer_add_json_text(buffer, "status", facts->status);
    if (facts->error != 0)
        buffer_add_json_integer(buffer, "errno", facts->error);
    add_flag(buffer, "reloading", facts->reloading);
    add_flag(buffer, "stopping", facts->stopping);
    if (facts->group[0] != '\0')
        buffer_add_json_text(buffer, "cgroup", facts->group);
    buffer_add_text(buffer, "}");
}

struct workers_list {
    struct worker_line line;
    struct queue *queue;
    int64_t worker; /* negative: all */
    bool begun;
};

static void add_worker(void *data, const struct worker_facts *facts) {
    struct workers_list *list = data;

    if (list->worker >= 0 && facts->number != list->worker)
        return;
    if (list->begun)
        queue_add_text(list->queue, ",");
    list->begun = true;
    list->line.facts = facts;
    queue_write(list->queue, write_worker, &list->line);
}

struct pool_line {
    struct control *control;
    const struct engine_pool *pool;
};

static void add_origin(struct buffer *buffer, const struct pool_line *line) {
    const struct control_options *options = &line->control->options;
    struct control_origin origin = {};

    options->callbacks->origin(options->data, line->pool, &origin);
    if (origin.command)
        buffer_add_json_text(buffer, "command", origin.command);
    if (!origin.file)
        return;
    /* "FILE:LINE", whose parts may need escapes. */
    buffer_add_json_text(buffer, "origin", origin.file);
    if (!buffer->cut)
        buffer->length--;
    buffer_add_format(buffer, ":%u\"", origin.line);
}

static void add_output(struct buffer *buffer, const struct engine_pool *pool) {
    static const struct capture_settings nothing;
    const struct capture_settings *capture = engine_pool_capture(pool) ?: &nothing;
    const enum capture_target *targets = capture->targets;
    struct capture_facts facts;

    engine_pool_captured(pool, &facts);
    buffer_add_json_key(buffer, "output");
    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "stdout", capture_target_name(targets[FRAME_OUT]));
    buffer_add_json_text(buffer, "stderr", capture_target_name(targets[FRAME_ERR]));
    if (targets[FRAME_OUT] == CAPTURE_FILE || targets[FRAME_ERR] == CAPTURE_FILE)
        buffer_add_json_text(buffer, "directory", capture->file.directory);
    buffer_add_json_integer(buffer, "dropped_lines", (int64_t)facts.dropped_lines);
    buffer_add_json_integer(buffer, "held_back", facts.blocked);
    buffer_add_text(buffer, "}");
}

static void write_pool(struct buffer *buffer, const void *data) {
    const struct pool_line *line = data;
    struct pool_summary summary = status_of(line->pool);

    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "name", engine_pool_name(line->pool));
    buffer_add_json_text(buffer, "state", status_state_name(summary.state));
    add_flag(buffer, "wanted", engine_pool_is_up(line->pool));
    buffer_add_json_integer(buffer, "workers", summary.workers);
    buffer_add_json_integer(buffer, "ready", summary.ready);
    buffer_add_json_integer(buffer, "restarts", (int64_t)summary.restarts);
    add_flag(buffer, "rolling", summary.state == POOL_ROLLING);
    add_origin(buffer, line);
    add_output(buffer, line->pool);
    buffer_add_json_key(buffer, "workers_list");
}

static void write_brood(struct buffer *buffer, const void *data) {
    const struct control *control = data;
    const struct control_options *options = &control->options;

    buffer_add_text(buffer, "{");
    buffer_add_json_integer(buffer, "pid", getpid());
    buffer_add_json_text(buffer, "version", options->version);
    buffer_add_json_seconds(buffer, "started", control->started);
    buffer_add_json_text(buffer, "socket", control->path);
    buffer_add_json_text(buffer, "loop", loop_backend_name(loop_backend(control->loop)));
    buffer_add_json_integer(
        buffer, "configuration", (int64_t)options->callbacks->configuration(options->data));
    if (options->logs)
        buffer_add_json_text(buffer, "logs", options->logs);
    buffer_add_text(buffer, "}");
}

static void add_pool(
    struct control *control, const struct engine_pool *pool, int64_t worker, struct queue *queue) {
    struct workers_list list = {
        .line = {.pool = pool, .now = loop_clock()},
        .queue = queue,
        .worker = worker,
    };

    queue_write(queue, write_pool, &(struct pool_line){control, pool});
    queue_add_text(queue, "[");
    if (engine_visit_workers(pool, add_worker, &list) < 0)
        queue->failed = true;
    queue_add_text(queue, "]}");
}

void status_write(
    struct control *control, const struct engine_pool *pool, int64_t worker, struct queue *queue) {
    const struct engine *engine = control->options.engine;

    varlink_begin_reply(queue);
    queue_add_text(queue, "{\"brood\":");
    queue_write(queue, write_brood, control);
    queue_add_text(queue, ",\"pools\":[");
    if (pool)
        add_pool(control, pool, worker, queue);
    for (uint32_t i = 0; !pool && i < engine_pools(engine); i++) {
        if (i > 0)
            queue_add_text(queue, ",");
        add_pool(control, engine_pool_at(engine, i), worker, queue);
    }
    queue_add_text(queue, "]}");
    varlink_end_reply(queue, false);
}
