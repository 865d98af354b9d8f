/* SPDX-License-Identifier: MIT */

/* What can be called: a table of methods with their parameters and the right that each needs. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/signame.h"
#include "up/control_wait.h"
#include "wire/fields.h"

/* As many as a configuration can ask for. */
#define WORKERS_MAX 1000000

/* The parameters of all methods, as they are when they are not given. */
struct request {
    json_t *pools;
    const char *pool;
    int64_t worker;
    bool wait, rolling, follow;
    nsec_t timeout;
    int64_t workers, by;
    const char *signal;
    const char *awaited;
};

#define NOT_GIVEN (-1)

#define FIELD(name, type, required, member)                                                        \
    { name, type, required, offsetof(struct request, member) }

#define POOLS      FIELD("pools", FIELD_TEXTS, true, pools)
#define SOME_POOLS FIELD("pools", FIELD_TEXTS, false, pools)
#define WORKER     FIELD("worker", FIELD_NUMBER, false, worker)
#define WAIT       FIELD("wait", FIELD_BOOL, false, wait)
#define TIMEOUT    FIELD("timeout", FIELD_SECONDS, false, timeout)

struct method {
    const char *name; /* behind "io.brood." */
    enum control_right right;
    void (*handle)(struct client *client, const struct request *request);
    struct field fields[6];
};

/* --- refusals */

struct refusal {
    const char *error, *text;
};

static void write_refusal(struct buffer *buffer, const void *data) {
    const struct refusal *refusal = data;

    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "error", refusal->error);
    buffer_add_json_key(buffer, "parameters");
    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "text", refusal->text);
    buffer_add_text(buffer, "}}");
}

/* Errors with nothing but a text for people. */
static void refuse(struct client *client, const char *error, const char *text) {
    queue_write(&client->out, write_refusal, &(struct refusal){error, text});
    queue_add(&client->out, "", 1);
}

static void printf_like(3, 4)
    refuse_format(struct client *client, const char *error, const char *format, ...) {
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    refuse(client, error, text);
}

static void refuse_pool(struct client *client, const char *name) {
    const struct engine *engine = client->control->options.engine;
    json_t *known = json_array();

    /* A name that is no UTF-8 cannot be asked for either. */
    for (uint32_t i = 0; i < engine_pools(engine); i++)
        json_array_append_new(known, json_string(engine_pool_name(engine_pool_at(engine, i))));
    varlink_write_error_take(
        &client->out, BROOD_NO_SUCH_POOL, json_pack("{s:s, s:o}", "pool", name, "known", known));
}

static void refuse_worker(struct client *client, const char *pool, int64_t worker) {
    varlink_write_error_take(&client->out, BROOD_NO_SUCH_WORKER,
        json_pack("{s:s, s:I}", "pool", pool, "worker", (json_int_t)worker));
}

/* --- which pools */

struct choice {
    struct engine_pool **pools;
    size_t count;
};

static void choice_finish(struct choice *choice) {
    free(choice->pools);
}

/* False when something was refused. */
static bool choose_one(
    struct client *client, const char *name, int64_t worker, struct engine_pool **ret_pool) {
    struct engine_pool *pool = engine_find_pool(client->control->options.engine, name);

    if (!pool)
        refuse_pool(client, name);
    else if (worker != NOT_GIVEN && worker >= engine_pool_workers(pool))
        refuse_worker(client, name, worker);
    else {
        *ret_pool = pool;
        return true;
    }
    return false;
}

/* A pool named twice is meant once. */
static bool contains(const struct choice *choice, const struct engine_pool *pool) {
    for (size_t i = 0; i < choice->count; i++)
        if (choice->pools[i] == pool)
            return true;
    return false;
}

static bool choose(
    struct client *client, const struct request *request, struct choice *ret_choice) {
    const struct engine *engine = client->control->options.engine;
    size_t named = json_array_size(request->pools);
    size_t count = named > 0 ? named : engine_pools(engine);
    struct choice choice = {.pools = calloc(MAX(count, (size_t)1), sizeof(*choice.pools))};

    if (!choice.pools) {
        client->out.failed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = named > 0 ? json_string_value(json_array_get(request->pools, i))
                                     : engine_pool_name(engine_pool_at(engine, (uint32_t)i));
        struct engine_pool *pool;

        if (!choose_one(client, name, request->worker, &pool)) {
            choice_finish(&choice);
            return false;
        }
        if (!contains(&choice, pool))
            choice.pools[choice.count++] = pool;
    }
    *ret_choice = choice;
    return true;
}

/* `text`: what is told where there is nothing to wait for, or NULL. */
static struct waiter *wait_for(struct client *client, const struct choice *choice, int64_t worker,
    enum wait_kind kind, const char *text) {
    struct waiter *waiter = waiter_new(client, ANSWER_OUTCOMES);

    for (size_t i = 0; waiter && i < choice->count; i++)
        waiter_add(waiter, &(struct target){
                               .pool = engine_pool_name(choice->pools[i]),
                               .worker = worker,
                               .kind = kind,
                               .text = text,
                           });
    return waiter;
}

static void answer(struct waiter *waiter, const struct request *request) {
    if (request->wait)
        waiter_start(waiter, request->timeout);
    else
        waiter_dismiss(waiter);
}

/* --- commands */

static void command(struct client *client, const struct request *request,
    enum worker_event_kind event, enum wait_kind kind, const char *text) {
    struct choice choice cleanup(choice_finish) = {};

    if (!choose(client, request, &choice))
        return;
    struct waiter *waiter = wait_for(client, &choice, request->worker, kind, text);
    if (!waiter)
        return;
    for (size_t i = 0; i < choice.count; i++)
        if (request->worker == NOT_GIVEN)
            engine_pool_command(choice.pools[i], event);
        else
            engine_worker_command(choice.pools[i], (uint32_t)request->worker, event);
    answer(waiter, request);
}

static bool refuse_at_end(struct client *client) {
    if (client->control->shutting_down)
        refuse(client, BROOD_NOT_POSSIBLE, "brood is shutting down");
    return client->control->shutting_down;
}

static void handle_start(struct client *client, const struct request *request) {
    if (!refuse_at_end(client))
        command(client, request, EVENT_START, WAIT_UP, NULL);
}

static void handle_stop(struct client *client, const struct request *request) {
    command(client, request, EVENT_STOP, WAIT_STOPPED, NULL);
}

static void roll(struct client *client, const struct request *request) {
    struct choice choice cleanup(choice_finish) = {};

    if (request->worker != NOT_GIVEN) {
        varlink_write_invalid(&client->out, "worker");
        return;
    }
    if (!choose(client, request, &choice))
        return;
    for (size_t i = 0; i < choice.count; i++)
        if (status_is_rolling(choice.pools[i])) {
            refuse_format(client, BROOD_BUSY, "a rolling restart of %s is under way",
                engine_pool_name(choice.pools[i]));
            return;
        }
    struct waiter *waiter = wait_for(client, &choice, EVERY_WORKER, WAIT_ROLL, NULL);
    if (!waiter)
        return;
    for (size_t i = 0; i < choice.count; i++)
        engine_pool_roll(choice.pools[i]);
    answer(waiter, request);
}

static void handle_restart(struct client *client, const struct request *request) {
    if (refuse_at_end(client))
        return;
    if (request->rolling)
        roll(client, request);
    else
        command(client, request, EVENT_RESTART, WAIT_NEW, NULL);
}

static void handle_reset(struct client *client, const struct request *request) {
    command(client, request, EVENT_RESET, WAIT_NOTHING, "reset");
}

/* A worker of it, or the one, has something that can be told to reload. */
static bool can_reload(
    struct client *client, const struct engine_pool *pool, const struct request *request) {
    struct worker_facts facts;

    if (engine_pool_core(pool)->rules.n_reload == 0) {
        refuse_format(client, BROOD_NOT_POSSIBLE, "%s has no ExecReload=", engine_pool_name(pool));
        return false;
    }
    if (request->worker == NOT_GIVEN
            ? engine_pool_core(pool)->ledger.states[WORKER_READY] > 0
            : engine_worker(pool, (uint32_t)request->worker, &facts) == 0 &&
                  status_worker_state(&facts) == WORKER_READY)
        return true;
    refuse_format(client, BROOD_NOT_POSSIBLE, "%s has nothing running that could reload",
        engine_pool_name(pool));
    return false;
}

static void handle_reload_pool(struct client *client, const struct request *request) {
    struct choice choice cleanup(choice_finish) = {};

    if (!choose(client, request, &choice))
        return;
    for (size_t i = 0; i < choice.count; i++)
        if (!can_reload(client, choice.pools[i], request))
            return;
    command(client, request, EVENT_RELOAD, WAIT_RELOAD, NULL);
}

static void handle_scale(struct client *client, const struct request *request) {
    struct choice choice = {.count = 1};
    struct engine_pool *pool;

    if (refuse_at_end(client) || !choose_one(client, request->pool, NOT_GIVEN, &pool))
        return;
    if ((request->workers == NOT_GIVEN) == (request->by == 0)) {
        varlink_write_invalid(&client->out, request->by == 0 ? "workers" : "by");
        return;
    }
    int64_t before = request->by == 0 ? 0 : (int64_t)engine_pool_workers(pool);
    int64_t change = request->by == 0 ? request->workers : request->by, count;
    if (__builtin_add_overflow(before, change, &count) || count < 0 || count > WORKERS_MAX) {
        refuse_format(client, BROOD_NOT_POSSIBLE, "%s has %u workers: %" PRId64 " are not possible",
            request->pool, engine_pool_workers(pool), count);
        return;
    }
    const struct control_options *options = &client->control->options;
    char reason[LISTEN_TEXT_SIZE] = "";
    int r = options->callbacks->scale(options->data, pool, (uint32_t)count, reason);
    if (r < 0) {
        refuse_format(client, r == -EBUSY ? BROOD_BUSY : BROOD_NOT_POSSIBLE,
            "scale %s to %" PRId64 ": %s", request->pool, count, *reason ? reason : strerror(-r));
        return;
    }
    choice.pools = &pool;
    struct waiter *waiter = wait_for(client, &choice, EVERY_WORKER, WAIT_SCALE, NULL);
    if (waiter)
        answer(waiter, request);
}

static void handle_signal(struct client *client, const struct request *request) {
    struct choice choice cleanup(choice_finish) = {};
    int number;

    if (signame_parse(request->signal, &number) < 0) {
        varlink_write_invalid(&client->out, "signal");
        return;
    }
    if (!choose(client, request, &choice))
        return;
    for (size_t i = 0; i < choice.count; i++) {
        int r = 0;

        if (request->worker == NOT_GIVEN)
            engine_pool_signal(choice.pools[i], number);
        else
            r = engine_worker_signal(choice.pools[i], (uint32_t)request->worker, number);
        if (r < 0) {
            refuse_format(client, BROOD_NOT_POSSIBLE, "signal %s/%" PRId64 ": %s",
                engine_pool_name(choice.pools[i]), request->worker,
                r == -ESRCH ? "it has no process now" : strerror(-r));
            return;
        }
    }
    struct waiter *waiter = wait_for(client, &choice, request->worker, WAIT_NOTHING, "signalled");
    if (waiter)
        waiter_dismiss(waiter);
}

static void handle_wait(struct client *client, const struct request *request) {
    static const struct {
        const char *name;
        enum wait_kind kind;
    } kinds[] = {{"ready", WAIT_READY}, {"stopped", WAIT_DOWN}, {"failed", WAIT_FAILED}};
    struct choice choice cleanup(choice_finish) = {};
    size_t i = 0;

    while (i < ELEMENTS(kinds) && strcmp(kinds[i].name, request->awaited) != 0)
        i++;
    if (i == ELEMENTS(kinds)) {
        varlink_write_invalid(&client->out, "for");
        return;
    }
    if (!choose(client, request, &choice))
        return;
    struct waiter *waiter = wait_for(client, &choice, request->worker, kinds[i].kind, NULL);
    if (waiter)
        waiter_start(waiter, request->timeout);
}

/* --- brood itself */

static void handle_status(struct client *client, const struct request *request) {
    struct engine_pool *pool = NULL;

    if (!request->pool && request->worker != NOT_GIVEN)
        varlink_write_invalid(&client->out, "worker");
    else if (!request->pool || choose_one(client, request->pool, request->worker, &pool))
        status_write(client->control, pool, request->worker, &client->out);
}

/* False when there is one that is unknown, and was refused. */
static bool knows_pools(struct client *client, const json_t *pools) {
    const struct engine *engine = client->control->options.engine;

    for (size_t i = 0; i < json_array_size(pools); i++) {
        const char *name = json_string_value(json_array_get(pools, i));

        if (!engine_find_pool(engine, name)) {
            refuse_pool(client, name);
            return false;
        }
    }
    return true;
}

static void handle_events(struct client *client, const struct request *request) {
    if (knows_pools(client, request->pools))
        events_send(client, request->follow, request->pools);
}

static void handle_pending_logs(struct client *client, const struct request *request) {
    if (knows_pools(client, request->pools))
        logs_tell_pending(client, request->pools);
}

static void handle_reopen_logs(struct client *client, const struct request *request) {
    (void)request;
    logs_reopen(client);
}

static void handle_shutdown(struct client *client, const struct request *request) {
    struct control *control = client->control;

    control_shutting_down(control);
    if (request->wait) {
        struct waiter *waiter = waiter_new(client, ANSWER_SHUTDOWN);

        if (waiter)
            waiter_start(waiter, request->timeout);
    } else
        varlink_write_reply_take(&client->out, NULL, false);
    control->options.callbacks->shut_down(control->options.data);
}

struct control_changes {
    struct waiter *waiter;
    struct queue errors; /* JSON texts with commas between them */
};

static void write_text(struct buffer *buffer, const void *data) {
    buffer_add_json_string(buffer, data);
}

static void add_text(struct queue *queue, const char *text) {
    if (queue->length > 0)
        queue_add_text(queue, ",");
    queue_write(queue, write_text, text);
}

void control_warn(struct control_changes *changes, const char *text) {
    add_text(waiter_warnings(changes->waiter), text);
}

void control_error(struct control_changes *changes, const char *text) {
    add_text(&changes->errors, text);
}

void control_changed(
    struct control_changes *changes, const char *pool, enum control_change what, const char *text) {
    static const struct {
        const char *word;
        enum wait_kind kind;
    } kinds[] = {
#define X(name, text, kind) [CHANGE_##name] = {text, kind},
        CONTROL_CHANGES(X)
#undef X
    };

    waiter_add(changes->waiter, &(struct target){
                                    .pool = pool,
                                    .worker = EVERY_WORKER,
                                    .kind = kinds[what].kind,
                                    .change = kinds[what].word,
                                    .text = text ? text : "",
                                });
}

static void refuse_reload(struct client *client, int error, struct queue *errors) {
    if (errors->length == 0) {
        refuse_format(client, error == -EBUSY ? BROOD_BUSY : BROOD_NOT_POSSIBLE,
            "the configuration was not taken over: %s",
            error == -EBUSY ? "a change is under way" : strerror(-error));
        return;
    }
    queue_add_text(
        &client->out, "{\"error\":\"" BROOD_INVALID_CONFIG "\",\"parameters\":{\"errors\":[");
    queue_add(&client->out, queue_bytes(errors), errors->length);
    queue_add_text(&client->out, "]}}");
    queue_add(&client->out, "", 1);
}

static void handle_reload_config(struct client *client, const struct request *request) {
    const struct control_options *options = &client->control->options;
    struct control_changes changes = {};

    if (refuse_at_end(client))
        return;
    changes.waiter = waiter_new(client, ANSWER_CHANGES);
    if (!changes.waiter)
        return;
    int r = options->callbacks->reload_config(options->data, &changes);
    if (r >= 0)
        answer(changes.waiter, request);
    else {
        waiter_free(changes.waiter);
        refuse_reload(client, r, &changes.errors);
    }
    queue_finish(&changes.errors);
}

/* --- the table */

static const struct method methods[] = {
    {"Status", RIGHT_READ, handle_status, {FIELD("pool", FIELD_TEXT, false, pool), WORKER}},
    {"Start", RIGHT_CHANGE, handle_start, {POOLS, WORKER, WAIT, TIMEOUT}},
    {"Stop", RIGHT_CHANGE, handle_stop, {POOLS, WORKER, WAIT, TIMEOUT}},
    {"Restart", RIGHT_CHANGE, handle_restart,
        {POOLS, WORKER, WAIT, TIMEOUT, FIELD("rolling", FIELD_BOOL, false, rolling)}},
    {"Reset", RIGHT_CHANGE, handle_reset, {POOLS, WORKER}},
    {"ReloadPool", RIGHT_CHANGE, handle_reload_pool, {POOLS, WORKER, WAIT, TIMEOUT}},
    {"ReloadConfig", RIGHT_CHANGE, handle_reload_config, {WAIT, TIMEOUT}},
    {"Scale", RIGHT_CHANGE, handle_scale,
        {FIELD("pool", FIELD_TEXT, true, pool), FIELD("workers", FIELD_NUMBER, false, workers),
            FIELD("by", FIELD_INTEGER, false, by), WAIT, TIMEOUT}},
    {"Signal", RIGHT_CHANGE, handle_signal,
        {POOLS, WORKER, FIELD("signal", FIELD_TEXT, true, signal)}},
    {"Wait", RIGHT_READ, handle_wait,
        {POOLS, WORKER, FIELD("for", FIELD_TEXT, true, awaited), TIMEOUT}},
    {"Events", RIGHT_READ, handle_events, {FIELD("follow", FIELD_BOOL, false, follow), SOME_POOLS}},
    {"PendingLogs", RIGHT_OUTPUT, handle_pending_logs, {SOME_POOLS}},
    {"ReopenLogs", RIGHT_CHANGE, handle_reopen_logs, {}},
    {"Shutdown", RIGHT_CHANGE, handle_shutdown, {WAIT, TIMEOUT}},
};

static const struct method *find_method(const char *name) {
    size_t prefix = strlen(BROOD_INTERFACE ".");

    if (strncmp(name, BROOD_INTERFACE ".", prefix) != 0)
        return NULL;
    for (size_t i = 0; i < ELEMENTS(methods); i++)
        if (strcmp(methods[i].name, name + prefix) == 0)
            return &methods[i];
    return NULL;
}

static size_t count_fields(const struct method *method) {
    size_t n = 0;

    while (n < ELEMENTS(method->fields) && method->fields[n].name)
        n++;
    return n;
}

static void tell_call(const struct client *client, const struct method *method) {
    const struct control_options *options = &client->control->options;
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (options->callbacks->called && method->right == RIGHT_CHANGE &&
        getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        options->callbacks->called(options->data, method->name, peer.uid, peer.pid);
}

static const char *refusal_of(const struct client *client, const struct method *method) {
    if (client->right == RIGHT_NONE)
        return "only root, brood's own user and its control group may use this socket";
    if (method->right == RIGHT_OUTPUT)
        return "what waits in memory is shown only to those who may change something";
    return "members of the control group may look, but not change anything";
}

static void call_method(
    struct client *client, const struct method *method, const struct varlink_call *call) {
    struct request request = {
        .worker = NOT_GIVEN, .workers = NOT_GIVEN, .wait = true, .timeout = NSEC_NEVER};
    const char *fault;

    tell_call(client, method);
    if (client->right < method->right)
        refuse(client, BROOD_PERMISSION_DENIED, refusal_of(client, method));
    else if (fields_read(call->parameters, method->fields, count_fields(method), &request, &fault) <
             0)
        varlink_write_invalid(&client->out, fault);
    else if (method->handle == handle_events && !call->more)
        varlink_write_error_take(&client->out, VARLINK_EXPECTED_MORE, NULL);
    else
        method->handle(client, &request);
}

void methods_dispatch(struct client *client, const struct varlink_call *call) {
    const struct method *method = find_method(call->method);

    if (method)
        call_method(client, method, call);
    else if (!interface_answer(call, client->control->options.version, &client->out))
        interface_refuse(call, &client->out);
}
