/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Task processes: the core's pool on a small shell of its own, which makes processes by a plain
 * fork(2), so that a child goes on in the caller's code. A fork happens in the middle of a turn of
 * the loop, in parent and child alike. In the child `child` is the task's number from then on, and
 * everybody on the way up returns at once; the loop itself is refused there.
 */

#include <sys/types.h>

#include "api/internal.h"
#include "core/pool.h"
#include "loop/loop.h"

struct task {
    int pidfd; /* -1: no process */
    loop_source_t source;
    struct loop_timer timer;
};

struct tasks {
    int child; /* in the parent -1 */
    int parent_death_signal;
    brood_event_fn on_event;
    void *data;
    struct loop *loop;
    struct task *tasks;
    struct seat *seats;
    struct seat **seat_pointers;
    struct place *places;
    struct pool pool;
};

/* Makes `count` tasks, none of them started; `tasks` is zeroed but for the three options. */
int tasks_init(struct tasks *tasks, const struct worker_rules *rules, uint32_t count);

/* Frees memory and closes descriptors, in the parent and in a child; processes are left alone. */
void tasks_finish(struct tasks *tasks);

/* Starts all, and returns when none is alive any more; in a child when it is born. */
int tasks_run(struct tasks *tasks);

/* Feeds EVENT_STOP or EVENT_KILL to all. */
void tasks_command(struct tasks *tasks, enum worker_event_kind event);

/* The loop is of no use any more: ends all by SIGKILL. */
void tasks_abandon(struct tasks *tasks);
