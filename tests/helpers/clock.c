/* SPDX-License-Identifier: MIT */

/* Preloaded into brood: sets its wall clock back by an hour as soon as the file that
 * BROOD_TEST_CLOCK names is there, and no other clock. */

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) {
    const char *path = getenv("BROOD_TEST_CLOCK");

    return path && access(path, F_OK) == 0 ? 3600 : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec -= shift();
    return result;
}

__attribute__((visibility("default"))) time_t time(time_t *ret_now) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *ret_now, void *zone) {
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret_now = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
