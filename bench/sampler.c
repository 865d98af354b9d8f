/* SPDX-License-Identifier: MIT */
#include "sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIFO_BYTES (1 << 20)
#define BATCH      1024
#define GLANCE_NS  1000000u /* between two looks into the FIFO when being woken would disturb */

uint64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns) {
    struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = ns % 1000000000u};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Xorshift: kills shall not beat in time with anything. */
static uint32_t sampler_random(struct sampler *sampler) {
    uint32_t x = sampler->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return sampler->random = x;
}

int sampler_init(struct sampler *sampler, const struct sampler *settings, const char *path) {
    *sampler = *settings;
    sampler->random = (uint32_t)clock_ns() | 1;
    if (mkfifo(path, 0622) < 0)
        return -errno;
    sampler->fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (sampler->fifo < 0)
        return -errno;
    fcntl(sampler->fifo, F_SETPIPE_SZ, FIFO_BYTES); /* refused: the default holds 4096 records */
    sampler->workers = calloc(sampler->count, sizeof(*sampler->workers));
    return sampler->workers ? 0 : -ENOMEM;
}

void sampler_finish(struct sampler *sampler) {
    free(sampler->workers);
    close(sampler->fifo);
}

/* Reads up to `count` records without waiting; how many, 0 where there is none. */
static int read_records(struct sampler *sampler, struct bench_record *records, size_t count) {
    ssize_t n = read(sampler->fifo, records, count * sizeof(*records));
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    return (int)((size_t)n / sizeof(*records));
}

/* Sleeps until there is a record, or something is wrong; `records` false: only looks for the
 * latter. 0 after `timeout` ms. */
static int wait_events(struct sampler *sampler, bool records, int timeout) {
    struct pollfd fds[] = {
        {.fd = sampler->signal_fd, .events = POLLIN},
        {.fd = sampler->pidfd, .events = POLLIN},
        {.fd = sampler->fifo, .events = POLLIN},
    };
    int n = poll(fds, records ? 3 : 2, timeout);
    if (n < 0)
        return -errno;
    if (fds[0].revents)
        return -EINTR;
    if (fds[1].revents)
        return -ESRCH;
    return n;
}

/* Sleeps until there is a record. */
static int wait_record(struct sampler *sampler, uint64_t end) {
    uint64_t now = clock_ns();
    int r = wait_events(sampler, true, now < end ? (int)((end - now) / 1000000u) + 1 : 0);
    return r == 0 ? -ETIMEDOUT : r;
}

/* Like wait_record(), but looks by the clock: a thousand replacements that each wake the sampler
 * would take the processor from the supervisor that is measured. */
static int glance(struct sampler *sampler, uint64_t end) {
    uint64_t now = clock_ns();
    if (now >= end)
        return -ETIMEDOUT;
    sleep_until(now + GLANCE_NS);
    return wait_events(sampler, false, 0);
}

/* Fills the whole of `workers`, records in the order of their coming. */
static int collect_all(struct sampler *sampler, uint64_t since) {
    uint64_t end = clock_ns() + sampler->deadline;
    size_t have = 0;
    while (have < sampler->count) {
        int n = read_records(sampler, sampler->workers + have, sampler->count - have);
        if (n < 0)
            return n;
        for (size_t i = have; i < have + (size_t)n; i++)
            if (sampler->workers[i].ns < since)
                return -EPROTO;
        have += (size_t)n;
        int r = n > 0 ? 0 : glance(sampler, end);
        if (r < 0)
            return r;
    }
    return 0;
}

int sampler_wait_all(struct sampler *sampler) {
    return collect_all(sampler, 0);
}

int sampler_restart(struct sampler *sampler, uint64_t *ret_ns) {
    struct bench_record *worker = &sampler->workers[sampler->next];
    if (sampler->rotate)
        sampler->next = (sampler->next + 1) % sampler->count;

    uint64_t pause = sampler->pace / 2;
    if (pause > 0)
        pause += sampler_random(sampler) % sampler->pace;
    uint64_t due = worker->ns + sampler->age, now = clock_ns();
    sleep_until((due > now ? due : now) + pause);

    uint64_t start = clock_ns();
    if (kill(worker->pid, SIGKILL) < 0)
        return -errno;
    int r = wait_record(sampler, start + sampler->deadline);
    if (r < 0)
        return r;
    struct bench_record record;
    if (read_records(sampler, &record, 1) != 1 || record.ns < start)
        return -EPROTO;
    *worker = record;
    *ret_ns = record.ns - start;
    return 0;
}

int sampler_storm(struct sampler *sampler, uint64_t *ret_ns) {
    uint64_t newest = 0;
    for (size_t i = 0; i < sampler->count; i++)
        if (sampler->workers[i].ns > newest)
            newest = sampler->workers[i].ns;
    sleep_until(newest + sampler->settle);

    uint64_t start = clock_ns();
    for (size_t i = 0; i < sampler->count; i++)
        if (kill(sampler->workers[i].pid, SIGKILL) < 0)
            return -errno;
    int r = collect_all(sampler, start);
    if (r < 0)
        return r;
    uint64_t last = 0;
    for (size_t i = 0; i < sampler->count; i++)
        if (sampler->workers[i].ns > last)
            last = sampler->workers[i].ns;
    *ret_ns = last - start;
    return 0;
}

int sampler_starts(struct sampler *sampler, size_t starts, uint64_t *ret_starts, uint64_t *ret_ns) {
    static struct bench_record batch[BATCH];
    uint64_t end = clock_ns() + sampler->deadline, first = 0, last = 0;
    size_t seen = 0, warm = sampler->count;
    *ret_starts = 0;
    while (*ret_starts < starts) {
        int n = read_records(sampler, batch, BATCH);
        if (n < 0)
            return n;
        for (int i = 0; i < n && *ret_starts < starts; i++, seen++) {
            if (seen <= warm)
                first = last = batch[i].ns;
            else if (batch[i].ns > last)
                last = batch[i].ns;
            *ret_starts += seen > warm;
        }
        int r = n > 0 ? 0 : glance(sampler, end);
        if (r == -ETIMEDOUT) {
            last = end;
            break;
        }
        if (r < 0)
            return r;
    }
    *ret_ns = last - first;
    return 0;
}
