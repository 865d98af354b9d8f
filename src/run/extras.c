/* SPDX-License-Identifier: MIT */

/*
 * What one start gets that is not of its plan, as systemd.exec(5) names it: sockets and kept
 * descriptors, where to say that it serves and lives, and what has happened to the main process.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/signame.h"
#include "core/frame.h"
#include "run/engine_internal.h"

/* The first number that sd_listen_fds(3) looks at. */
#define LISTEN_FDS_START 3

#define VARIABLES_MAX 8

struct extras {
    struct plan_extras plan;
    char *variables[VARIABLES_MAX];
    const char *pid_variables[PID_VARIABLES_MAX];
    struct child_descriptor *descriptors;
    size_t n_sockets;
    bool out_of_memory;
};

static void add(struct extras *extras, const char *format, ...) printf_like(2, 3);

static void add(struct extras *extras, const char *format, ...) {
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        extras->out_of_memory = true;
    else
        extras->variables[extras->plan.n_variables++] = text;
    va_end(arguments);
}

/* --- descriptors */

static const struct fdstore *store_of(const struct engine_seat *seat) {
    uint32_t place = seat->core.worker.number;

    return place < seat->pool->n_stores ? seat->pool->stores[place] : NULL;
}

static bool is_for(const struct engine_socket *socket, const struct engine_seat *seat) {
    return socket->worker == ENGINE_EVERY_WORKER || socket->worker == seat->core.worker.number;
}

static void pass(struct extras *extras, FILE *names, int fd, const char *name) {
    size_t n = extras->n_sockets++;

    extras->descriptors[extras->plan.n_descriptors++] =
        (struct child_descriptor){fd, LISTEN_FDS_START + (int)n};
    fprintf(names, "%s%s", n > 0 ? ":" : "", name);
}

static void pass_all(struct extras *extras, const struct engine_seat *seat, FILE *names) {
    const struct engine_pool *pool = seat->pool;
    const struct fdstore *store = store_of(seat);

    for (size_t i = 0; i < pool->n_sockets; i++)
        if (is_for(&pool->sockets[i], seat))
            pass(extras, names, pool->sockets[i].fd, pool->sockets[i].name);
    for (uint32_t i = 0; store && i < store->count; i++)
        pass(extras, names, store->entries[i].fd, store->entries[i].name);
}

static void add_sockets(struct extras *extras, const struct engine_seat *seat) {
    char *names = NULL;
    size_t size;
    FILE *stream = open_memstream(&names, &size);

    if (!stream) {
        extras->out_of_memory = true;
        return;
    }
    pass_all(extras, seat, stream);
    extras->out_of_memory |= fclose(stream) != 0;
    if (extras->n_sockets > 0 && !extras->out_of_memory) {
        add(extras, "LISTEN_FDS=%zu", extras->n_sockets);
        add(extras, "LISTEN_FDNAMES=%s", names);
        extras->pid_variables[extras->plan.n_pid_variables++] = "LISTEN_PID";
    }
    free(names);
}

/* The list is by rising number there. */
static void add_ready_descriptor(struct extras *extras, const struct engine_seat *seat) {
    int fd = voice_ready_fd(seat), to = seat->version->ready_descriptor;
    size_t n = extras->plan.n_descriptors;

    if (fd < 0)
        return;
    for (; n > 0 && extras->descriptors[n - 1].to > to; n--)
        extras->descriptors[n] = extras->descriptors[n - 1];
    extras->descriptors[n] = (struct child_descriptor){fd, to};
    extras->plan.n_descriptors++;
}

static size_t most_sockets(const struct engine_seat *seat) {
    const struct fdstore *store = store_of(seat);

    return seat->pool->n_sockets + (store ? store->count : 0);
}

/* Output comes first, being lowest; for a main process, what it serves and speaks with follows. */
static void add_descriptors(struct extras *extras, const struct task *task) {
    const struct engine_seat *seat = task->seat;
    size_t n_sockets = task->role == ROLE_MAIN ? most_sockets(seat) : 0;

    extras->descriptors = calloc(FRAME_STREAM_MAX + n_sockets + 1, sizeof(*extras->descriptors));
    if (!extras->descriptors) {
        extras->out_of_memory = true;
        return;
    }
    extras->plan.descriptors = extras->descriptors;
    extras->plan.n_descriptors = output_add_descriptors(task, extras->descriptors);
    if (n_sockets > 0)
        add_sockets(extras, seat);
    if (task->role == ROLE_MAIN)
        add_ready_descriptor(extras, seat);
}

/* --- words */

static void add_watchdog(struct extras *extras, const struct engine_seat *seat) {
    nsec_t interval = seat->pool->core.rules.watchdog;

    if (interval == 0 || interval == NSEC_NEVER)
        return;
    add(extras, "WATCHDOG_USEC=%" PRIu64, interval / NSEC_PER_USEC);
    extras->pid_variables[extras->plan.n_pid_variables++] = "WATCHDOG_PID";
}

static const char *service_result(const struct restart_policy *policy, struct cause cause) {
    static const char *const results[] = {
        [CAUSE_NONE] = "success",
        [CAUSE_EXIT] = "exit-code",
        [CAUSE_SIGNAL] = "signal",
        [CAUSE_CORE] = "core-dump",
        [CAUSE_EXEC] = "exit-code",
        [CAUSE_SPAWN] = "resources",
        [CAUSE_LOST] = "protocol",
        [CAUSE_PROTOCOL] = "protocol",
        [CAUSE_START_TIMEOUT] = "timeout",
        [CAUSE_WATCHDOG] = "watchdog",
        [CAUSE_RUNTIME] = "timeout",
        [CAUSE_OOM] = "oom-kill",
    };

    return restart_policy_is_clean(policy, cause) ? "success" : results[cause.kind];
}

static void add_end(struct extras *extras, struct cause cause) {
    if (cause.kind == CAUSE_PROTOCOL)
        cause = cause_unready_end(cause);
    bool is_exit = cause.kind == CAUSE_EXIT || cause.kind == CAUSE_EXEC;
    bool dumped =
        cause.kind == CAUSE_CORE || (cause.kind >= CAUSE_START_TIMEOUT && cause.status != 0);
    char name[24];

    if (cause.kind == CAUSE_NONE || cause.kind == CAUSE_SPAWN || cause.kind == CAUSE_LOST ||
        (!is_exit && cause.value == 0))
        return;
    add(extras, "EXIT_CODE=%s", is_exit ? "exited" : dumped ? "dumped" : "killed");
    if (is_exit)
        add(extras, "EXIT_STATUS=%d", cause_exit_status(cause));
    else
        add(extras, "EXIT_STATUS=%s", signame_format(cause.value, name) + strlen("SIG"));
}

/* The end of the main process is in the worker until the first of these commands has ended. */
static void add_result(struct extras *extras, const struct task *task) {
    const struct engine_seat *seat = task->seat;
    struct cause cause = task->step == 0 ? seat->core.worker.cause : seat->cause;

    add(extras, "SERVICE_RESULT=%s", service_result(&seat->pool->core.rules.restart, cause));
    add_end(extras, cause);
}

static void fill(struct extras *extras, const struct task *task) {
    const struct engine_seat *seat = task->seat;
    const char *address = voice_notify_address(seat);
    bool beside = task->role == ROLE_POST || task->role == ROLE_RELOAD;

    if (task->role == ROLE_MAIN || task->output)
        add_descriptors(extras, task);
    if (task->role == ROLE_MAIN)
        add_watchdog(extras, seat);
    if (address && (task->role == ROLE_MAIN || seat->version->notify_access >= NOTIFY_EXEC))
        add(extras, "NOTIFY_SOCKET=%s", address);
    if (beside)
        add(extras, "MAINPID=%d", seat->task.pid);
    if (task->role == ROLE_STOP_POST)
        add_result(extras, task);
}

static bool needs_extras(const struct task *task) {
    const struct engine_seat *seat = task->seat;

    return task->role != ROLE_MAIN || task->output || seat->voice || seat->pool->n_sockets > 0 ||
           seat->pool->core.rules.watchdog > 0;
}

int extras_new(const struct task *task, struct extras **ret_extras) {
    *ret_extras = NULL;
    if (!needs_extras(task))
        return 0;
    struct extras *extras = calloc(1, sizeof(*extras));
    if (!extras)
        return -ENOMEM;
    extras->plan.variables = (const char *const *)extras->variables;
    extras->plan.pid_variables = extras->pid_variables;
    fill(extras, task);
    if (extras->out_of_memory) {
        extras_free(extras);
        return -ENOMEM;
    }
    *ret_extras = extras;
    return 0;
}

const struct plan_extras *extras_plan(const struct extras *extras) {
    return extras ? &extras->plan : NULL;
}

struct extras *extras_free(struct extras *extras) {
    if (!extras)
        return NULL;
    for (size_t i = 0; i < extras->plan.n_variables; i++)
        free(extras->variables[i]);
    free(extras->descriptors);
    free(extras);
    return NULL;
}
