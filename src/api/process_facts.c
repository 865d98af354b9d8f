/* SPDX-License-Identifier: MIT */

/* What the calling process is like, and whether that is safe. */

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "api/internal.h"

/* Where proc(5) is not to be had nobody can tell; then the caller is believed. */
bool process_has_threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    int count = 0;

    if (!tasks)
        return false;
    while ((entry = readdir(tasks)))
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count > 1;
}

bool process_discards_exits(void) {
    struct sigaction action;

    sigaction(SIGCHLD, NULL, &action);
    return action.sa_handler == SIG_IGN || action.sa_flags & SA_NOCLDWAIT;
}
