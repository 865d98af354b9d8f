/* SPDX-License-Identifier: MIT */
#include "sys/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

static unsigned cpus_by_affinity(void) {
    /* Larger machines than CPU_SETSIZE exist: grow until the kernel is content. */
    for (size_t count = CPU_SETSIZE; count <= 65536; count *= 2) {
        cpu_set_t *set = CPU_ALLOC(count);
        size_t size = CPU_ALLOC_SIZE(count);
        int usable = 0;

        if (set && sched_getaffinity(0, size, set) == 0)
            usable = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (usable > 0)
            return (unsigned)usable;
    }
    return 1;
}

static bool read_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    bool ok = fgets(line, size, file) != NULL;
    fclose(file);
    return ok;
}

static unsigned rounded_up(long quota, long period) {
    return quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : UINT_MAX;
}

/* The quota set at one cgroup directory, in CPUs. */
static unsigned quota_at(const char *directory) {
    char path[PATH_MAX + 32], line[64];
    long quota, period;

    snprintf(path, sizeof(path), "%s/cpu.max", directory);
    if (read_line(path, line, sizeof(line)))
        return sscanf(line, "%ld %ld", &quota, &period) == 2 ? rounded_up(quota, period) : UINT_MAX;
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", directory);
    if (!read_line(path, line, sizeof(line)))
        return UINT_MAX;
    quota = atol(line);
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", directory);
    period = read_line(path, line, sizeof(line)) ? atol(line) : 0;
    return rounded_up(quota, period);
}

/* The tightest quota from a group up to the root of its hierarchy. */
static unsigned quota_above(const char *mount, char *group) {
    unsigned tightest = UINT_MAX;
    char directory[PATH_MAX];

    for (;;) {
        snprintf(directory, sizeof(directory), "%s%s", mount, group);
        tightest = MIN(tightest, quota_at(directory));
        char *slash = strrchr(group, '/');
        if (!slash || *group == '\0')
            return tightest;
        *slash = '\0';
    }
}

static bool has_cpu_controller(const char *controllers) {
    const char *found = strstr(controllers, "cpu");

    while (found &&
           !((found == controllers || found[-1] == ',') && (found[3] == ',' || found[3] == '\0')))
        found = strstr(found + 1, "cpu");
    return found != NULL;
}

/* A line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static unsigned quota_of_line(char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    unsigned tightest = UINT_MAX;

    if (!group)
        return UINT_MAX;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (*controllers != '\0' && !has_cpu_controller(controllers))
        return UINT_MAX;

    static const char *const v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    static const char *const v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
    for (int i = 0; i < 2; i++) {
        char copy[PATH_MAX];

        snprintf(copy, sizeof(copy), "%s", group);
        tightest = MIN(tightest, quota_above(*controllers == '\0' ? v2[i] : v1[i], copy));
    }
    return tightest;
}

unsigned cpu_usable(void) {
    unsigned cpus = cpus_by_affinity();
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t size = 0;

    while (file && getline(&line, &size, file) > 0)
        cpus = MIN(cpus, quota_of_line(line));
    free(line);
    if (file)
        fclose(file);
    return MAX(cpus, 1U);
}
