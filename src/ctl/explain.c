/* SPDX-License-Identifier: MIT */
#include "ctl/explain.h"

#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "wire/interface.h"

static const char *text_of(const json_t *parameters, const char *key) {
    return json_string_value(json_object_get(parameters, key)) ?: "";
}

static void say_text(const struct ctl_call *call, const json_t *parameters) {
    const char *text = text_of(parameters, "text");

    ctl_say(call, "%s", *text ? text : "the supervisor refuses, and does not say why");
}

static void say_timed_out(const struct ctl_call *call, const json_t *parameters) {
    const char *text = text_of(parameters, "text");

    ctl_say(call, "timed out%s%s", *text ? ": " : "", text);
}

static void say_no_pool(const struct ctl_call *call, const json_t *parameters) {
    const json_t *known = json_object_get(parameters, "known"), *name;
    const char *pool = text_of(parameters, "pool");
    const char **names = ctl_must(calloc(json_array_size(known) + 1, sizeof(*names)));
    size_t index, count = 0;

    json_array_foreach(known, index, name) if (json_is_string(name)) names[count++] =
        json_string_value(name);
    const char *nearest = text_nearest(pool, names, count);
    if (nearest)
        ctl_say(call, "there is no pool '%s'; did you mean '%s'?", pool, nearest);
    else
        ctl_say(call, "there is no pool '%s'; 'brood status' lists them", pool);
    free(names);
}

static void say_no_worker(const struct ctl_call *call, const json_t *parameters) {
    const char *pool = text_of(parameters, "pool");

    ctl_say(call, "there is no worker %s/%" JSON_INTEGER_FORMAT "; 'brood status %s' lists them",
        pool, json_integer_value(json_object_get(parameters, "worker")), pool);
}

static void say_invalid_config(const struct ctl_call *call, const json_t *parameters) {
    const json_t *error;
    size_t index;

    json_array_foreach(json_object_get(parameters, "errors"), index, error)
        ctl_say(NULL, "%s", json_string_value(error) ?: "");
    ctl_say(call, "the configuration is not valid; nothing was changed");
}

static void say_unknown_method(const struct ctl_call *call, const json_t *parameters) {
    (void)parameters;
    ctl_say(call, "the supervisor does not know this command: it is of another version than this "
                  "program");
}

static void say_invalid_parameter(const struct ctl_call *call, const json_t *parameters) {
    ctl_say(call, "the supervisor does not take what was given as its '%s'",
        text_of(parameters, "parameter"));
}

static const struct explanation {
    const char *error;
    int status;
    void (*say)(const struct ctl_call *call, const json_t *parameters);
} explanations[] = {
    {BROOD_NO_SUCH_POOL, CTL_UNKNOWN, say_no_pool},
    {BROOD_NO_SUCH_WORKER, CTL_UNKNOWN, say_no_worker},
    {BROOD_PERMISSION_DENIED, CTL_DENIED, say_text},
    {BROOD_BUSY, CTL_NOT_POSSIBLE, say_text},
    {BROOD_NOT_POSSIBLE, CTL_NOT_POSSIBLE, say_text},
    {BROOD_INVALID_CONFIG, CTL_FAILED, say_invalid_config},
    {BROOD_TIMED_OUT, CTL_TIMED_OUT, say_timed_out},
    {VARLINK_INTERFACE_NOT_FOUND, CTL_INTERNAL, say_unknown_method},
    {VARLINK_METHOD_NOT_FOUND, CTL_INTERNAL, say_unknown_method},
    {VARLINK_METHOD_NOT_IMPLEMENTED, CTL_INTERNAL, say_unknown_method},
    {VARLINK_INVALID_PARAMETER, CTL_USAGE, say_invalid_parameter},
};

int explain_error(const struct ctl_call *call, const struct varlink_reply *reply) {
    for (size_t i = 0; i < ELEMENTS(explanations); i++)
        if (strcmp(explanations[i].error, reply->error) == 0) {
            explanations[i].say(call, reply->parameters);
            return explanations[i].status;
        }
    ctl_say(call, "the supervisor answers with the error %s", reply->error);
    return CTL_INTERNAL;
}
