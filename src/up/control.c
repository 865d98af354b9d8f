/* SPDX-License-Identifier: MIT */
#include "up/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/seed.h"
#include "sys/wall.h"
#include "up/control_internal.h"
#include "up/control_wait.h"

/* Connections taken in one turn: others want to be served as well. */
#define ACCEPT_AT_ONCE 32

/* How long accepting rests when there are no descriptors left. */
#define ACCEPT_PAUSE (100 * NSEC_PER_MSEC)

static void mute(struct control *control, bool muted) {
    if (muted != control->muted &&
        loop_modify(control->loop, control->source, muted ? 0 : LOOP_IN) == 0)
        control->muted = muted;
    control->accept_again = control->muted ? nsec_add(loop_clock(), ACCEPT_PAUSE) : NSEC_NEVER;
}

void control_wake(struct control *control) {
    nsec_t when = MIN(control->accept_again, waiters_deadline(control));

    if (control->looking && control->waiters)
        when = MIN(when, control->next_look);
    if (control->telling)
        when = 0;
    if (when != (loop_timer_is_armed(&control->timer) ? control->timer.when : NSEC_NEVER))
        loop_timer_set(control->loop, &control->timer, when);
}

static void tell_followers(struct control *control) {
    control->telling = false;
    for (struct client *client = control->first, *next; client; client = next) {
        next = client->next;
        if (client->follows)
            client_flush(client);
    }
}

static void on_timer(void *data, uint64_t value, nsec_t now) {
    struct control *control = data;

    (void)value;
    if (now >= control->accept_again)
        mute(control, false);
    if (control->telling)
        tell_followers(control);
    waiters_look(control, now);
    control_wake(control);
}

static void on_report(void *data, const struct engine_report *told) {
    struct control *control = data;

    events_on_report(control, told);
    waiters_on_report(control, told);
    if (control->telling || control->looking)
        control_wake(control);
}

/* Makes room for one more by letting go of whoever has been idle for longest. */
static bool drop_idle(struct control *control) {
    for (struct client *client = control->first; client; client = client->next)
        if (client_is_idle(client)) {
            client_free(client);
            return true;
        }
    return false;
}

static bool is_short_of_descriptors(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

/* The kernel looks for a free descriptor before it looks whether there is anybody. */
static bool somebody_waits(const struct control *control) {
    struct pollfd listening = {.fd = control->fd, .events = POLLIN};

    return poll(&listening, 1, 0) > 0;
}

/* False when there is nobody more to accept, or nothing to do it with. */
static bool accept_one(struct control *control) {
    int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && is_short_of_descriptors(errno)) {
        if (!somebody_waits(control))
            return false;
        if (!drop_idle(control))
            mute(control, true);
        return !control->muted;
    }
    if (fd < 0)
        return errno == EINTR || errno == ECONNABORTED;
    if (control->n_clients >= CONTROL_CLIENTS_MAX && !drop_idle(control)) {
        close(fd);
        return true;
    }
    client_new_take(control, fd);
    return true;
}

static void on_connection(void *data, uint64_t value, int fd, unsigned events) {
    struct control *control = data;

    (void)value, (void)fd, (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(control); i++)
        continue;
    control_wake(control);
}

static int start(struct control *control, pid_t *ret_pid) {
    struct loop_watch watch = {
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_CONTROL,
        .fn = on_connection,
        .data = control,
    };
    int r = loop_timer_reserve_more(control->loop, 1);

    if (r == 0)
        r = control_listen(control, ret_pid);
    watch.fd = control->fd;
    if (r == 0)
        r = loop_add(control->loop, &watch, &control->source);
    return r < 0 ? r : engine_watch(control->options.engine, on_report, control);
}

int control_new(
    const struct control_options *options, struct control **ret_control, pid_t *ret_pid) {
    struct control *control = calloc(1, sizeof(*control));

    if (!control)
        return -ENOMEM;
    varlink_seed(seed_random());
    *control = (struct control){
        .options = *options,
        .loop = engine_loop(options->engine),
        .path = strdup(options->path),
        .fd = -1,
        .timer = {.fn = on_timer, .data = control},
        .accept_again = NSEC_NEVER,
        .started = wall_clock(),
    };
    int r = control->path ? start(control, ret_pid) : -ENOMEM;
    if (r < 0) {
        control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

struct control *control_free(struct control *control) {
    if (!control)
        return NULL;
    waiters_answer_shutdown(control);
    engine_unwatch(control->options.engine, on_report, control);
    loop_remove(control->loop, control->source);
    control_unlink(control);
    while (control->first)
        client_free(control->first);
    if (control->fd >= 0)
        close(control->fd);
    loop_timer_set(control->loop, &control->timer, NSEC_NEVER);
    queue_finish(&control->ring.lines);
    free(control->path);
    free(control);
    return NULL;
}

void control_shutting_down(struct control *control) {
    control->shutting_down = true;
}

void control_pools_changed(struct control *control) {
    waiters_on_pools(control);
    control_wake(control);
}
