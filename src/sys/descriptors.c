/* SPDX-License-Identifier: MIT */
#include "sys/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"

int descriptors_move_up_consume(int fd) {
    int moved;

    if (fd < 0)
        return -errno;
    if (fd >= DESCRIPTORS_FIRST_FREE)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTORS_FIRST_FREE);
    if (moved < 0)
        moved = -errno;
    close(fd);
    return moved;
}

/* Where close_range(2) is refused: what /proc lists, or every number there can be. */
static void close_one_by_one(unsigned first, unsigned last) {
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    uint64_t fd;

    if (!directory) {
        long limit = sysconf(_SC_OPEN_MAX);

        for (fd = first; fd <= last && fd < (uint64_t)limit; fd++)
            close((int)fd);
        return;
    }
    while ((entry = readdir(directory)))
        if (text_parse_u64(entry->d_name, first, last, &fd) == 0 && (int)fd != dirfd(directory))
            close((int)fd);
    closedir(directory);
}

static void close_gap(unsigned first, unsigned last) {
    if (first <= last && close_range(first, last, 0) < 0)
        close_one_by_one(first, last);
}

void descriptors_close_except(const int *kept, size_t count) {
    unsigned first = DESCRIPTORS_FIRST_FREE;

    for (;;) {
        unsigned next = INT_MAX;

        for (size_t i = 0; i < count; i++)
            if (kept[i] >= (int)first)
                next = MIN(next, (unsigned)kept[i]);
        if (next == INT_MAX) {
            close_gap(first, INT_MAX);
            return;
        }
        close_gap(first, next - 1);
        first = next + 1;
    }
}
