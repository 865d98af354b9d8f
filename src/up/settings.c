/* SPDX-License-Identifier: MIT */
#include "up/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/sink_journal.h"
#include "run/sink_syslog.h"
#include "sys/identity.h"
#include "sys/seed.h"

/* What the plans of one pool are made from. */
struct maker {
    const struct conf_pool *pool;
    const struct surroundings *surroundings;
    struct conf_messages *messages;
};

static int make_plan(const struct maker *maker, const struct conf_command *command,
    enum conf_severity severity, struct plan **ret_plan) {
    const struct conf_pool *pool = maker->pool;
    struct plan_spec spec = conf_pool_plan(pool, command);
    struct plan_error error;

    if (!spec.limits[RLIMIT_NOFILE].set)
        spec.limits[RLIMIT_NOFILE] = maker->surroundings->open_files;
    if (spec.stdio[0].kind == STDIO_NULL && maker->surroundings->has_null_input)
        spec.stdio[0].kind = STDIO_INHERIT;
    int r = plan_new(&spec, ret_plan, &error);

    if (r == -ENOMEM || r == 0)
        return r;
    r = conf_message_add(maker->messages, severity, command->origin.file, command->origin.line,
        "pool %s: %s", pool->name, error.text);
    return r < 0 ? r : -EBADMSG;
}

/* Goes on after a bad command, so that all of them are told at once. */
static int add_commands(const struct maker *maker, struct version *version, enum step_role role,
    const struct conf_commands *commands) {
    int result = 0;

    for (size_t i = 0; i < commands->count; i++) {
        const struct conf_command *command = &commands->list[i];
        struct plan *plan;
        int r = make_plan(maker, command, command->tolerated ? CONF_WARNING : CONF_ERROR, &plan);

        if (r == -EBADMSG && command->tolerated)
            continue; /* as if it had been run, and had failed */
        if (r == 0)
            r = version_add_take(version, role, plan, command->tolerated);
        if (r == -E2BIG)
            r = conf_message_add(maker->messages, CONF_ERROR, command->origin.file,
                    command->origin.line, "pool %s: there are too many commands of this kind",
                    maker->pool->name) < 0
                    ? -ENOMEM
                    : -EBADMSG;
        if (r < 0 && r != -EBADMSG)
            return r;
        result = result < 0 ? result : r;
    }
    return result;
}

static int make_version(const struct maker *maker, struct version **ret_version) {
    const struct conf_pool *pool = maker->pool;
    const struct {
        enum step_role role;
        const struct conf_commands *commands;
    } beside[] = {
        {ROLE_PRE, &pool->pre},
        {ROLE_POST, &pool->post},
        {ROLE_STOP_POST, &pool->stop_post},
        {ROLE_RELOAD, &pool->reload},
    };
    struct version *version;
    struct plan *main;
    int result = make_plan(maker, &pool->start, CONF_ERROR, &main);

    if (result == 0)
        result = version_new_take(main, &version);
    if (result < 0)
        return result;
    for (size_t i = 0; i < ELEMENTS(beside); i++) {
        int r = add_commands(maker, version, beside[i].role, beside[i].commands);

        result = result < 0 ? result : r;
    }
    if (result < 0) {
        version_unref(version);
        return result;
    }
    *ret_version = version;
    return 0;
}

static enum kill_mode kill_mode_of(const struct conf_pool *pool) {
    static const enum kill_mode modes[] = {
        [CONF_KILL_CONTROL_GROUP] = KILL_GROUP,
        [CONF_KILL_MIXED] = KILL_MIXED,
        [CONF_KILL_PROCESS] = KILL_PROCESS,
        [CONF_KILL_NONE] = KILL_NONE,
    };

    return modes[pool->kill_mode];
}

static enum readiness readiness_of(const struct conf_pool *pool) {
    if (pool->type != CONF_TYPE_NOTIFY)
        return READY_EXEC;
    return pool->notify_descriptor > 0 ? READY_DESCRIPTOR : READY_NOTIFY;
}

/* A target that cannot be had here, and what stands in for it: who waited would wait for ever. */
struct stand_in {
    enum capture_target wanted, taken;
    const char *words; /* "journal is taken as log" */
    const char *thing, *reason;
};

static int take_instead(
    const struct maker *maker, struct capture_settings *capture, const struct stand_in *stand_in) {
    static const char *const directives[] = {"StandardOutput", "StandardError"};

    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        if (capture->targets[i] != stand_in->wanted)
            continue;
        struct conf_origin origin = conf_pool_origin(maker->pool, directives[i]);
        capture->targets[i] = stand_in->taken;
        if (conf_message_add(maker->messages, CONF_WARNING, origin.file, origin.line,
                "pool %s: %s=%s: %s: %s", maker->pool->name, directives[i], stand_in->words,
                stand_in->thing, stand_in->reason) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Most machines without one of these never get it. */
static int do_without_daemons(const struct maker *maker, struct capture_settings *capture) {
    static const struct stand_in daemons[] = {
        {CAPTURE_JOURNAL, CAPTURE_FILE, "journal is taken as log", SINK_JOURNAL_PATH,
            "there is no journal"},
        {CAPTURE_SYSLOG, CAPTURE_FILE, "syslog is taken as log", SINK_SYSLOG_PATH,
            "there is no syslog daemon"},
    };
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(daemons) && r == 0; i++)
        if (access(daemons[i].thing, F_OK) < 0)
            r = take_instead(maker, capture, &daemons[i]);
    return r;
}

/* A container's user often may write nothing at all: whoever has not asked for files needs none. */
static int do_without_files(const struct maker *maker, struct capture_settings *capture) {
    const char *directory = maker->surroundings->log_directory;
    int error = logfile_refusal(directory);
    struct stand_in stand_in = {CAPTURE_FILE, CAPTURE_NONE,
        "log is taken as inherit, no LogDirectory= is given", directory, strerror(error)};

    capture->file.directory = directory;
    return error == 0 ? 0 : take_instead(maker, capture, &stand_in);
}

static int make_capture(const struct maker *maker, struct capture_settings *ret_capture) {
    const struct conf_log *log = &maker->pool->log;
    struct identity owner;
    int r =
        conf_find_owner(maker->pool, "its logs", log->user, log->group, &owner, maker->messages);

    if (r < 0)
        return r;
    *ret_capture = log->capture;
    ret_capture->file.uid = owner.uid;
    ret_capture->file.gid = owner.gid;
    identity_finish(&owner);
    r = do_without_daemons(maker, ret_capture);
    if (r == 0 && !ret_capture->file.directory)
        r = do_without_files(maker, ret_capture);
    return r;
}

static bool is_captured(const struct capture_settings *capture) {
    return capture->targets[FRAME_OUT] != CAPTURE_NONE ||
           capture->targets[FRAME_ERR] != CAPTURE_NONE;
}

int settings_make(const struct conf_pool *pool, const struct surroundings *surroundings,
    struct pool_settings *ret_settings, struct capture_settings *ret_capture,
    struct conf_messages *messages) {
    struct maker maker = {pool, surroundings, messages};
    struct version *version;
    int r = make_capture(&maker, ret_capture);

    if (r == 0)
        r = make_version(&maker, &version);
    if (r != 0)
        return r;
    *ret_settings = (struct pool_settings){
        .name = pool->name,
        .n_workers = pool->workers,
        .surge = pool->surge,
        .version = version,
        .rules = pool->rules,
        .kill_mode = kill_mode_of(pool),
        .ends_leftovers = pool->ends_leftovers,
        .final_signal = pool->final_signal,
        .seed = seed_random(),
        .ready = readiness_of(pool),
        .ready_descriptor = pool->notify_descriptor,
        .notify_access = pool->notify_access,
        .fdstore_max = pool->descriptor_store_max,
        .recycle_memory = pool->recycle_memory,
        .limits = &pool->cgroup.limits,
        .capture = is_captured(ret_capture) ? ret_capture : NULL,
    };
    return 0;
}

void settings_drop(struct pool_settings *settings) {
    settings->version = version_unref(settings->version);
}

static const char *directive_of(enum conf_listen_kind kind) {
    static const char *const names[] = {
        [CONF_LISTEN_STREAM] = "ListenStream",
        [CONF_LISTEN_DATAGRAM] = "ListenDatagram",
        [CONF_LISTEN_SEQUENTIAL_PACKET] = "ListenSequentialPacket",
    };

    return names[kind];
}

static int fill_spec(const struct conf_pool *pool, const struct conf_listen *listen,
    const struct identity *owner, struct listen_spec *spec, struct conf_messages *messages) {
    const struct conf_listens *common = &pool->listens;
    const char *reason = "";

    listen_spec_init(spec);
    int r = listen_parse(directive_of(listen->kind), listen->address, spec, &reason);
    if (r < 0) {
        r = conf_message_add(messages, CONF_ERROR, listen->origin.file, listen->origin.line,
            "%s=%s: %s", directive_of(listen->kind), listen->address, reason);
        return r < 0 ? r : -EBADMSG;
    }
    snprintf(spec->name, sizeof(spec->name), "%s", common->name ? common->name : pool->name);
    spec->backlog = common->backlog;
    spec->reuse_port = common->reuse_port;
    spec->mode = common->mode;
    spec->uid = owner->uid;
    spec->gid = owner->gid;
    return 0;
}

int settings_listen(
    const struct conf_pool *pool, struct listen_spec **ret_specs, struct conf_messages *messages) {
    const struct conf_listens *listens = &pool->listens;
    struct listen_spec *specs = calloc(listens->count + 1, sizeof(*specs));
    struct identity owner;
    int result = 0;

    if (!specs)
        return -ENOMEM;
    int r = conf_find_owner(pool, "its sockets", listens->user, listens->group, &owner, messages);
    if (r < 0) {
        free(specs);
        return r;
    }
    for (size_t i = 0; i < listens->count; i++) {
        r = fill_spec(pool, &listens->list[i], &owner, &specs[i], messages);
        result = result < 0 ? result : r;
    }
    identity_finish(&owner);
    if (result < 0) {
        free(specs);
        return result;
    }
    *ret_specs = specs;
    return 0;
}
