/* SPDX-License-Identifier: MIT */

/* events: what has happened and what happens, a JSON object on a line each. */

#include <stdio.h>

#include "ctl/connection.h"

static json_t *pools_of(const struct ctl_call *call) {
    json_t *pools = ctl_must(json_array());

    for (size_t i = 0; i < call->n_words; i++)
        json_array_append_new(pools, json_string(call->words[i]));
    return pools;
}

/* False when nobody reads any more. */
static bool print_event(const json_t *parameters) {
    const json_t *event = json_object_get(parameters, "event");

    if (!event)
        return true;
    json_dumpf(event, stdout, JSON_COMPACT);
    putchar('\n');
    return fflush(stdout) == 0;
}

int ctl_events(const struct ctl_call *call) {
    struct connection connection;
    struct varlink_reply reply;
    bool more = true;
    int status = connection_open(call, &connection);

    if (status != CTL_OK)
        return status;
    status = connection_send_take(&connection, "io.brood.Events",
        json_pack("{s:b, s:o}", "follow", call->follow, "pools", pools_of(call)), VARLINK_MORE,
        call->follow ? NSEC_NEVER : CONNECTION_ANSWER);
    while (status == CTL_OK && more) {
        status = connection_receive(&connection, &reply);
        if (status == CTL_OK)
            more = print_event(reply.parameters) && reply.continues;
        varlink_reply_finish(&reply);
    }
    connection_finish(&connection);
    return status;
}
