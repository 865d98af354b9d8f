/* SPDX-License-Identifier: MIT */

/*
 * A process between spawn and reap. The way of an exit is the hot path of all: pidfd readable →
 * waitid → core → clone of the replacement; what can wait (closing the old pidfd, telling watchers)
 * comes after the clone.
 */

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "run/capture.h"
#include "run/end.h"
#include "run/engine_internal.h"

/* How soon after a spawn its outcome is asked for, and how seldom when exec takes long. */
#define SETTLE_FIRST (10 * NSEC_PER_MSEC)
#define SETTLE_LAST  NSEC_PER_SEC

static void on_exit_readable(void *data, uint64_t value, int fd, unsigned events);

static struct engine *engine_of(const struct task *task) {
    return task->seat->pool->engine;
}

static bool is_side(const struct task *task) {
    return task != &task->seat->task;
}

static void watch_exit(struct task *task) {
    struct loop_watch watch = {
        .fd = task->pidfd,
        .events = LOOP_IN,
        .priority = LOOP_PRIORITY_EXIT,
        .once = true,
        .fn = on_exit_readable,
        .data = task,
    };

    /* Failing that (no memory), the settle timer tries again: the slot keeps it running. */
    if (loop_add(engine_of(task)->loop, &watch, &task->source) < 0)
        task->source = 0;
}

static void arm_settle(struct engine *engine) {
    if (loop_timer_is_armed(&engine->settle) && engine->settle_interval == SETTLE_FIRST)
        return;
    engine->settle_interval = SETTLE_FIRST;
    loop_timer_set(engine->loop, &engine->settle, nsec_add(loop_clock(), SETTLE_FIRST));
}

/*
 * The version that the seat was started with; a command that only a newer one has, whose rules the
 * core goes by already, comes from there. The one before is let go: its process has ended.
 */
static void take_version(struct task *task) {
    const struct engine_seat *seat = task->seat;
    bool has = version_plan(seat->version, task->role, task->step) != NULL;
    struct version *before = task->version;

    task->version = version_ref(has ? seat->version : seat->pool->version);
    version_unref(before);
}

static const struct plan *plan_of(const struct task *task) {
    return version_plan(task->version, task->role, task->step);
}

static struct incarnation incarnation_of(const struct task *task) {
    const struct engine_seat *seat = task->seat;

    return (struct incarnation){
        .worker = seat->core.worker.number,
        .generation = seat->core.worker.generation,
        .n_workers = seat->pool->core.n_places,
    };
}

static int spawn_task(struct task *task, struct spawned *ret_spawned, enum child_step *ret_failed) {
    struct engine_seat *seat = task->seat;
    struct spawn_request request = {
        .plan = plan_of(task),
        .incarnation = incarnation_of(task),
        .group = seat->group,
        .owner = task,
    };
    struct extras *extras;
    int r = voice_open(task);

    *ret_failed = r < 0 ? CHILD_VOICE : CHILD_CLONE;
    if (r == 0)
        r = output_open(task);
    if (r == 0)
        r = extras_new(task, &extras);
    if (r < 0)
        return r;
    request.incarnation.extras = extras_plan(extras);
    r = spawn(&engine_of(task)->spawner, &request, ret_spawned);
    extras_free(extras);
    return r;
}

int task_start(struct task *task, struct child_fault *ret_fault) {
    struct spawned spawned;

    take_version(task);
    group_open(task->seat);
    enum child_step failed;
    int r = spawn_task(task, &spawned, &failed);

    if (r < 0) {
        output_drop(task);
        group_doubt(task->seat, r);
        *ret_fault = (struct child_fault){.step = failed, .error = -r};
        return r;
    }
    task->pidfd = spawned.pidfd;
    task->pid = spawned.pid;
    task->slot = spawned.slot;
    task->source = 0;
    output_started(task);
    voice_listen(task->seat);
    watch_exit(task);
    arm_settle(engine_of(task));
    return 0;
}

const char *task_explain(
    const struct task *task, struct child_fault fault, char *buffer, size_t size) {
    return plan_explain(plan_of(task), incarnation_of(task), fault, buffer, size);
}

/* Its pidfd is closed by whoever has it. */
static void forget(struct task *task) {
    spawn_release(&engine_of(task)->spawner, task->slot);
    task->slot = SPAWN_NO_SLOT;
    task->pidfd = -1;
}

void task_finish(struct task *task) {
    if (task->pidfd >= 0) {
        loop_remove(engine_of(task)->loop, task->source);
        close(task->pidfd);
        forget(task);
    }
    output_drop(task);
    task->version = version_unref(task->version);
}

static struct cause cause_of(struct task *task, const struct process_end *end) {
    struct cause cause = end_cause(*end);

    if (!group_has_killed(task->seat) || (cause.kind == CAUSE_EXIT && cause.value == 0))
        return cause;
    return (struct cause){
        CAUSE_OOM, cause.kind == CAUSE_CORE, cause.kind == CAUSE_EXIT ? 0 : cause.value};
}

/*
 * Killed before it was seen to be its program: that is what a start in a group looks like that
 * somebody else has killed.
 */
static bool is_dead_at_once(const struct task *task, const struct process_end *end) {
    return task->slot != SPAWN_NO_SLOT && end->code == CLD_KILLED && end->status == SIGKILL;
}

/* An exit is fed with the fault that the child left in its slot, if it never became its program. */
static void feed_exit(struct task *task, const struct process_end *end) {
    struct engine_seat *seat = task->seat;
    struct engine *engine = engine_of(task);
    struct child_fault fault = {0};
    struct cause cause = cause_of(task, end);
    char detail[512];

    if (task->slot != SPAWN_NO_SLOT &&
        spawn_outcome(&engine->spawner, task->slot, &fault) == SPAWN_FAULT) {
        engine->detail = task_explain(task, fault, detail, sizeof(detail));
        cause = (struct cause){CAUSE_EXEC, (unsigned)child_exit_status(fault), fault.error};
    }
    seat->group_spent = seat->group_spent || is_dead_at_once(task, end);
    forget(task);
    engine->rusage = end->code != 0 ? &end->usage : NULL;
    engine->ending = TAKE(task->output);
    if (is_side(task))
        side_ended(task, cause);
    else {
        voice_ended(seat);
        engine_feed(seat, (struct worker_event){
                              .kind = EVENT_EXITED,
                              .generation = seat->core.worker.generation,
                              .left = tree_goes_first(seat),
                              .cause = cause,
                          });
    }
    engine->ending = capture_process_ended(engine->ending, NULL);
    engine->rusage = NULL;
    engine->detail = NULL;
}

static void on_exit_readable(void *data, uint64_t value, int fd, unsigned events) {
    struct task *task = data;
    struct process_end end;
    int r = process_reap(fd, &end);

    (void)value, (void)events;
    task->source = 0;
    if (r == 0) {
        watch_exit(task);
        return;
    }
    /* Somebody else in this process took the status: then it is lost, and that is said. */
    if (r < 0)
        end.code = 0;
    voice_hear_out(task->seat);
    feed_exit(task, &end);
    close(fd);
}

static void settle_one(void *data, void *owner, uint32_t slot) {
    struct engine *engine = data;
    struct task *task = owner;
    struct engine_seat *seat = task->seat;
    struct child_fault fault;

    if (task->source == 0)
        watch_exit(task);
    if (spawn_outcome(&engine->spawner, slot, &fault) != SPAWN_BECAME || task->source == 0)
        return;
    spawn_release(&engine->spawner, slot);
    task->slot = SPAWN_NO_SLOT;
    output_settled(task);
    if (is_side(task) || task->role != ROLE_MAIN)
        return;
    voice_became(seat);
    if (seat->version->ready == READY_EXEC)
        engine_feed(seat,
            (struct worker_event){.kind = EVENT_READY, .generation = seat->core.worker.generation});
}

/*
 * How often, after restarts, to look for zombies among our own children. That walks over the
 * workers, so the more there are, the more seldom: a millisecond for each.
 */
static nsec_t sweep_interval(const struct engine *engine) {
    nsec_t interval = 0;

    for (uint32_t i = 0; i < engine->n_pools; i++)
        interval += engine->pools[i]->core.n_places * NSEC_PER_MSEC;
    return interval;
}

void task_settle(void *data, uint64_t value, nsec_t now) {
    struct engine *engine = data;

    (void)value;
    spawn_visit(&engine->spawner, settle_one, engine);
    if (engine->spawner.in_flight == 0) {
        spawner_trim(&engine->spawner);
        if (now >= engine->next_sweep) {
            engine->next_sweep = nsec_add(now, sweep_interval(engine));
            tree_reap(engine);
        }
        return;
    }
    engine->settle_interval = MIN(2 * engine->settle_interval, SETTLE_LAST);
    loop_timer_set(engine->loop, &engine->settle, nsec_add(now, engine->settle_interval));
}
