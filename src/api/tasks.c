/* SPDX-License-Identifier: MIT */
#include "api/tasks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/end.h"
#include "sys/process.h"
#include "sys/seed.h"

static void feed(struct tasks *tasks, uint32_t worker, struct worker_event event);

static void on_exit_readable(void *data, uint64_t value, int fd, unsigned events) {
    struct tasks *tasks = data;
    struct task *task = &tasks->tasks[value];
    struct process_end end = {0};
    int r = process_reap(fd, &end);

    (void)events;
    if (r == 0)
        return;
    if (r < 0)
        end = (struct process_end){0};
    loop_remove(tasks->loop, task->source);
    close(fd);
    task->pidfd = -1;
    feed(tasks, (uint32_t)value,
        (struct worker_event){
            .kind = EVENT_EXITED,
            .generation = tasks->seats[value].worker.generation,
            .cause = end_cause(end),
        });
}

/* Ends a child that we cannot hear of. SIGKILL is never long in coming. */
static void discard(pid_t pid) {
    siginfo_t info;

    kill(pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        continue;
}

static int watch(struct tasks *tasks, uint32_t worker, pid_t pid) {
    struct task *task = &tasks->tasks[worker];
    int r = process_open(pid, &task->pidfd);

    if (r < 0)
        return r;
    r = loop_add(tasks->loop,
        &(struct loop_watch){
            .fd = task->pidfd,
            .events = LOOP_IN,
            .priority = LOOP_PRIORITY_CONTROL, /* the caller's signals come first */
            .fn = on_exit_readable,
            .data = tasks,
            .value = worker,
        },
        &task->source);
    if (r < 0) {
        close(task->pidfd);
        task->pidfd = -1;
    }
    return r;
}

/* In the child: waits until the parent can hear of our end; false when it cannot, or is gone. */
static bool is_admitted(int gate) {
    char word;
    ssize_t length;

    do
        length = read(gate, &word, sizeof(word));
    while (length < 0 && errno == EINTR);
    return length == sizeof(word);
}

static void become_task(struct tasks *tasks, uint32_t worker, int gate, pid_t parent) {
    if (tasks->parent_death_signal != 0) {
        prctl(PR_SET_PDEATHSIG, tasks->parent_death_signal);
        if (getppid() != parent) /* it died before we could ask to be told */
            raise(tasks->parent_death_signal);
    }
    if (!is_admitted(gate))
        _exit(1);
    tasks->child = (int)worker;
}

/* In the parent: lets a child go that we can hear of; its pid. */
static pid_t admit(struct tasks *tasks, uint32_t worker, pid_t pid, int gate) {
    int r = watch(tasks, worker, pid);

    if (r < 0) {
        discard(pid);
        return r;
    }
    send(gate, "", 1, MSG_NOSIGNAL);
    return pid;
}

/*
 * The pid of the new process, 0 in it. A task that we could not hear of must never run: it waits at
 * a gate, which also keeps room for its pidfd.
 */
static pid_t fork_task(struct tasks *tasks, uint32_t worker) {
    pid_t parent = getpid();
    int gate[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
        return -errno;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        pid = -errno;
    int own = gate[pid == 0], other = gate[pid != 0];
    close(other);
    if (pid == 0)
        become_task(tasks, worker, own, parent);
    else if (pid > 0)
        pid = admit(tasks, worker, pid, own);
    close(own);
    return pid;
}

static void tell(struct tasks *tasks, const struct report *report) {
    if (tasks->on_event)
        event_tell(tasks->on_event, tasks->data, 0,
            &(struct engine_report){.pool = "task", .report = report});
}

/* What a task has forked itself is its own affair: its process is all of its tree. */
static void signal_task(struct task *task, int signal) {
    if (task->pidfd >= 0)
        process_signal(task->pidfd, signal);
}

static void apply_one(struct tasks *tasks, const struct action *action) {
    struct task *task = &tasks->tasks[action->worker];

    switch (action->kind) {
    case ACTION_SIGNAL:
        signal_task(task, action->signal);
        break;
    case ACTION_KILL_TREE:
        signal_task(task, SIGKILL);
        break;
    case ACTION_SET_TIMER:
        loop_timer_set(tasks->loop, &task->timer, action->timer.when);
        break;
    case ACTION_REPORT:
        tell(tasks, &action->report);
        break;
    case ACTION_BROADCAST:
        tasks_command(tasks, (enum worker_event_kind)action->event);
        break;
    case ACTION_CHECK_TREE:
    case ACTION_SPAWN:
    case ACTION_ENDED:
    case ACTION_SPAWN_SIDE: /* there are no commands but the task */
    case ACTION_KILL_SIDE:
    case ACTION_FEED: /* only rolling restarts */
    case ACTION_ROLL_ON:
    case ACTION_SHUT_DOWN: /* only start limits */
        break;
    }
}

static void answer(struct tasks *tasks, uint32_t worker, pid_t pid) {
    struct worker_event event = {.kind = EVENT_SPAWNED, .pid = pid};

    if (pid < 0)
        event = (struct worker_event){
            .kind = EVENT_SPAWN_FAILED, .cause = {CAUSE_SPAWN, CHILD_CLONE, -pid}};
    feed(tasks, worker, event);
}

/* What was decided, done. As in the engine, a fork goes before everything else. */
static void feed(struct tasks *tasks, uint32_t worker, struct worker_event event) {
    struct outbox outbox;
    bool spawned = false;
    pid_t pid = 0;

    outbox.count = 0;
    event.now = loop_clock();
    pool_step(&tasks->pool, worker, &event, &outbox);
    for (uint32_t i = 0; i < outbox.count && !spawned; i++)
        spawned = outbox.actions[i].kind == ACTION_SPAWN;
    if (spawned)
        pid = fork_task(tasks, worker);
    if (tasks->child >= 0)
        return;
    for (uint32_t i = 0; i < outbox.count; i++)
        apply_one(tasks, &outbox.actions[i]);
    if (spawned)
        answer(tasks, worker, pid);
    if (tasks->seats[worker].worker.state == WORKER_DRAINING)
        feed(tasks, worker,
            (struct worker_event){
                .kind = EVENT_TREE_GONE, .generation = tasks->seats[worker].worker.generation});
}

void tasks_command(struct tasks *tasks, enum worker_event_kind event) {
    for (uint32_t i = 0; i < tasks->pool.n_seats && tasks->child < 0; i++)
        feed(tasks, i, (struct worker_event){.kind = event});
}

static void on_timer(void *data, uint64_t value, nsec_t now) {
    struct tasks *tasks = data;

    (void)now;
    feed(tasks, (uint32_t)value,
        (struct worker_event){.kind = EVENT_TIMER, .token = tasks->seats[value].worker.token});
}

int tasks_init(struct tasks *tasks, const struct worker_rules *rules, uint32_t count) {
    int r = loop_new(LOOP_EPOLL, &tasks->loop);

    tasks->child = -1;
    if (r == 0)
        r = loop_timer_reserve(tasks->loop, count);
    tasks->tasks = calloc(count, sizeof(*tasks->tasks));
    tasks->seats = calloc(count, sizeof(*tasks->seats));
    tasks->seat_pointers = calloc(count, sizeof(*tasks->seat_pointers));
    tasks->places = calloc(count, sizeof(*tasks->places));
    if (r == 0 && (!tasks->tasks || !tasks->seats || !tasks->seat_pointers || !tasks->places))
        r = -ENOMEM;
    if (r < 0) {
        tasks_finish(tasks);
        return r;
    }
    pool_init(&tasks->pool, rules, 0, seed_random());
    for (uint32_t i = 0; i < count; i++)
        tasks->seat_pointers[i] = &tasks->seats[i];
    pool_give(&tasks->pool, tasks->seat_pointers, count, tasks->places);
    pool_resize(&tasks->pool, count);
    for (uint32_t i = 0; i < count; i++)
        tasks->tasks[i] =
            (struct task){.pidfd = -1, .timer = {.fn = on_timer, .data = tasks, .value = i}};
    return 0;
}

void tasks_finish(struct tasks *tasks) {
    for (uint32_t i = 0; i < tasks->pool.n_seats; i++)
        if (tasks->tasks[i].pidfd >= 0)
            close(tasks->tasks[i].pidfd);
    free(tasks->tasks);
    free(tasks->seats);
    free(tasks->seat_pointers);
    free(tasks->places);
    loop_free(tasks->loop);
}

int tasks_run(struct tasks *tasks) {
    int r = 0;

    tasks_command(tasks, EVENT_START);
    while (r >= 0 && tasks->child < 0 && !tasks->pool.ended)
        r = loop_turn(tasks->loop, true);
    return tasks->child >= 0 ? 0 : MIN(r, 0);
}

void tasks_abandon(struct tasks *tasks) {
    for (uint32_t i = 0; i < tasks->pool.n_seats; i++)
        if (tasks->tasks[i].pidfd >= 0)
            discard(tasks->seats[i].worker.pid);
}
