/* SPDX-License-Identifier: MIT */

/* status: all pools as a table, one pool with its workers, or all that is known of one worker. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/request.h"
#include "ctl/snapshot.h"

/* The process of a pool of one; of others there is no single one. */
static pid_t only_pid(const struct pool_view *pool) {
    return pool->count == 1 ? pool->list[0].pid : 0;
}

/* Since when nothing has happened: that of the youngest process. */
static nsec_t least_uptime(const struct pool_view *pool) {
    nsec_t least = NSEC_NEVER;

    for (size_t i = 0; i < pool->count; i++)
        least = MIN(least, pool->list[i].uptime);
    return least;
}

/* The worker whose end was the last: it has just been replaced, or it was not. */
static const struct worker_view *last_ended(const struct pool_view *pool) {
    const struct worker_view *last = NULL;
    nsec_t age = NSEC_NEVER;

    for (size_t i = 0; i < pool->count; i++) {
        const struct worker_view *worker = &pool->list[i];
        nsec_t own = worker->pid > 0 ? worker->uptime : worker->since;

        if (worker->cause && (!last || own < age)) {
            last = worker;
            age = own;
        }
    }
    return last;
}

static enum style ready_style(const struct pool_view *pool) {
    if (pool->ready >= pool->workers)
        return STYLE_PLAIN;
    return state_style(pool->state) == STYLE_FAINT ? STYLE_FAINT : STYLE_BUSY;
}

static void add_last_cause(struct table *table, const struct pool_view *pool) {
    const struct worker_view *last = last_ended(pool);

    if (!last)
        table_add(table, STYLE_PLAIN, "-");
    else if (pool->count > 1)
        table_add(table, STYLE_PLAIN, "/%lld: %s", last->number, last->cause);
    else
        table_add(table, STYLE_PLAIN, "%s", last->cause);
}

static void add_pool(
    struct table *table, const struct pool_view *pool, const struct screen *screen) {
    const struct usage usage = snapshot_usage(pool);
    char buffer[32];

    table_add(table, STYLE_STRONG, "%s", pool->name);
    table_add(
        table, state_style(pool->state), "%s%s", state_sign(screen, pool->state), pool->state);
    table_add(table, ready_style(pool), "%lld/%lld", pool->ready, pool->workers);
    table_add(table, STYLE_PLAIN, "%s", show_pid(only_pid(pool), buffer));
    table_add(table, STYLE_PLAIN, "%s", show_duration(least_uptime(pool), buffer));
    table_add(table, pool->restarts > 0 ? STYLE_BUSY : STYLE_PLAIN, "%lld", pool->restarts);
    table_add(table, STYLE_PLAIN, "%s", show_cpu(&usage, buffer));
    table_add(table, STYLE_PLAIN, "%s", show_memory(&usage, buffer));
    add_last_cause(table, pool);
}

static void print_pools(const struct snapshot *snapshot, const struct screen *screen) {
    static const struct table_column columns[] = {
        {.heading = "NAME"},
        {.heading = "STATE"},
        {.heading = "READY", .right = true},
        {.heading = "PID", .right = true},
        {.heading = "UPTIME", .right = true},
        {.heading = "RESTARTS", .right = true},
        {.heading = "CPU", .right = true},
        {.heading = "MEM", .right = true},
        {.heading = "LAST CAUSE"},
    };
    struct table table = TABLE_INIT(columns);

    if (screen->terminal) {
        snapshot_print_title(snapshot, screen, stdout);
        putchar('\n');
    }
    for (size_t i = 0; i < snapshot->count; i++)
        add_pool(&table, &snapshot->list[i], screen);
    table_print(&table, screen, 0, stdout);
    table_finish(&table);
}

static void add_worker(
    struct table *table, const struct worker_view *worker, const struct screen *screen) {
    char buffer[32];

    table_add(table, STYLE_STRONG, "%s/%lld", worker->pool, worker->number);
    worker_view_add_state(table, worker, screen);
    table_add(table, STYLE_PLAIN, "%s", show_pid(worker->pid, buffer));
    table_add(table, STYLE_PLAIN, "%s",
        show_duration(worker->pid > 0 ? worker->uptime : NSEC_NEVER, buffer));
    table_add(table, worker->restarts > 0 ? STYLE_BUSY : STYLE_PLAIN, "%lld", worker->restarts);
    table_add(table, STYLE_PLAIN, "%s", show_cpu(&worker->usage, buffer));
    table_add(table, STYLE_PLAIN, "%s", show_memory(&worker->usage, buffer));
    table_add(table, STYLE_PLAIN, "%s", worker->cause ?: "-");
    table_add(table, STYLE_PLAIN, "%s", worker->status ?: "");
}

static void print_workers(const struct pool_view *pool, const struct screen *screen) {
    static const struct table_column columns[] = {
        {.heading = "WORKER"},
        {.heading = "STATE"},
        {.heading = "PID", .right = true},
        {.heading = "UPTIME", .right = true},
        {.heading = "RESTARTS", .right = true},
        {.heading = "CPU", .right = true},
        {.heading = "MEM", .right = true},
        {.heading = "LAST CAUSE"},
        {.heading = "STATUS", .spare = true},
    };
    struct table table = TABLE_INIT(columns);

    for (size_t i = 0; i < pool->count; i++)
        add_worker(&table, &pool->list[i], screen);
    table_print(&table, screen, 2, stdout);
    table_finish(&table);
}

static const struct table_column facts[] = {{.heading = NULL}, {.heading = NULL}};

static void add_fact(struct table *table, const char *name, const char *text) {
    if (!text || !*text)
        return;
    table_add(table, STYLE_FAINT, "%s", name);
    table_add(table, STYLE_PLAIN, "%s", text);
}

/* Where it is, and whether all of it. */
static void add_log(struct table *table, const struct pool_view *pool) {
    char dropped[64] = "", held_back[64] = "";

    if (pool->dropped_lines > 0)
        snprintf(dropped, sizeof(dropped), ", %lld line%s dropped", pool->dropped_lines,
            pool->dropped_lines == 1 ? "" : "s");
    if (pool->held_back > 0)
        snprintf(held_back, sizeof(held_back), ", %lld stream%s held back", pool->held_back,
            pool->held_back == 1 ? "" : "s");
    if (pool->directory || *dropped || *held_back) {
        table_add(table, STYLE_FAINT, "Log");
        table_add(table, *dropped || *held_back ? STYLE_BUSY : STYLE_PLAIN, "%s%s%s",
            pool->directory ?: "not in files", dropped, held_back);
    }
}

static void add_pool_facts(struct table *table, const struct pool_view *pool) {
    add_fact(table, "Command", pool->command);
    add_fact(table, "From", pool->origin);
    add_log(table, pool);
}

static void print_pool(const struct pool_view *pool, const struct screen *screen) {
    struct table table = TABLE_INIT(facts);

    line_print(screen, state_style(pool->state), stdout, "%s%s: %s, %lld of %lld ready",
        state_sign(screen, pool->state), pool->name, pool->state, pool->ready, pool->workers);
    add_pool_facts(&table, pool);
    table_print(&table, screen, 2, stdout);
    table_finish(&table);
    putchar('\n');
    print_workers(pool, screen);
}

static void add_process_facts(struct table *table, const struct worker_view *worker) {
    char text[128], buffer[32];

    if (worker->pid > 0) {
        snprintf(text, sizeof(text), "%d, up %s", (int)worker->pid,
            show_duration(worker->uptime, buffer));
        add_fact(table, "Process", text);
    }
    snprintf(text, sizeof(text), "%lld, with %lld automatic restart%s", worker->generation,
        worker->restarts, worker->restarts == 1 ? "" : "s");
    add_fact(table, "Generation", text);
    if (worker->usage.processes == 0)
        return;
    add_fact(table, "CPU", show_cpu(&worker->usage, buffer));
    snprintf(text, sizeof(text), "%s in %u process%s", show_memory(&worker->usage, buffer),
        worker->usage.processes, worker->usage.processes == 1 ? "" : "es");
    add_fact(table, "Memory", text);
}

/* The last words, a row for each line. */
static void add_words(struct table *table, const char *words) {
    char *copy = ctl_must(strdup(words)), *cursor = copy, *line;
    const char *name = "Its stderr";

    while ((line = strsep(&cursor, "\n"))) {
        table_add(table, STYLE_FAINT, "%s", name);
        table_add(table, STYLE_PLAIN, "%s", line);
        name = "";
    }
    free(copy);
}

static void print_worker(
    const struct pool_view *pool, const struct worker_view *worker, const struct screen *screen) {
    struct table table = TABLE_INIT(facts);
    const char *remark = worker_view_remark(worker);
    char text[256], buffer[32];

    line_print(screen, state_style(worker->state), stdout, "%s%s/%lld: %s%s%s, since %s",
        state_sign(screen, worker->state), worker->pool, worker->number, worker->state,
        *remark ? ", " : "", remark, show_duration(worker->since, buffer));
    add_process_facts(&table, worker);
    if (worker->cause) {
        bool told = strncmp(worker->cause, "exit status", 11) == 0;

        snprintf(text, sizeof(text), told ? "%s" : "%s (status %lld)", worker->cause,
            worker->exit_status);
        add_fact(&table, "Last end", text);
    }
    if (worker->words)
        add_words(&table, worker->words);
    add_fact(&table, "Status", worker->status);
    if (worker->error != 0) {
        snprintf(text, sizeof(text), "%d (%s)", worker->error, strerror(worker->error));
        add_fact(&table, "Error", text);
    }
    add_fact(&table, "Cgroup", worker->cgroup);
    snprintf(text, sizeof(text), "%s, %s, %lld of %lld ready", pool->name, pool->state, pool->ready,
        pool->workers);
    add_fact(&table, "Pool", text);
    add_pool_facts(&table, pool);
    table_print(&table, screen, 2, stdout);
    table_finish(&table);
}

/* The pools stand in the order in which they were asked for, one for each target. */
static void print_targets(const struct snapshot *snapshot, const struct target *targets,
    size_t n_targets, const struct screen *screen) {
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct pool_view *pool = &snapshot->list[i];

        if (i > 0)
            putchar('\n');
        if (i >= n_targets || targets[i].worker == TARGET_ALL) {
            print_pool(pool, screen);
            continue;
        }
        for (size_t k = 0; k < pool->count; k++)
            if (pool->list[k].number == targets[i].worker)
                print_worker(pool, &pool->list[k], screen);
    }
}

static int show(const struct ctl_call *call, const struct target *targets) {
    const struct screen screen = screen_of(STDOUT_FILENO);
    struct connection connection;
    struct snapshot snapshot;
    int status = connection_open(call, &connection);

    if (status != CTL_OK)
        return status;
    status = snapshot_take(&connection, targets, call->n_words, &snapshot);
    connection_finish(&connection);
    if (status != CTL_OK)
        return status;
    if (call->json) {
        snapshot_annotate(&snapshot);
        request_print_json_take(
            json_pack("{s:O, s:O}", "brood", snapshot.brood, "pools", snapshot.pools));
    } else if (call->n_words == 0)
        print_pools(&snapshot, &screen);
    else
        print_targets(&snapshot, targets, call->n_words, &screen);
    snapshot_finish(&snapshot);
    return CTL_OK;
}

int ctl_status(const struct ctl_call *call) {
    struct target *targets = ctl_must(calloc(call->n_words + 1, sizeof(*targets)));
    int status = CTL_OK;

    for (size_t i = 0; i < call->n_words && status == CTL_OK; i++)
        status = target_parse(call, call->words[i], &targets[i]);
    if (status == CTL_OK)
        status = show(call, targets);
    free(targets);
    return status;
}
