/* SPDX-License-Identifier: MIT */
#include "bin/logs_told.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "ctl/connection.h"

/* The files can be read without it: whoever does not answer is not waited for long. */
#define PATIENCE (2 * NSEC_PER_SEC)

struct logs_told logs_told_init(const char *socket) {
    return (struct logs_told){.call = {
                                  .command = "brood logs",
                                  .socket = socket,
                                  .timeout = NSEC_NEVER,
                                  .patience = PATIENCE,
                                  .may_be_absent = true,
                              }};
}

static void forget_tails(struct logs_told *told) {
    for (size_t i = 0; i < told->n_tails; i++) {
        free(told->tails[i].bytes);
        free(told->tails[i].name);
    }
    free(told->tails);
    told->tails = NULL;
    told->n_tails = 0;
}

void logs_told_finish(struct logs_told *told) {
    forget_tails(told);
    free(told->fallback);
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* True with a reply, to be finished in any case. */
static bool ask_take(struct logs_told *told, const char *method, json_t *parameters,
    struct varlink_reply *ret_reply) {
    struct connection connection;
    int status = connection_open(&told->call, &connection);

    *ret_reply = (struct varlink_reply){0};
    if (status != CTL_OK) {
        json_decref(parameters);
    } else {
        status = connection_ask_take(&connection, method, parameters, ret_reply);
        connection_finish(&connection);
    }
    /* Who may see no more than the files is told so by the refusal itself. */
    bool is_clear = status == CTL_ABSENT || (status == CTL_DENIED && told->listens);
    told->listens = status == CTL_OK;
    if (status != CTL_OK && !is_clear)
        ctl_say(&told->call, "only what is in the files is shown");
    return told->listens;
}

/* A supervisor of another version may not say where. */
static int add_pool(struct logs_places *places, const json_t *pool) {
    const json_t *output = json_object_get(pool, "output");
    const char *name = text_of(pool, "name");

    if (!name || !output)
        return 0;
    return logs_places_add_pool(places, name, text_of(output, "stdout"), text_of(output, "stderr"),
        text_of(output, "directory"));
}

int logs_told_ask_places(struct logs_told *told, struct logs_places *places) {
    struct varlink_reply reply;
    const json_t *pool;
    size_t index;
    int r = 0;

    if (ask_take(told, "io.brood.Status", json_object(), &reply)) {
        const char *fallback = text_of(json_object_get(reply.parameters, "brood"), "logs");

        told->fallback = fallback ? strdup(fallback) : NULL;
        json_array_foreach(json_object_get(reply.parameters, "pools"), index, pool) {
            if (r >= 0)
                r = add_pool(places, pool);
        }
    }
    varlink_reply_finish(&reply);
    return r;
}

/* Adds what the Base64 stands for, if it is that; false: out of memory. */
static bool add_bytes(struct logs_tail *tail, const char *text) {
    size_t length = text ? strlen(text) : 0, n = 0;
    char *grown = realloc(tail->bytes, tail->tail.length + BASE64_DECODED(length) + 1);

    if (!grown)
        return false;
    tail->bytes = grown;
    if (base64_decode(text ?: "", length, grown + tail->tail.length, &n) == 0)
        tail->tail.length += n;
    tail->tail.bytes = tail->bytes;
    return true;
}

static uint64_t number_of(const json_t *file, const char *key) {
    return (uint64_t)json_integer_value(json_object_get(file, key));
}

static int read_tail(const json_t *file, const struct logs_places *places, bool goes_on,
    struct logs_tail *ret_tail) {
    const char *path = text_of(file, "path"), *slash = path ? strrchr(path, '/') : NULL;

    *ret_tail = (struct logs_tail){
        .tail =
            {
                number_of(file, "device"),
                number_of(file, "inode"),
                number_of(file, "size"),
            },
        .place = slash ? logs_places_find(places, path, (size_t)(slash - path)) : -1,
    };
    if (ret_tail->place < 0 || strlen(slash + 1) >= SEGMENT_NAME_MAX)
        return 0;
    ret_tail->name = strdup(slash + 1);
    bool fine = ret_tail->name && add_bytes(ret_tail, text_of(file, "pending"));
    ret_tail->tail.n_pending = ret_tail->tail.length;
    if (fine && goes_on)
        tail_go_on(&ret_tail->tail);
    else if (fine)
        fine = add_bytes(ret_tail, text_of(file, "unfinished"));
    return fine ? 1 : -ENOMEM;
}

static int add_tail(
    struct logs_told *told, const json_t *file, const struct logs_places *places, bool goes_on) {
    struct logs_tail *grown = reallocarray(told->tails, told->n_tails + 1, sizeof(*told->tails));

    if (!grown)
        return -ENOMEM;
    told->tails = grown;
    if (!json_is_true(json_object_get(file, "known"))) {
        ctl_say(&told->call, "%s: %s; what waits for it in memory is not shown",
            text_of(file, "path") ?: "?", text_of(file, "error") ?: "its disk does not answer");
        told->has_failed = true;
        return 0;
    }
    int r = read_tail(file, places, goes_on, &told->tails[told->n_tails]);
    if (r == 0)
        return 0;
    told->n_tails++;
    if (json_is_true(json_object_get(file, "cut")))
        ctl_say(&told->call, "%s: so much waits in memory that only the beginning is shown",
            text_of(file, "path"));
    return r;
}

/* Of pools that it does not have it would say nothing else. NULL: there are no others. */
static json_t *known_subjects(const struct logs_places *places, const struct query *query) {
    json_t *pools = json_array();

    for (size_t i = 0; i < query->n_subjects; i++)
        for (size_t k = 0; k < places->n_pools; k++)
            if (strcmp(places->pools[k].name, query->subjects[i].pool) == 0)
                json_array_append_new(pools, json_string(places->pools[k].name));
    if (query->n_subjects == 0 || json_array_size(pools) > 0)
        return pools;
    json_decref(pools);
    return NULL;
}

int logs_told_ask_tails(struct logs_told *told, const struct logs_places *places,
    const struct query *query, bool goes_on) {
    json_t *pools = told->listens ? known_subjects(places, query) : NULL;
    struct varlink_reply reply;
    const json_t *file;
    size_t index;
    int r = 0;

    forget_tails(told);
    if (!pools)
        return 0;
    if (ask_take(told, "io.brood.PendingLogs", json_pack("{s:o}", "pools", pools), &reply))
        json_array_foreach(json_object_get(reply.parameters, "files"), index, file) {
            if (r >= 0)
                r = add_tail(told, file, places, goes_on);
        }
    varlink_reply_finish(&reply);
    return r < 0 ? r : 0;
}
