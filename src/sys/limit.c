/* SPDX-License-Identifier: MIT */
#include "sys/limit.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

static const char *const names[RLIM_NLIMITS] = {
    [RLIMIT_AS] = "AS",
    [RLIMIT_CORE] = "CORE",
    [RLIMIT_CPU] = "CPU",
    [RLIMIT_DATA] = "DATA",
    [RLIMIT_FSIZE] = "FSIZE",
    [RLIMIT_LOCKS] = "LOCKS",
    [RLIMIT_MEMLOCK] = "MEMLOCK",
    [RLIMIT_MSGQUEUE] = "MSGQUEUE",
    [RLIMIT_NICE] = "NICE",
    [RLIMIT_NOFILE] = "NOFILE",
    [RLIMIT_NPROC] = "NPROC",
    [RLIMIT_RSS] = "RSS",
    [RLIMIT_RTPRIO] = "RTPRIO",
    [RLIMIT_RTTIME] = "RTTIME",
    [RLIMIT_SIGPENDING] = "SIGPENDING",
    [RLIMIT_STACK] = "STACK",
};

int limit_find(const char *name) {
    if (strncasecmp(name, "RLIMIT_", 7) == 0)
        name += 7;
    else if (strncasecmp(name, "Limit", 5) == 0)
        name += 5;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (names[i] && strcasecmp(names[i], name) == 0)
            return i;
    return -EINVAL;
}

const char *limit_name(int resource) {
    return resource >= 0 && resource < RLIM_NLIMITS ? names[resource] : "unknown limit";
}
