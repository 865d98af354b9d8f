/* SPDX-License-Identifier: MIT */
#pragma once

/* How things stand: what the supervisor says of itself and its pools, and what their trees use. */

#include "ctl/connection.h"
#include "ctl/table.h"
#include "ctl/target.h"
#include "ctl/usage.h"

/* Texts are those of the supervisor, or NULL. */
struct worker_view {
    json_t *json;
    const char *pool, *role, *state, *cause, *words, *status, *cgroup;
    long long number, generation, restarts, exit_status;
    pid_t pid;            /* 0: none */
    nsec_t since, uptime; /* NSEC_NEVER: not known */
    int error;            /* that it told of; 0: none */
    bool reloading, stopping;
    struct usage usage;
};

struct pool_view {
    json_t *json;
    const char *name, *state, *command, *origin;
    long long workers, ready, restarts;
    const char *directory; /* of its logs */
    long long dropped_lines, held_back;
    struct worker_view *list;
    size_t count;
};

struct snapshot {
    json_t *brood, *pools; /* the replies */
    struct pool_view *list;
    size_t count;
    struct worker_view *workers; /* of all pools, in their order */
    size_t n_workers;
};

/* Asks for these targets, or for all there is; measures. Status, told. */
int snapshot_take(struct connection *connection, const struct target *targets, size_t n_targets,
    struct snapshot *ret_snapshot);
void snapshot_finish(struct snapshot *snapshot);

/* Writes what was measured beside what the supervisor said. */
void snapshot_annotate(struct snapshot *snapshot);

struct usage snapshot_usage(const struct pool_view *pool);

/* How a state looks: its colour, and a sign for terminals. */
enum style state_style(const char *state);
const char *state_sign(const struct screen *screen, const char *state);

/* "replacement", "reloading", …: what is special about a worker in its state; or nothing. */
const char *worker_view_remark(const struct worker_view *worker);
void worker_view_add_state(
    struct table *table, const struct worker_view *worker, const struct screen *screen);

/* For cells; "-" for what is not known. Return `buffer`. */
const char *show_duration(nsec_t duration, char buffer[32]);
const char *show_pid(pid_t pid, char buffer[32]);
const char *show_cpu(const struct usage *usage, char buffer[32]);
const char *show_memory(const struct usage *usage, char buffer[32]);

/* "brood 0.1.0, process 17, up 2h 3min: 3 pools, 12 workers, 11 ready" */
void snapshot_print_title(const struct snapshot *snapshot, const struct screen *screen, FILE *file);
