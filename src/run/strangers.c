/* SPDX-License-Identifier: MIT */
#include "run/strangers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
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

struct strangers *strangers_free(struct strangers *strangers) {
    if (strangers)
        close(strangers->signal_fd);
    free(strangers);
    return NULL;
}

static void sweep(void) {
    pid_t pid;

    while (process_reap_stranger(&pid) > 0)
        continue;
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

struct sweep {
    bool (*is_ours)(void *data, pid_t pid);
    void *data;
};

static void sweep_one(void *data, pid_t pid) {
    const struct sweep *among = data;

    if (!among->is_ours(among->data, pid))
        process_reap_pid(pid);
}

void strangers_sweep_among(
    struct strangers *strangers, bool (*is_ours)(void *data, pid_t pid), void *data) {
    struct signalfd_siginfo info;

    if (read(strangers->signal_fd, &info, sizeof(info)) < 0)
        return;
    proc_children(getpid(), getpid(), sweep_one, &(struct sweep){is_ours, data});
}
