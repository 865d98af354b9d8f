/* SPDX-License-Identifier: MIT */
#include "up/up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/directive.h"
#include "run/notify_send.h"
#include "sys/identity.h"
#include "up/control.h"

/* Exit statuses, as `brood up --help` has them. */
#define FAILED 1
#define USAGE  2

struct up {
    struct up_options options;
    struct service *service;
    struct supervisor *supervisor;
    struct control *control;
    struct notify_sender upstream;
    bool is_up;       /* whoever has started us knows */
    bool is_stopping; /* … and that we end */
};

int up_new_take(const struct up_options *options, struct conf *conf, struct up **ret_up) {
    struct up *up = calloc(1, sizeof(*up));

    if (!up) {
        conf_free(conf);
        return -ENOMEM;
    }
    up->options = *options;
    up->upstream.fd = -1;
    int r = service_new_take(&options->service, conf, &up->service);
    if (r < 0) {
        free(up);
        return r;
    }
    *ret_up = up;
    return 0;
}

struct up *up_free(struct up *up) {
    if (!up)
        return NULL;
    service_free(up->service);
    free(up);
    return NULL;
}

static void note_messages(struct up *up, const struct conf_messages *messages) {
    char text[1024];

    for (size_t i = 0; i < messages->count; i++)
        supervisor_note(up->supervisor,
            messages->list[i].severity == CONF_ERROR ? NOTE_CONFIGURATION_ERROR
                                                     : NOTE_CONFIGURATION_WARNING,
            conf_message_format(&messages->list[i], text, sizeof(text)));
}

static void note_taken(const struct up *up) {
    char text[64];

    snprintf(text, sizeof(text), "%zu pools (generation %u)",
        conf_n_pools(service_conf(up->service)), service_generation(up->service));
    supervisor_note(up->supervisor, NOTE_CONFIGURATION_TAKEN, text);
}

/* The log has them, too; whoever called wants them first hand. */
static void tell_messages(const struct conf_messages *messages, struct control_changes *changes) {
    char text[1024];

    for (size_t i = 0; i < messages->count; i++) {
        conf_message_format(&messages->list[i], text, sizeof(text));
        if (messages->list[i].severity == CONF_ERROR)
            control_error(changes, text);
        else
            control_warn(changes, text);
    }
}

/* -1 where none is named. */
static int find_group(const char *name, gid_t *ret_group) {
    struct identity identity;
    char item[256];
    const char *kind;

    *ret_group = (gid_t)-1;
    if (!name)
        return 0;
    int r = identity_resolve(NULL, name, NULL, &identity, item, &kind);
    if (r < 0)
        return r;
    *ret_group = identity.gid;
    identity_finish(&identity);
    return 0;
}

struct control_groups {
    gid_t read, change;
};

static int find_groups(const struct up *up, struct control_groups *ret_groups) {
    const struct conf_brood *brood = conf_brood(service_conf(up->service));
    int r = find_group(brood->read_group, &ret_groups->read);

    return r < 0 ? r : find_group(brood->change_group, &ret_groups->change);
}

/* A group that does not exist lets nobody in. */
static void regroup(struct up *up) {
    struct control_groups groups;
    int r = find_groups(up, &groups);

    if (r == 0)
        r = control_set_groups(up->control, groups.read, groups.change);
    if (r < 0)
        supervisor_note(up->supervisor, NOTE_CONTROL, "the groups of the socket cannot be changed");
}

static void relog(struct up *up, struct control_changes *changes) {
    static const char text[] = "LogTarget= of [Brood] has changed: that takes a new start of brood";

    if (supervisor_relog(up->supervisor, &conf_brood(service_conf(up->service))->log) == 0)
        return;
    supervisor_note(up->supervisor, NOTE_CONFIGURATION_WARNING, text);
    if (changes)
        control_warn(changes, text);
}

static int reload(struct up *up, struct control_changes *changes) {
    struct conf_messages messages = {0};

    notify_sender_say(&up->upstream, &(struct notify_message){.reloading = true});
    int r = service_reload(up->service, &messages, changes);
    note_messages(up, &messages);
    if (changes)
        tell_messages(&messages, changes);
    conf_messages_finish(&messages);

    if (r == 0) {
        regroup(up);
        relog(up, changes);
        note_taken(up);
    }
    enum report_note note = r < 0 ? NOTE_RELOAD_REFUSED : NOTE_RELOADED_ALL;
    const char *outcome = r < 0 ? "refused: nothing has changed" : "taken over";
    supervisor_note(up->supervisor, note, outcome);
    control_note(up->control, note, outcome);
    control_pools_changed(up->control);
    notify_sender_say(&up->upstream, &(struct notify_message){.ready = true});
    return r == -EBADMSG ? -EINVAL : r;
}

static int reload_for_client(void *data, struct control_changes *changes) {
    return reload(data, changes);
}

static void reload_by_signal(void *data) {
    reload(data, NULL);
}

static uint64_t configuration(void *data) {
    const struct up *up = data;

    return service_generation(up->service);
}

static void shut_down(void *data) {
    const struct up *up = data;

    if (!supervisor_is_stopping(up->supervisor))
        supervisor_stop(up->supervisor);
}

/* As it was written. */
static const char *command_of(const struct conf_pool *conf) {
    const char *text = conf->start.argv[0];

    for (size_t i = 0; i < conf->n_settings; i++)
        if (strcmp(conf->settings[i].directive->name, "ExecStart") == 0)
            text = conf->settings[i].value;
    return text;
}

static void origin(void *data, const struct engine_pool *pool, struct control_origin *ret_origin) {
    const struct up *up = data;
    const struct conf_pool *conf = service_pool_conf(up->service, pool);

    *ret_origin = (struct control_origin){0};
    if (conf)
        *ret_origin = (struct control_origin){
            .command = command_of(conf),
            .file = conf->origin.file,
            .line = conf->origin.line,
        };
}

static int scale(
    void *data, struct engine_pool *pool, uint32_t n_workers, char reason[LISTEN_TEXT_SIZE]) {
    const struct up *up = data;

    return service_scale(up->service, pool, n_workers, reason);
}

static void called(void *data, const char *method, uid_t uid, pid_t pid) {
    const struct up *up = data;
    char text[96];

    snprintf(text, sizeof(text), "%s, by user %u, process %d", method, uid, pid);
    supervisor_note(up->supervisor, NOTE_CALL, text);
}

static const struct control_callbacks callbacks = {
    .reload_config = reload_for_client,
    .scale = scale,
    .configuration = configuration,
    .shut_down = shut_down,
    .origin = origin,
    .called = called,
};

static int open_control(struct up *up) {
    struct control_groups groups;
    int r = find_groups(up, &groups);
    if (r == -ENOENT)
        return supervisor_fail(
            up->supervisor, USAGE, "ReadGroup= or ChangeGroup= names a group that does not exist");
    if (r < 0)
        return supervisor_fail(
            up->supervisor, FAILED, "ReadGroup=, ChangeGroup=: %s", strerror(-r));
    struct control_options options = {
        .engine = supervisor_engine(up->supervisor),
        .path = up->options.socket,
        .version = up->options.version,
        .logs = up->options.service.surroundings.log_directory,
        .read_group = groups.read,
        .change_group = groups.change,
        .callbacks = &callbacks,
        .data = up,
    };
    pid_t pid = 0;
    r = control_new(&options, &up->control, &pid);
    if (r == -EADDRINUSE) {
        char who[32] = ""; /* nobody knows while its queue is full */

        if (pid > 0)
            snprintf(who, sizeof(who), " (process %d)", (int)pid);
        return supervisor_fail(up->supervisor, USAGE,
            "another brood%s listens on %s; see 'brood status', or choose another --socket", who,
            up->options.socket);
    }
    if (r < 0)
        return supervisor_fail(
            up->supervisor, FAILED, "control socket %s: %s", up->options.socket, strerror(-r));
    return 0;
}

static int start_pools(struct up *up) {
    struct conf_messages messages = {0};
    char text[1024];
    int r = service_begin(up->service, up->supervisor, &messages), status = 0;

    if (r == -EBADMSG)
        status = USAGE;
    else if (r < 0)
        status = supervisor_fail(up->supervisor, FAILED, "%s", strerror(-r));
    if (r != -EBADMSG)
        note_messages(up, &messages);
    if (r == 0)
        note_taken(up);
    for (size_t i = 0; r == -EBADMSG && i < messages.count; i++)
        supervisor_fail(up->supervisor, USAGE, "%s",
            conf_message_format(&messages.list[i], text, sizeof(text)));
    conf_messages_finish(&messages);
    return status;
}

static int begin(void *data, struct supervisor *supervisor) {
    struct up *up = data;
    struct engine *engine = supervisor_engine(supervisor);

    up->supervisor = supervisor;
    int r = notify_sender_init(&up->upstream, engine_loop(engine), up->options.notify);
    if (r < 0)
        supervisor_note(supervisor, NOTE_NOTIFY, strerror(-r));
    int status = open_control(up);
    return status != 0 ? status : start_pools(up);
}

static void turned(void *data) {
    struct up *up = data;

    service_turned(up->service);
    if (!up->is_up && service_started(up->service) == START_DONE) {
        up->is_up = true;
        notify_sender_say(&up->upstream, &(struct notify_message){.ready = true});
    }
    if (!up->is_stopping && supervisor_is_stopping(up->supervisor)) {
        up->is_stopping = true;
        control_shutting_down(up->control);
        notify_sender_say(&up->upstream, &(struct notify_message){.stopping = true});
    }
}

static enum supervised_start started(void *data) {
    const struct up *up = data;

    return service_started(up->service);
}

/* Pools that have ended by themselves stay to be seen, and to be started again. */
static bool ended(void *data) {
    const struct up *up = data;
    struct engine *engine = supervisor_engine(up->supervisor);

    return engine_ended(engine) &&
           (supervisor_is_stopping(up->supervisor) || engine_shut_down_asked(engine) ||
               (conf_brood(service_conf(up->service))->exit_when_done &&
                   !service_waits(up->service)));
}

static int status(void *data) {
    const struct up *up = data;

    return service_status(up->service);
}

static void finish(void *data) {
    struct up *up = data;

    up->control = control_free(up->control);
    notify_sender_finish(&up->upstream);
    service_end(up->service);
}

struct supervised up_supervised(struct up *up) {
    return (struct supervised){
        .data = up,
        .begin = begin,
        .reload = reload_by_signal,
        .turned = turned,
        .started = started,
        .ended = ended,
        .status = status,
        .finish = finish,
    };
}
