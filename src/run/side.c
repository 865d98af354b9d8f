/* SPDX-License-Identifier: MIT */

/*
 * Processes beside a worker's own: what runs after it has come up, and what makes it load its
 * configuration anew. Seldom and short; so they live on the heap, and the pool's seats stay small.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "run/engine_internal.h"

static void feed_end(struct engine_seat *seat, uint32_t token, struct cause cause) {
    engine_feed(
        seat, (struct worker_event){.kind = EVENT_SIDE_EXITED, .token = token, .cause = cause});
}

static void could_not_start(struct side *side, int error, struct child_fault fault) {
    struct engine *engine = side->task.seat->pool->engine;
    char detail[512];

    engine->detail = task_explain(&side->task, fault, detail, sizeof(detail));
    feed_end(side->task.seat, side->token, (struct cause){CAUSE_SPAWN, 0, -error});
    engine->detail = NULL;
    task_finish(&side->task);
    free(side);
}

void side_start(struct engine_seat *seat, enum step_role role, uint32_t step, uint32_t token) {
    struct engine *engine = seat->pool->engine;
    struct side *side = calloc(1, sizeof(*side));
    struct child_fault fault;

    if (!side) {
        feed_end(seat, token, (struct cause){CAUSE_SPAWN, 0, ENOMEM});
        return;
    }
    *side = (struct side){
        .task = {.seat = seat, .pidfd = -1, .slot = SPAWN_NO_SLOT, .step = step, .role = role},
        .token = token,
    };
    int r = task_start(&side->task, &fault);
    if (r < 0) {
        could_not_start(side, r, fault);
        return;
    }
    side->next = engine->sides;
    engine->sides = side;
    voice_listen(seat);
}

static void take_out(struct engine *engine, const struct side *side) {
    struct side **link = &engine->sides;

    while (*link != side)
        link = &(*link)->next;
    *link = side->next;
}

/* Its group goes with it: what it has begun is nobody's any more. */
void side_kill(struct engine_seat *seat) {
    for (struct side *side = seat->pool->engine->sides; side; side = side->next) {
        if (side->task.seat != seat || side->forgotten)
            continue;
        side->forgotten = true;
        if (kill(-side->task.pid, SIGKILL) < 0)
            process_signal(side->task.pidfd, SIGKILL);
    }
    voice_listen(seat);
}

void side_ended(struct task *task, struct cause cause) {
    struct side *side = container_of(task, struct side, task);
    struct engine_seat *seat = task->seat;
    bool forgotten = side->forgotten;
    uint32_t token = side->token;

    take_out(seat->pool->engine, side);
    task_finish(task);
    free(side);
    voice_listen(seat);
    if (!forgotten)
        feed_end(seat, token, cause);
}

pid_t side_pid(const struct engine_seat *seat) {
    const struct side *side = seat->pool->engine->sides;

    while (side && (side->task.seat != seat || side->forgotten))
        side = side->next;
    return side ? side->task.pid : 0;
}

bool side_any(const struct engine_pool *pool) {
    const struct side *side = pool->engine->sides;

    while (side && side->task.seat->pool != pool)
        side = side->next;
    return side != NULL;
}

void side_drop_all(struct engine_pool *pool) {
    struct side **link = &pool->engine->sides;

    while (*link) {
        struct side *side = *link;

        if (side->task.seat->pool != pool) {
            link = &side->next;
            continue;
        }
        *link = side->next;
        task_finish(&side->task);
        free(side);
    }
}
