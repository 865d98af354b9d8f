/* SPDX-License-Identifier: MIT */

/*
 * fork_processes: the parent's side around the tasks, which is its signals, its refusals and its
 * end. The signals that stop the parent are taken from a signalfd, and before the exits of the same
 * turn: Ctrl-C goes to the whole group, and what it ended is not to be restarted. SIGCHLD is
 * blocked, too, so that a handler of the caller cannot take the tasks' exits. All of it is undone
 * in the children.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/tasks.h"
#include "base/macro.h"
#include "sys/cpu.h"
#include "sys/process.h"

#define COUNT_MAX        1000000
#define RESTARTS_DEFAULT 100

/* Besides a pidfd for each task: standard streams, loop, timer, signals, the gate of a fork. */
#define DESCRIPTORS_OF_OURS 8

/*
 * The one piece of state that the library has for a whole process. It is a fact about the process,
 * as its pid is: whoever forked it has said so, and no caller could keep it in a better place.
 */
static int task_id = -1;

struct parent {
    struct tasks tasks;
    sigset_t mask; /* the caller's */
    int signal_fd;
    int stopped_by; /* the first signal; 0: none */
    bool returns;
    int *ret_signal;
};

int brood_task_id(void) {
    return task_id;
}

static void on_signals(void *data, uint64_t value, int fd, unsigned events) {
    struct parent *parent = data;
    struct signalfd_siginfo info;

    (void)value, (void)events;
    while (read(fd, &info, sizeof(info)) == sizeof(info)) {
        bool again = parent->stopped_by != 0;

        if (!again)
            parent->stopped_by = (int)info.ssi_signo;
        tasks_command(&parent->tasks, again ? EVENT_KILL : EVENT_STOP);
    }
}

/* What stops us, but for what the caller ignores: nohup(1) is to keep its meaning. */
static void stop_signals(sigset_t *ret_signals) {
    static const int stops[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};

    sigemptyset(ret_signals);
    for (size_t i = 0; i < ELEMENTS(stops); i++) {
        struct sigaction action;

        if (sigaction(stops[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(ret_signals, stops[i]);
    }
}

static int take_signals(struct parent *parent) {
    sigset_t signals, blocked;
    loop_source_t source;

    stop_signals(&signals);
    blocked = signals;
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &parent->mask);
    parent->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (parent->signal_fd < 0)
        return -errno;
    return loop_add(parent->tasks.loop,
        &(struct loop_watch){
            .fd = parent->signal_fd,
            .events = LOOP_IN,
            .priority = LOOP_PRIORITY_EXIT,
            .fn = on_signals,
            .data = parent,
        },
        &source);
}

static void give_signals_back(struct parent *parent) {
    if (parent->signal_fd >= 0)
        close(parent->signal_fd);
    sigprocmask(SIG_SETMASK, &parent->mask, NULL);
}

/* As if nobody had caught it. The first process of a namespace is spared by its own signals. */
static _Noreturn void die_by(int number) {
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    exit(128 + number);
}

/* What is left to do for the parent when no task lives any more. */
static int conclude(const struct parent *parent) {
    if (parent->stopped_by != 0) {
        if (!parent->returns)
            die_by(parent->stopped_by);
        if (parent->ret_signal)
            *parent->ret_signal = parent->stopped_by;
        return -EINTR;
    }
    if (parent->tasks.pool.ledger.exhausted)
        return -ENOTRECOVERABLE;
    if (!parent->returns)
        exit(0);
    return BROOD_PARENT;
}

static int run(struct parent *parent, const struct worker_rules *rules, uint32_t count) {
    int r = tasks_init(&parent->tasks, rules, count);

    if (r < 0)
        return r;
    r = take_signals(parent);
    if (r == 0)
        r = tasks_run(&parent->tasks);
    if (r < 0)
        tasks_abandon(&parent->tasks);
    int child = parent->tasks.child;
    tasks_finish(&parent->tasks);
    give_signals_back(parent);
    if (child < 0)
        return r < 0 ? r : conclude(parent);
    task_id = child;
    return child;
}

static int make_rules(const struct brood_fork_options *options, struct worker_rules *ret_rules) {
    bool no_restarts = options->flags & BROOD_FORK_NO_RESTARTS;
    int restarts = options->max_restarts > 0 ? options->max_restarts : RESTARTS_DEFAULT;

    *ret_rules = worker_rules_default();
    ret_rules->restart.mode = RESTART_ON_FAILURE;
    ret_rules->max_restarts = no_restarts ? 0 : (uint64_t)restarts;
    if (options->stop_timeout)
        ret_rules->stop_timeout = options->stop_timeout;
    ret_rules->stop_signal = options_signal(options->stop_signal, SIGTERM);
    if (options->flags & ~(unsigned)(BROOD_FORK_RETURN | BROOD_FORK_NO_RESTARTS))
        return -EINVAL;
    if (ret_rules->stop_signal < 0 || options_signal(options->parent_death_signal, 0) < 0)
        return -EINVAL;
    return options->backoff ? backoff_parse(options->backoff, &ret_rules->backoff) : 0;
}

/* Whether it is safe here, and can be done at all. */
static int admit(uint32_t count) {
    struct rlimit files;
    int self;

    if (task_id >= 0)
        return -EALREADY;
    if (process_has_threads())
        return -EBUSY;
    if (process_discards_exits())
        return -ECHILD;
    if (count > COUNT_MAX)
        return -ERANGE;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && count + DESCRIPTORS_OF_OURS > files.rlim_cur)
        return -EMFILE;
    int r = process_open(getpid(), &self);
    if (r == 0)
        close(self);
    return r;
}

int brood_fork_processes_with(const struct brood_fork_options *given) {
    struct brood_fork_options options;
    struct worker_rules rules;
    int r = options_copy(&options, sizeof(options), given);

    if (r == 0)
        r = make_rules(&options, &rules);
    if (r < 0)
        return r;
    uint32_t count = options.count > 0 ? (uint32_t)options.count : cpu_usable();
    r = admit(count);
    if (r < 0)
        return r;

    struct parent parent = {
        .tasks =
            {
                .child = -1,
                .parent_death_signal = options.parent_death_signal,
                .on_event = options.on_event,
                .data = options.data,
            },
        .signal_fd = -1,
        .returns = options.flags & BROOD_FORK_RETURN,
        .ret_signal = options.ret_signal,
    };
    return run(&parent, &rules, count);
}

int brood_fork_processes(int count, int max_restarts) {
    return brood_fork_processes_with(&(struct brood_fork_options){
        .size = sizeof(struct brood_fork_options),
        .flags = max_restarts == 0 ? BROOD_FORK_NO_RESTARTS : 0,
        .count = count,
        .max_restarts = max_restarts,
    });
}
