/* SPDX-License-Identifier: MIT */

/*
 * One connection. It takes one call at a time: the next one is not looked at before the replies to
 * the last are out, so a client that does not read is not read either. One call a turn, so that
 * who sends a thousand at once does not keep others waiting.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "up/control_internal.h"
#include "up/control_wait.h"

static void unlink_client(struct client *client) {
    struct control *control = client->control;

    *(client->previous ? &client->previous->next : &control->first) = client->next;
    *(client->next ? &client->next->previous : &control->last) = client->previous;
}

static void append_client(struct client *client) {
    struct control *control = client->control;

    client->previous = control->last;
    client->next = NULL;
    *(control->last ? &control->last->next : &control->first) = client;
    control->last = client;
}

void client_free(struct client *client) {
    struct control *control = client->control;

    waiter_free(client->waiter);
    unlink_client(client);
    control->n_clients--;
    control->n_followers -= client->follows;
    json_decref(client->pools);
    loop_remove(control->loop, client->source);
    close(client->fd);
    frames_finish(&client->in);
    queue_finish(&client->out);
    free(client);
}

bool client_is_idle(const struct client *client) {
    return !client->waiter && !client->follows;
}

static bool is_busy(const struct client *client) {
    return client->waiter || client->follows || client->out.length > 0;
}

/* A call that is there already is taken up in the next turn: a socket that can be written wakes. */
static bool has_call(struct client *client) {
    return !is_busy(client) && frames_ready(&client->in);
}

/* Watches for what can be made use of. False when the loop refused, and the client must go. */
static bool watch(struct client *client) {
    unsigned events = client->out.length > 0 || has_call(client) ? LOOP_OUT : 0;

    if (!client->ended && (!is_busy(client) || frames_waiting(&client->in) < CONTROL_AHEAD_MAX))
        events |= LOOP_IN;
    if (events != client->events && loop_modify(client->control->loop, client->source, events) < 0)
        return false;
    client->events = events;
    return true;
}

/* The replies that wait for everybody, when this one's are many. */
static bool is_too_much(const struct client *client) {
    size_t total = 0;

    if (client->out.length < CONTROL_FOLLOWER_BYTES)
        return false;
    for (const struct client *other = client->control->first; other; other = other->next)
        total += other->out.length;
    return total > CONTROL_REPLIES_MAX;
}

/* False when the client is gone. */
static bool send_waiting(struct client *client) {
    while (client->out.length > 0) {
        ssize_t n = send(client->fd, queue_bytes(&client->out), client->out.length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN && !is_too_much(client);
        queue_drop(&client->out, (size_t)n);
        if (client->out.length == 0 && client->missed > 0)
            events_confess(client);
    }
    return true;
}

/* Takes up the next call, if there is a whole one. False when the client talks nonsense. */
static bool take_call(struct client *client) {
    struct varlink_call call;
    const char *text;
    size_t length;
    int r = frames_next(&client->in, &text, &length);

    if (r <= 0)
        return r == 0;
    if (varlink_read_call(text, length, &call) < 0)
        return false;
    unlink_client(client);
    append_client(client);
    client->oneway = call.oneway;
    methods_dispatch(client, &call);
    if (call.oneway && !client->waiter && !client->follows)
        queue_finish(&client->out);
    varlink_call_finish(&call);
    return true;
}

void client_flush(struct client *client) {
    bool gone = client->out.failed || client->missed > CONTROL_FOLLOWER_MISSED ||
                !send_waiting(client) || client->out.failed;

    gone = gone || (client->ended && !is_busy(client) && !has_call(client));
    if (gone || !watch(client))
        client_free(client);
}

/*
 * The other end has closed its half, or all of it. Who has shut down only its sending still waits
 * for the answer.
 */
static bool is_gone(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

/* False when the client is to go. */
static bool read_some(struct client *client) {
    int r = frames_read(&client->in, client->fd);

    if (r > 0 || r == -EAGAIN)
        return true;
    client->ended = r == 0;
    return client->ended && !is_gone(client->fd);
}

static void on_client(void *data, uint64_t value, int fd, unsigned events) {
    struct client *client = data;

    (void)value, (void)fd;
    if (events & (LOOP_IN | LOOP_HUP | LOOP_ERR) && !client->ended && !read_some(client)) {
        client_free(client);
        return;
    }
    if (!is_busy(client) && !take_call(client))
        client_free(client);
    else
        client_flush(client);
}

int client_new_take(struct control *control, int fd) {
    struct client *client = calloc(1, sizeof(*client));
    struct loop_watch loop_watch = {
        .fd = fd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_CONTROL,
        .fn = on_client,
        .data = client,
    };

    if (!client) {
        close(fd);
        return -ENOMEM;
    }
    *client = (struct client){
        .control = control,
        .fd = fd,
        .events = LOOP_IN,
        .right = control_right_of(control, fd),
        .in = FRAMES_INIT(VARLINK_CALL_MAX),
    };
    int r = loop_add(control->loop, &loop_watch, &client->source);
    if (r < 0) {
        close(fd);
        free(client);
        return r;
    }
    control->n_clients++;
    append_client(client);
    return 0;
}
