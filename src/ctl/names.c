/* SPDX-License-Identifier: MIT */

/* The names of what runs, for the completion of shells. */

#include <stdio.h>

#include "ctl/connection.h"

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key)) ?: "";
}

static long long integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void name_pool(const json_t *pool, ctl_name_fn fn, void *data) {
    char about[128];

    snprintf(about, sizeof(about), "%s, %lld of %lld ready", text_of(pool, "state"),
        integer_of(pool, "ready"), integer_of(pool, "workers"));
    fn(data, text_of(pool, "name"), about);
}

static void name_workers(const json_t *pool, ctl_name_fn fn, void *data) {
    const json_t *worker;
    char name[300];
    size_t index;

    json_array_foreach(json_object_get(pool, "workers_list"), index, worker) {
        snprintf(
            name, sizeof(name), "%s/%lld", text_of(pool, "name"), integer_of(worker, "worker"));
        fn(data, name, text_of(worker, "state"));
    }
}

void ctl_names(const struct ctl_call *call, const char *pool, ctl_name_fn fn, void *data) {
    struct connection connection;
    struct varlink_reply reply;
    const json_t *one;
    size_t index;

    if (connection_open(call, &connection) != CTL_OK)
        return;
    int status = connection_ask_take(
        &connection, "io.brood.Status", json_pack("{s:s*}", "pool", pool), &reply);
    const json_t *pools = status == CTL_OK ? json_object_get(reply.parameters, "pools") : NULL;
    json_array_foreach(pools, index, one) if (pool) name_workers(one, fn, data);
    else name_pool(one, fn, data);
    varlink_reply_finish(&reply);
    connection_finish(&connection);
}
