/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FINISH_SECONDS 20

static void child_exec(char *const argv[], const char *log, pid_t parent) {
    sigset_t empty;
    sigemptyset(&empty);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(125);
    setsid();
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (in >= 0)
        dup2(in, STDIN_FILENO);
    if (out >= 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
    } else {
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    execvp(argv[0], argv);
    fprintf(stderr, "restart: exec %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int fixture_init(struct fixture *fixture, char *const argv[], const char *log) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        signal(ends[i], SIG_DFL); /* one that is ignored would never come */
        sigaddset(&mask, ends[i]);
    }
    signal(SIGPIPE, SIG_IGN); /* nobody to print for is no reason to leave the cage open */
    sigprocmask(SIG_BLOCK, &mask, NULL);
    fixture->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fixture->signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -errno;

    pid_t parent = getpid();
    fixture->pid = fork();
    if (fixture->pid < 0)
        return -errno;
    if (fixture->pid == 0)
        child_exec(argv, log, parent);
    fixture->pidfd = (int)syscall(SYS_pidfd_open, fixture->pid, 0);
    return fixture->pidfd < 0 ? -errno : 0;
}

/* Sends SIGKILL to each of our children. Parents die before their children, which come to us. */
static void kill_children(void) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    int pid;
    while (fscanf(file, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    fclose(file);
}

int fixture_finish(struct fixture *fixture) {
    time_t end = time(NULL) + FINISH_SECONDS;
    if (fixture->pid > 0)
        kill(fixture->pid, SIGKILL);
    while (time(NULL) < end) {
        kill_children();
        /* At least one is dying now; orphans of those that are reaped are seen in the next turn. */
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
            return 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return -ETIMEDOUT;
}
