/* SPDX-License-Identifier: MIT */

/*
 * The voice of a worker: a socket for sd_notify(3), kept as long as the seat, and a pipe for each
 * start where readiness is told by a descriptor. Opened only for pools that ask for them.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/engine_internal.h"
#include "run/notify_socket.h"
#include "run/ready_pipe.h"

#define STATUS_SIZE 256

struct voice {
    struct engine_seat *seat;
    struct notify_socket socket;
    struct ready_pipe pipe;
    bool reloading, stopping;
    int error;                /* ERRNO=; 0: nothing was said */
    unsigned unheard;         /* mask of 1 << enum deafness: told since the start */
    char status[STATUS_SIZE]; /* empty: nothing was said */
};

/* Why words do not count. */
enum deafness { DEAF_TO_SENDER, DEAF_TO_MESSAGE, DEAF_TO_MAIN_PID };

/* Once a start: whoever says it again and again does not fill the log. */
static void tell_unheard(struct voice *voice, enum deafness why) {
    static const char *const reasons[] = {
        [DEAF_TO_SENDER] = "a process that NotifyAccess= does not allow",
        [DEAF_TO_MESSAGE] = "it is no message",
        [DEAF_TO_MAIN_PID] = "MAINPID=: the main process stays the one that was started",
    };
    const struct worker *worker = &voice->seat->core.worker;

    if (voice->unheard & 1U << why)
        return;
    voice->unheard |= 1U << why;
    engine_tell(voice->seat->pool, &(struct report){
                                       .kind = REPORT_UNHEARD,
                                       .worker = worker->number,
                                       .seat = voice->seat->number,
                                       .generation = worker->generation,
                                       .pid = worker->pid,
                                       .reason = reasons[why],
                                   });
}

static void on_refused(void *data, const struct ucred *sender, enum notify_refusal refusal) {
    (void)sender;
    tell_unheard(data, refusal == NOTIFY_REFUSED_MESSAGE ? DEAF_TO_MESSAGE : DEAF_TO_SENDER);
}

static void feed(struct engine_seat *seat, enum worker_event_kind kind, nsec_t value) {
    engine_feed(seat, (struct worker_event){
                          .kind = kind,
                          .generation = seat->core.worker.generation,
                          .value = value,
                      });
}

/* The store of a place, made when it is first needed. */
static struct fdstore *store_of(struct engine_seat *seat) {
    struct engine_pool *pool = seat->pool;
    uint32_t place = seat->core.worker.number;

    if (seat->version->fdstore_max == 0 || place >= pool->n_stores)
        return NULL;
    if (!pool->stores[place]) {
        pool->stores[place] = calloc(1, sizeof(struct fdstore));
        if (!pool->stores[place])
            return NULL;
        fdstore_init(pool->stores[place], pool->engine->loop, 0);
    }
    fdstore_set_max(pool->stores[place], seat->version->fdstore_max);
    return pool->stores[place];
}

static void keep_descriptors(struct engine_seat *seat, struct notify_packet *packet) {
    struct fdstore *store = NULL;

    if (packet->message.fd_store || packet->message.fd_remove)
        store = store_of(seat);
    if (store)
        fdstore_obey(store, &packet->message, packet->fds, packet->n_fds);
}

static void take_state(struct voice *voice, const struct notify_message *message) {
    struct buffer status = BUFFER(voice->status);

    if (message->status) {
        voice->status[0] = '\0';
        buffer_add(&status, message->status, message->status_size);
    }
    if (message->ready || message->reloading)
        voice->reloading = message->reloading && !message->ready;
    voice->stopping |= message->stopping;
    if (message->error != 0)
        voice->error = message->error;
}

static void on_message(void *data, struct notify_packet *packet) {
    struct voice *voice = data;
    struct engine_seat *seat = voice->seat;
    const struct notify_message *message = &packet->message;

    if (message->main_pid != 0 && message->main_pid != seat->task.pid)
        tell_unheard(voice, DEAF_TO_MAIN_PID);
    keep_descriptors(seat, packet);
    take_state(voice, message);
    if (message->watchdog_set)
        feed(seat, EVENT_WATCHDOG_SET, message->watchdog);
    if (message->alive)
        feed(seat, EVENT_ALIVE, 0);
    if (message->extend > 0)
        feed(seat, EVENT_EXTEND, message->extend);
    if (message->ready && seat->version->ready == READY_NOTIFY && seat->task.role == ROLE_MAIN)
        feed(seat, EVENT_READY, 0);
    if (message->watchdog_trigger)
        feed(seat, EVENT_WATCHDOG_TRIGGER, 0);
}

static void on_ready(void *data) {
    struct voice *voice = data;

    feed(voice->seat, EVENT_READY, 0);
}

static struct voice *voice_new(struct engine_seat *seat) {
    struct voice *voice = calloc(1, sizeof(*voice));

    if (!voice)
        return NULL;
    voice->seat = seat;
    voice->socket.fd = -1;
    voice->socket.on_message = on_message;
    voice->socket.on_refused = on_refused;
    voice->socket.data = voice;
    voice->pipe = READY_PIPE_NULL;
    return voice;
}

static int open_socket(struct voice *voice) {
    const struct engine_seat *seat = voice->seat;
    struct engine *engine = seat->pool->engine;
    const char *directory = engine->options.notify_directory;
    char path[256];

    if (voice->socket.fd >= 0)
        return 0;
    if (directory && snprintf(path, sizeof(path), "%s/notify-%u-%u", directory, seat->pool->serial,
                         seat->number) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return notify_socket_open(&voice->socket, engine->loop, directory ? path : NULL);
}

static int open_for_main(struct voice *voice) {
    voice->status[0] = '\0';
    voice->reloading = voice->stopping = false;
    voice->error = 0;
    voice->unheard = 0;
    ready_pipe_close(&voice->pipe);
    if (voice->seat->version->ready != READY_DESCRIPTOR)
        return 0;
    return ready_pipe_open(&voice->pipe, voice->seat->pool->engine->loop, on_ready, voice);
}

static bool is_asked_for(const struct version *version) {
    return version->notify_access != NOTIFY_NONE || version->ready == READY_DESCRIPTOR;
}

int voice_open(const struct task *task) {
    struct engine_seat *seat = task->seat;

    if (!is_asked_for(seat->version)) {
        voice_free(seat);
        return 0;
    }
    if (!seat->voice)
        seat->voice = voice_new(seat);
    if (!seat->voice)
        return -ENOMEM;
    int r = 0;
    if (seat->version->notify_access != NOTIFY_NONE)
        r = open_socket(seat->voice);
    else
        notify_socket_close(&seat->voice->socket);
    if (r == 0 && task->role == ROLE_MAIN)
        r = open_for_main(seat->voice);
    return r;
}

void voice_listen(struct engine_seat *seat) {
    const struct task *task = &seat->task;

    if (!seat->voice)
        return;
    enum notify_access access = seat->version->notify_access;
    bool counts = task->role == ROLE_MAIN || access >= NOTIFY_EXEC;
    seat->voice->socket.policy = (struct notify_policy){
        .access = access,
        .main = task->pidfd >= 0 && counts ? task->pid : 0,
        .side = side_pid(seat),
        .uid = seat->version->main->identity.uid,
    };
}

void voice_became(struct engine_seat *seat) {
    if (seat->voice)
        ready_pipe_passed(&seat->voice->pipe);
}

void voice_hear_out(struct engine_seat *seat) {
    if (!seat->voice)
        return;
    notify_socket_drain(&seat->voice->socket);
    ready_pipe_drain(&seat->voice->pipe);
}

void voice_ended(struct engine_seat *seat) {
    if (!seat->voice)
        return;
    ready_pipe_close(&seat->voice->pipe);
    voice_listen(seat);
}

void voice_free(struct engine_seat *seat) {
    if (!seat->voice)
        return;
    notify_socket_close(&seat->voice->socket);
    ready_pipe_close(&seat->voice->pipe);
    free(seat->voice);
    seat->voice = NULL;
}

const char *voice_notify_address(const struct engine_seat *seat) {
    return seat->voice && seat->voice->socket.fd >= 0 ? seat->voice->socket.address : NULL;
}

int voice_ready_fd(const struct engine_seat *seat) {
    return seat->voice ? seat->voice->pipe.write_fd : -1;
}

const char *voice_status(const struct engine_seat *seat) {
    return seat->voice && seat->voice->status[0] != '\0' ? seat->voice->status : NULL;
}

bool voice_reloading(const struct engine_seat *seat) {
    return seat->voice && seat->voice->reloading;
}

bool voice_stopping(const struct engine_seat *seat) {
    return seat->voice && seat->voice->stopping;
}

int voice_error(const struct engine_seat *seat) {
    return seat->voice ? seat->voice->error : 0;
}
