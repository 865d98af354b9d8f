/* SPDX-License-Identifier: MIT */

/* What is known of each worker, for those who show it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/engine_internal.h"

static const char *role_name(enum seat_role role) {
    static const char *const names[] = {
        [SEAT_FREE] = "free",
        [SEAT_HOLDER] = "holder",
        [SEAT_REPLACEMENT] = "replacement",
        [SEAT_RETIRING] = "retiring",
    };

    return names[role];
}

static void fill(const struct engine_seat *seat, struct worker_facts *ret_facts) {
    const struct worker *worker = &seat->core.worker;

    *ret_facts = (struct worker_facts){
        .number = worker->number,
        .role = role_name(seat->core.role),
        .state = worker_state_name(worker->state),
        .alive = worker_state_is_alive(worker->state),
        .generation = worker->generation,
        .restarts = worker->restarts,
        .pid = worker->pid,
        .since = seat->since,
        .started = worker->started,
        .cause = seat->cause,
        .detail = seat->detail,
        .words = seat->words,
        .status = voice_status(seat),
        .reloading = voice_reloading(seat),
        .stopping = worker->pid != 0 && voice_stopping(seat),
        .error = voice_error(seat),
    };
    group_path(seat, ret_facts->group, sizeof(ret_facts->group));
}

int engine_worker(const struct engine_pool *pool, uint32_t number, struct worker_facts *ret_facts) {
    if (number >= pool->core.n_places)
        return -ENOENT;
    fill(pool_seat(pool, pool->core.places[number].holder), ret_facts);
    return 0;
}

static int compare_seats(const void *a, const void *b) {
    const struct seat *left = *(struct seat *const *)a, *right = *(struct seat *const *)b;

    if (left->worker.number != right->worker.number)
        return left->worker.number < right->worker.number ? -1 : 1;
    return (int)left->role - (int)right->role;
}

int engine_visit_workers(const struct engine_pool *pool, engine_worker_fn fn, void *data) {
    struct seat **seats = calloc(pool->core.n_seats + 1, sizeof(struct seat *));
    struct worker_facts facts;
    uint32_t count = 0;

    if (!seats)
        return -ENOMEM;
    for (uint32_t i = 0; i < pool->core.n_seats; i++)
        if (pool->core.seats[i]->role != SEAT_FREE)
            seats[count++] = pool->core.seats[i];
    qsort(seats, count, sizeof(struct seat *), compare_seats);
    for (uint32_t i = 0; i < count; i++) {
        fill(container_of(seats[i], struct engine_seat, core), &facts);
        fn(data, &facts);
    }
    free(seats);
    return 0;
}
