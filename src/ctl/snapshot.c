/* SPDX-License-Identifier: MIT */
#include "ctl/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static long long integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static nsec_t seconds_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    double seconds = json_number_value(value);

    if (!json_is_number(value))
        return NSEC_NEVER;
    return seconds <= 0 ? 0 : (nsec_t)(MIN(seconds, 1e10) * 1e9);
}

static struct worker_view read_worker(json_t *json) {
    const json_t *cause = json_object_get(json, "cause");

    return (struct worker_view){
        .json = json,
        .pool = text_of(json, "pool") ?: "",
        .role = text_of(json, "role") ?: "",
        .state = text_of(json, "state") ?: "",
        .cause = text_of(cause, "text"),
        .words = text_of(json, "stderr"),
        .status = text_of(json, "status"),
        .cgroup = text_of(json, "cgroup"),
        .number = integer_of(json, "worker"),
        .generation = integer_of(json, "generation"),
        .restarts = integer_of(json, "restarts"),
        .exit_status = integer_of(cause, "exit_status"),
        .pid = (pid_t)integer_of(json, "pid"),
        .since = seconds_of(json, "since"),
        .uptime = seconds_of(json, "uptime"),
        .error = (int)integer_of(json, "errno"),
        .reloading = json_is_true(json_object_get(json, "reloading")),
        .stopping = json_is_true(json_object_get(json, "stopping")),
    };
}

static struct pool_view read_pool(json_t *json) {
    json_t *output = json_object_get(json, "output");

    return (struct pool_view){
        .json = json,
        .name = text_of(json, "name") ?: "",
        .state = text_of(json, "state") ?: "",
        .command = text_of(json, "command"),
        .origin = text_of(json, "origin"),
        .workers = integer_of(json, "workers"),
        .ready = integer_of(json, "ready"),
        .restarts = integer_of(json, "restarts"),
        .directory = text_of(output, "directory"),
        .dropped_lines = integer_of(output, "dropped_lines"),
        .held_back = integer_of(output, "held_back"),
    };
}

static void read_all(struct snapshot *snapshot) {
    size_t i, k, n_workers = 0;
    json_t *pool, *worker;

    json_array_foreach(snapshot->pools, i, pool) n_workers +=
        json_array_size(json_object_get(pool, "workers_list"));
    snapshot->list =
        ctl_must(calloc(json_array_size(snapshot->pools) + 1, sizeof(*snapshot->list)));
    snapshot->workers = ctl_must(calloc(n_workers + 1, sizeof(*snapshot->workers)));
    json_array_foreach(snapshot->pools, i, pool) {
        struct pool_view *view = &snapshot->list[snapshot->count++];

        *view = read_pool(pool);
        view->list = &snapshot->workers[snapshot->n_workers];
        json_array_foreach(json_object_get(pool, "workers_list"), k, worker)
            view->list[view->count++] = read_worker(worker);
        snapshot->n_workers += view->count;
    }
}

static void measure(struct snapshot *snapshot) {
    size_t count = snapshot->n_workers;
    struct usage_tree *trees = ctl_must(calloc(count + 1, sizeof(*trees)));
    struct usage *usages = ctl_must(calloc(count + 1, sizeof(*usages)));

    for (size_t i = 0; i < count; i++)
        trees[i] = (struct usage_tree){snapshot->workers[i].pid, snapshot->workers[i].cgroup};
    usage_of_trees(trees, count, usages);
    for (size_t i = 0; i < count; i++)
        snapshot->workers[i].usage = usages[i];
    free(usages);
    free(trees);
}

static int ask(
    struct connection *connection, const struct target *target, struct snapshot *snapshot) {
    json_t *parameters = ctl_must(json_object());
    struct varlink_reply reply;

    if (target)
        json_object_set_new(parameters, "pool", json_string(target->pool));
    if (target && target->worker != TARGET_ALL)
        json_object_set_new(parameters, "worker", json_integer(target->worker));
    int status = connection_ask_take(connection, "io.brood.Status", parameters, &reply);
    if (status == CTL_OK) {
        if (!snapshot->brood)
            snapshot->brood = json_incref(json_object_get(reply.parameters, "brood"));
        json_array_extend(snapshot->pools, json_object_get(reply.parameters, "pools"));
    }
    varlink_reply_finish(&reply);
    return status;
}

int snapshot_take(struct connection *connection, const struct target *targets, size_t n_targets,
    struct snapshot *ret_snapshot) {
    int status = CTL_OK;

    *ret_snapshot = (struct snapshot){.pools = ctl_must(json_array())};
    if (n_targets == 0)
        status = ask(connection, NULL, ret_snapshot);
    for (size_t i = 0; i < n_targets && status == CTL_OK; i++)
        status = ask(connection, &targets[i], ret_snapshot);
    if (status != CTL_OK) {
        snapshot_finish(ret_snapshot);
        return status;
    }
    read_all(ret_snapshot);
    measure(ret_snapshot);
    return CTL_OK;
}

void snapshot_finish(struct snapshot *snapshot) {
    json_decref(snapshot->brood);
    json_decref(snapshot->pools);
    free(snapshot->list);
    free(snapshot->workers);
    *snapshot = (struct snapshot){0};
}

static void annotate(json_t *json, const struct usage *usage) {
    json_object_set_new(json, "processes", json_integer((json_int_t)usage->processes));
    json_object_set_new(json, "cpu", json_real((double)usage->cpu / 1e9));
    json_object_set_new(json, "memory", json_integer((json_int_t)usage->memory));
}

void snapshot_annotate(struct snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->count; i++) {
        struct usage usage = snapshot_usage(&snapshot->list[i]);

        annotate(snapshot->list[i].json, &usage);
    }
    for (size_t i = 0; i < snapshot->n_workers; i++)
        annotate(snapshot->workers[i].json, &snapshot->workers[i].usage);
}

struct usage snapshot_usage(const struct pool_view *pool) {
    struct usage sum = {0};

    for (size_t i = 0; i < pool->count; i++) {
        sum.cpu += pool->list[i].usage.cpu;
        sum.memory += pool->list[i].usage.memory;
        sum.processes += pool->list[i].usage.processes;
    }
    return sum;
}

/* Of pools and workers; any other state is one of change. */
static const struct {
    const char *state;
    enum style style;
} state_styles[] = {
    {"up", STYLE_GOOD},
    {"ready", STYLE_GOOD},
    {"failed", STYLE_BAD},
    {"stopped", STYLE_FAINT},
    {"done", STYLE_FAINT},
};

enum style state_style(const char *state) {
    for (size_t i = 0; i < ELEMENTS(state_styles); i++)
        if (strcmp(state_styles[i].state, state) == 0)
            return state_styles[i].style;
    return STYLE_BUSY;
}

const char *state_sign(const struct screen *screen, const char *state) {
    static const char *const signs[STYLE_MAX] = {
        [STYLE_GOOD] = "● ",
        [STYLE_BUSY] = "◐ ",
        [STYLE_BAD] = "✗ ",
        [STYLE_FAINT] = "○ ",
    };

    return screen->terminal ? signs[state_style(state)] : "";
}

const char *worker_view_remark(const struct worker_view *worker) {
    if (worker->role[0] == 'r')
        return worker->role;
    if (worker->stopping && strcmp(worker->state, "stopping") != 0)
        return "says it is stopping";
    return worker->reloading ? "reloading" : "";
}

void worker_view_add_state(
    struct table *table, const struct worker_view *worker, const struct screen *screen) {
    const char *remark = worker_view_remark(worker);

    table_add(table, state_style(worker->state), "%s%s%s%s", state_sign(screen, worker->state),
        worker->state, *remark ? ", " : "", remark);
}

const char *show_duration(nsec_t duration, char buffer[32]) {
    return duration == NSEC_NEVER ? "-" : text_format_duration(duration, buffer);
}

const char *show_pid(pid_t pid, char buffer[32]) {
    if (pid <= 0)
        return "-";
    snprintf(buffer, 32, "%d", (int)pid);
    return buffer;
}

const char *show_cpu(const struct usage *usage, char buffer[32]) {
    if (usage->processes == 0)
        return "-";
    /* Less than a tick of the kernel's clock. */
    return usage->cpu == 0 ? "0ms" : text_format_duration(usage->cpu, buffer);
}

const char *show_memory(const struct usage *usage, char buffer[32]) {
    return usage->processes == 0 ? "-" : text_format_size(usage->memory, buffer);
}

static const char *plural(long long count) {
    return count == 1 ? "" : "s";
}

void snapshot_print_title(
    const struct snapshot *snapshot, const struct screen *screen, FILE *file) {
    double lived =
        (double)time(NULL) - json_number_value(json_object_get(snapshot->brood, "started"));
    long long workers = 0, ready = 0;
    char uptime[32];

    for (size_t i = 0; i < snapshot->count; i++) {
        workers += snapshot->list[i].workers;
        ready += snapshot->list[i].ready;
    }
    line_print(screen, STYLE_STRONG, file,
        "brood %s, process %lld, up %s: %zu pool%s, %lld worker%s, %lld ready",
        text_of(snapshot->brood, "version") ?: "?", integer_of(snapshot->brood, "pid"),
        text_format_duration((nsec_t)MAX(lived, 0.0) * NSEC_PER_SEC, uptime), snapshot->count,
        plural((long long)snapshot->count), workers, plural(workers), ready);
}
