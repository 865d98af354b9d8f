/* SPDX-License-Identifier: MIT */

/* An ordinary dynamically linked program; "first instruction" means the first line of main(). With
 * BENCH_LINE_MS in its environment it does not rest then, but writes a line of 100 bytes that
 * often.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

/* On the beat, which begins anywhere, or a thousand workers would write as one. */
static void write_lines(struct timespec next, long pause_ns) {
    char line[100];

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\n';
    next.tv_nsec += (uint32_t)getpid() * 2654435761u % (uint32_t)pause_ns;
    while (write(STDOUT_FILENO, line, sizeof(line)) > 0) {
        next.tv_nsec += pause_ns;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    const char *fifo = getenv(BENCH_FIFO), *pause_ms = getenv(BENCH_LINE_MS);
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
    if (pause_ms)
        write_lines(now, atol(pause_ms) * 1000000);
    for (;;)
        pause();
}
