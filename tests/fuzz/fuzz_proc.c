/* SPDX-License-Identifier: MIT */

/* sys/proc: a process chooses its own name, and may choose one that looks like other fields. */

#include <sys/prctl.h>
#include <unistd.h>

#include "fuzz.h"
#include "sys/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char name[16] = {0};
    struct proc_stat stat;

    if (size > 0)
        memcpy(name, data, size < 15 ? size : 15);
    prctl(PR_SET_NAME, name);
    PROMISE(proc_stat(getpid(), &stat) == 0);
    PROMISE(strcmp(stat.name, name) == 0);
    PROMISE(stat.parent == getppid() && stat.group == getpgrp() && stat.session == getsid(0));
    PROMISE(stat.state == 'R');
    return 0;
}
