/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../loop/fixture.h"
#include "wire/endpoint.h"

static int reload_config(void *data, struct control_changes *changes) {
    struct world *world = data;

    return world->reload(world, changes);
}

static uint64_t configuration(void *data) {
    (void)data;
    return 7;
}

static void shut_down(void *data) {
    ((struct world *)data)->shutdowns++;
}

static void origin(void *data, const struct engine_pool *pool, struct control_origin *ret_origin) {
    (void)data;
    if (strcmp(engine_pool_name(pool), "web") == 0)
        *ret_origin = (struct control_origin){"serve \"it\"", "/etc/brood/a\"b.conf", 12};
}

static int scale(
    void *data, struct engine_pool *pool, uint32_t n_workers, char reason[LISTEN_TEXT_SIZE]) {
    (void)data, (void)reason;
    return engine_pool_scale(pool, n_workers);
}

struct control_options world_options(struct world *world) {
    static const struct control_callbacks callbacks = {
        .scale = scale,
        .reload_config = reload_config,
        .configuration = configuration,
        .shut_down = shut_down,
        .origin = origin,
    };

    return (struct control_options){
        .engine = world->engine,
        .path = world->path,
        .version = "1.2",
        .logs = "/var/log/brood",
        .read_group = (gid_t)-1,
        .change_group = (gid_t)-1,
        .callbacks = &callbacks,
        .data = world,
    };
}

struct world *world_new(void) {
    struct world *world = calloc(1, sizeof(*world));
    const char *place = getenv("TMPDIR");
    pid_t pid;

    world->loop = fixture_loop();
    snprintf(world->directory, sizeof(world->directory), "%.32s/brood-XXXXXX",
        place && *place ? place : "/tmp");
    cr_assert(mkdtemp(world->directory));
    snprintf(world->path, sizeof(world->path), "%s/run/control.sock", world->directory);
    world->engine = fake_engine_new(world->loop);
    fake_add_pool(world->engine, "web", 3);
    fake_add_pool(world->engine, "db", 1);
    struct control_options options = world_options(world);
    cr_assert_eq(control_new(&options, &world->control, &pid), 0);
    return world;
}

void world_free(struct world *world) {
    char directory[80];

    control_free(world->control);
    fake_engine_free(world->engine);
    loop_free(world->loop);
    cr_assert_lt(access(world->path, F_OK), 0, "the socket's file is left behind");
    snprintf(directory, sizeof(directory), "%s/run", world->directory);
    rmdir(directory);
    rmdir(world->directory);
    free(world);
}

struct engine_pool *world_pool(struct world *world, const char *name) {
    return engine_find_pool(world->engine, name);
}

void world_settle(struct world *world) {
    /* A turn without callbacks has found nothing to do; what it sent may wake us again. */
    for (int quiet = 0; quiet < 3;)
        quiet = loop_turn(world->loop, false) == 0 ? quiet + 1 : 0;
}

struct peer peer_new(struct world *world) {
    struct peer peer = {.in = FRAMES_INIT(VARLINK_REPLY_MAX)};
    struct sockaddr_un address;
    struct endpoint path;

    cr_assert_eq(endpoint_choose(world->path, &path), 1);
    socklen_t length = endpoint_fill(&path, &address);
    peer.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(peer.fd, (struct sockaddr *)&address, length), 0, "%s", strerror(errno));
    return peer;
}

void peer_free(struct peer *peer) {
    close(peer->fd);
    frames_finish(&peer->in);
}

void peer_send(struct peer *peer, const char *bytes, size_t length) {
    cr_assert_eq(send(peer->fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void quote(char *text) {
    for (; *text; text++)
        if (*text == '\'')
            *text = '"';
}

static void call(struct peer *peer, const char *method, const char *parameters, const char *more) {
    char text[1024];
    int n = snprintf(text, sizeof(text), "{'method':'io.brood.%s','parameters':{%s}%s}", method,
        parameters, more);

    cr_assert_lt(n, (int)sizeof(text));
    quote(text);
    peer_send(peer, text, (size_t)n + 1);
}

void peer_call(struct peer *peer, const char *method, const char *parameters) {
    call(peer, method, parameters, "");
}

void peer_call_more(struct peer *peer, const char *method, const char *parameters) {
    call(peer, method, parameters, ",'more':true");
}

static const char *next(struct peer *peer) {
    static char *reply;
    const char *text;
    size_t length;

    if (frames_next(&peer->in, &text, &length) != 1)
        return NULL;
    free(reply);
    reply = strdup(text);
    for (char *c = reply; *c; c++)
        if (*c == '"')
            *c = '\'';
    return reply;
}

const char *peer_reply(struct world *world, struct peer *peer) {
    struct pollfd fds[] = {
        {.fd = loop_fd(world->loop), .events = POLLIN}, {.fd = peer->fd, .events = POLLIN}};

    for (;;) {
        const char *reply = next(peer);

        if (reply)
            return reply;
        cr_assert_gt(poll(fds, ELEMENTS(fds), FIXTURE_TIMEOUT * 1000), 0, "no answer");
        cr_assert_geq(loop_turn(world->loop, false), 0);
        int r = frames_read(&peer->in, peer->fd);
        cr_assert(r > 0 || r == -EAGAIN, "closed instead of answered: %d", r);
    }
}

const char *ask(
    struct world *world, struct peer *peer, const char *method, const char *parameters) {
    peer_call(peer, method, parameters);
    return peer_reply(world, peer);
}

bool peer_is_waiting(struct world *world, struct peer *peer) {
    world_settle(world);
    return frames_read(&peer->in, peer->fd) == -EAGAIN && !next(peer);
}

bool peer_is_gone(struct world *world, struct peer *peer) {
    int r;

    world_settle(world);
    do
        r = frames_read(&peer->in, peer->fd);
    while (r > 0);
    return r == 0 || r == -ECONNRESET;
}
