/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A control socket over a fake engine, and clients of it in the same thread: while one waits for an
 * answer, the loop turns. The backend of the loop is the one that BROOD_LOOP names.
 */

#include <criterion/criterion.h>

#include "fake_engine.h"
#include "up/control.h"
#include "wire/frames.h"
#include "wire/varlink.h"

struct world {
    struct loop *loop;
    struct engine *engine;
    struct control *control;
    char directory[64], path[96];
    unsigned shutdowns;
    int (*reload)(struct world *world, struct control_changes *changes);
};

/* Pools "web" with three workers and "db" with one, all stopped. */
struct world *world_new(void);
void world_free(struct world *world);
struct control_options world_options(struct world *world);
struct engine_pool *world_pool(struct world *world, const char *name);
/* Turns until nothing is left to do. */
void world_settle(struct world *world);

struct peer {
    int fd;
    struct frames in;
};

struct peer peer_new(struct world *world);
void peer_free(struct peer *peer);
void peer_send(struct peer *peer, const char *bytes, size_t length);
/* A call with parameters, as JSON with ' for ". */
void peer_call(struct peer *peer, const char *method, const char *parameters);
void peer_call_more(struct peer *peer, const char *method, const char *parameters);
/* The next message, with ' for "; good until the next. */
const char *peer_reply(struct world *world, struct peer *peer);
/* A call and its answer. */
const char *ask(struct world *world, struct peer *peer, const char *method, const char *parameters);
/* No answer has come, though there was time for it. */
bool peer_is_waiting(struct world *world, struct peer *peer);
/* The server has closed. */
bool peer_is_gone(struct world *world, struct peer *peer);

#define EXPECT(text, expected) cr_assert_str_eq(text, expected)
#define CONTAINS(text, part)                                                                       \
    do {                                                                                           \
        const char *whole = (text);                                                                \
        cr_assert(strstr(whole, part), "no %s in %s", part, whole);                                \
    } while (0)
