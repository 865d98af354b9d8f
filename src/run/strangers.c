/* SPDX-License-Identifier: MIT */
#include "run/strangers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/proc.h"
#include "sys/process.h"

struct strangers {
    int signal_fd;
    pthread_t leader;
    atomic_bool stopping;
};

int strangers_new(struct strangers **ret_strangers) {
    struct strangers *strangers = calloc(1, sizeof(*strangers));
    sigset_t mask;

    if (!strangers)
        return -ENOMEM;
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    strangers->leader = pthread_self();
    strangers->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
    if (strangers->signal_fd < 0) {
        int error = errno;

        free(strangers);
        return -error;
    }
    *ret_strangers = strangers;
    return 0;
}

static void sweep(void) {
    pid_t pid;

    while (process_reap_stranger(&pid) > 0)
        continue;
}

struct strangers *strangers_free(struct strangers *strangers) {
    if (!strangers)
        return NULL;
    sweep();
    close(strangers->signal_fd);
    free(strangers);
    return NULL;
}

/* Sleeps until there is a SIGCHLD. Should the signalfd fail, the same signal has another door. */
static void wait_for_child(const struct strangers *strangers) {
    struct signalfd_siginfo info;
    sigset_t mask;

    if (read(strangers->signal_fd, &info, sizeof(info)) > 0 || errno == EINTR)
        return;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigwaitinfo(&mask, NULL);
}

/* SIGCHLD coalesces: one may stand for a thousand, so each is only a hint to sweep. */
void strangers_reap(struct strangers *strangers) {
    sweep();
    while (!atomic_load(&strangers->stopping)) {
        wait_for_child(strangers);
        sweep();
    }
}

void strangers_stop(struct strangers *strangers) {
    atomic_store(&strangers->stopping, true);
    pthread_kill(strangers->leader, SIGCHLD);
}

int strangers_fd(const struct strangers *strangers) {
    return strangers->signal_fd;
}

void strangers_sweep_among(
    struct strangers *strangers, bool (*is_ours)(void *data, pid_t pid), void *data) {
    struct signalfd_siginfo info;
    struct proc_list children = {0};

    if (read(strangers->signal_fd, &info, sizeof(info)) < 0)
        return;
    proc_children(getpid(), getpid(), &children);
    for (size_t i = 0; i < children.count; i++)
        if (!is_ours(data, children.pids[i]))
            process_reap_pid(children.pids[i]);
    proc_list_finish(&children);
}

void strangers_reap_own(bool (*is_ours)(void *data, pid_t pid), void *data) {
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0 &&
           info.si_pid != 0 && !is_ours(data, info.si_pid)) {
        process_reap_pid(info.si_pid);
        info.si_pid = 0;
    }
}
