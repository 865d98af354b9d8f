/* SPDX-License-Identifier: MIT */

/* An ordinary dynamically linked program; "first instruction" means the first line of main(). */

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    const char *fifo = getenv(BENCH_FIFO);
    int fd = fifo ? open(fifo, O_WRONLY | O_CLOEXEC) : -1;
    struct bench_record record = {
        .ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .pid = getpid(),
        .ppid = getppid(),
    };
    if (fd < 0 || write(fd, &record, sizeof(record)) < 0)
        return 100;
    if (getenv(BENCH_ONCE))
        return 1;
    for (;;)
        pause();
}
