/* SPDX-License-Identifier: MIT */
#include "run/end.h"

#include <sys/wait.h>

struct cause end_cause(struct process_end end) {
    if (end.code == 0)
        return (struct cause){CAUSE_LOST, 0, 0};
    if (end.code == CLD_EXITED)
        return (struct cause){CAUSE_EXIT, 0, end.status};
    return (struct cause){end.code == CLD_DUMPED ? CAUSE_CORE : CAUSE_SIGNAL, 0, end.status};
}
