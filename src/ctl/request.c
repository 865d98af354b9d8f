/* SPDX-License-Identifier: MIT */
#include "ctl/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/visible.h"

/* What the supervisor's own answer, that the time is over, may take longer than the time. */
#define GRACE (1 * NSEC_PER_SEC)

struct request {
    struct connection connection;
    bool open;
};

void request_print_json_take(json_t *value) {
    size_t flags = isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT;

    json_dumpf(value, stdout, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(value);
}

int request_send_take(
    struct connection *connection, const char *method, enum request_kind kind, json_t *parameters) {
    const struct ctl_call *call = connection->call;
    bool waits = kind != REQUEST_PROMPT && !call->no_wait;
    nsec_t patience = waits ? nsec_add(call->timeout, GRACE) : CONNECTION_ANSWER;

    if (kind == REQUEST_WAITS)
        json_object_set_new(parameters, "wait", json_boolean(waits));
    if (waits && call->timeout != NSEC_NEVER)
        json_object_set_new(parameters, "timeout", json_real((double)call->timeout / 1e9));
    return connection_send_take(connection, method, parameters, 0, patience);
}

static int open_and_send(const struct ctl_call *call, const char *method, enum request_kind kind,
    json_t *parameters, struct request *request) {
    int status = connection_open(call, &request->connection);

    if (status != CTL_OK)
        return status;
    request->open = true;
    return request_send_take(&request->connection, method, kind, json_incref(parameters));
}

/* "web: …" or "web/3: …"; what has failed goes to standard error. */
static bool print_outcome(const struct ctl_call *call, const json_t *outcome) {
    const char *pool = json_string_value(json_object_get(outcome, "pool")) ?: "brood";
    const char *text = json_string_value(json_object_get(outcome, "text")) ?: "";
    const json_t *worker = json_object_get(outcome, "worker");
    bool ok = !json_is_false(json_object_get(outcome, "ok"));
    char number[24] = "";

    if (*text == '\0')
        text = json_string_value(json_object_get(outcome, "state"))
                   ?: json_string_value(json_object_get(outcome, "what")) ?: "";
    if (json_is_integer(worker))
        snprintf(number, sizeof(number), "/%" JSON_INTEGER_FORMAT, json_integer_value(worker));
    if (ok && !call->json) {
        char *visible = visible_take(ctl_must(strdup(text)));

        printf("%s%s: %s\n", pool, number, visible);
        free(visible);
    } else if (!ok)
        ctl_say(call, "%s%s: %s", pool, number, text);
    return ok;
}

/* Moves the array `key` of the reply to the end of the same of all replies. */
static void collect(json_t *all, const json_t *parameters, const char *key) {
    json_t *list = json_object_get(parameters, key), *known = json_object_get(all, key);

    if (!json_is_array(list))
        return;
    if (known)
        json_array_extend(known, list);
    else
        json_object_set(all, key, list);
}

static int print_reply(const struct ctl_call *call, const json_t *parameters, json_t *all) {
    static const char *const lists[] = {"outcomes", "changes"};
    const json_t *one;
    int status = CTL_OK;
    size_t index;

    json_array_foreach(json_object_get(parameters, "warnings"), index, one)
        ctl_say(NULL, "%s", json_string_value(one) ?: "");
    for (size_t i = 0; i < ELEMENTS(lists); i++)
        json_array_foreach(json_object_get(parameters, lists[i]), index,
            one) if (!print_outcome(call, one)) status = CTL_FAILED;
    collect(all, parameters, "outcomes");
    collect(all, parameters, "changes");
    collect(all, parameters, "warnings");
    return status;
}

static int receive(const struct ctl_call *call, struct request *request, json_t *all) {
    struct varlink_reply reply;
    int status = connection_receive(&request->connection, &reply);
    int outcome = print_reply(call, reply.parameters, all);

    varlink_reply_finish(&reply);
    return status != CTL_OK ? status : outcome;
}

int request_run(const struct ctl_call *call, const char *method, enum request_kind kind,
    struct target_list *list) {
    struct request *requests = ctl_must(calloc(list->count, sizeof(*requests)));
    json_t *all = ctl_must(json_object());
    int status = CTL_OK;

    for (size_t i = 0; i < list->count && status == CTL_OK; i++)
        status = open_and_send(call, method, kind, list->parameters[i], &requests[i]);
    for (size_t i = 0; i < list->count; i++) {
        if (!requests[i].open)
            continue;
        int one = receive(call, &requests[i], all);

        status = status == CTL_OK ? one : status;
        connection_finish(&requests[i].connection);
    }
    if (call->json)
        request_print_json_take(json_incref(all));
    json_decref(all);
    free(requests);
    target_list_finish(list);
    return status;
}

int request_run_one_take(
    const struct ctl_call *call, const char *method, enum request_kind kind, json_t *parameters) {
    struct target_list list = {ctl_must(calloc(1, sizeof(json_t *))), 1};

    list.parameters[0] = ctl_must(parameters);
    return request_run(call, method, kind, &list);
}
