/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the loop's tests share. Each test program runs once for each backend, which BROOD_LOOP
 * names; where io_uring is refused, its tests are skipped and say so. Waiting is bounded by the
 * suites' timeouts; that something does *not* happen is asked with a turn that does not wait.
 */

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

#define FIXTURE_TIMEOUT 60

/* Which callbacks ran, in order. */
struct notes {
    unsigned n;
    uint64_t values[64];
    unsigned events[64];
};

struct pipe_pair {
    int read, write;
};

enum loop_backend fixture_backend(void);

/* A loop on the backend under test; skips the test where the kernel refuses it. */
struct loop *fixture_loop(void);

/* A non-blocking pipe. */
struct pipe_pair fixture_pipe(void);
void fixture_pipe_close(struct pipe_pair *pair);
void fixture_write(int fd, unsigned bytes);

/* An eventfd, readable from the start if `ready`. */
int fixture_eventfd(bool ready);
void fixture_eventfd_set(int fd);

/* Reads up to `max` bytes; returns how many there were. */
unsigned fixture_read(int fd, unsigned max);

/* Raises RLIMIT_NOFILE; skips the test where that is not allowed. */
void fixture_need_descriptors(unsigned n);

/* The lowest free descriptor: the same before and after means that nothing has leaked below it. */
int fixture_lowest_fd(void);

/* Adds a source that writes itself down in `notes`. */
loop_source_t fixture_watch(
    struct loop *loop, int fd, enum loop_priority priority, struct notes *notes, uint64_t value);

/* A callback that notes its value and leaves the descriptor as it is; `data` is struct notes. */
void fixture_note(void *data, uint64_t value, int fd, unsigned events);
void fixture_note_timer(void *data, uint64_t value, nsec_t now);

/* Whether poll(2) finds the descriptor readable within `timeout_ms`. */
bool fixture_readable(int fd, int timeout_ms);

/*
 * Runs `body` in a forked child and returns its exit status (what `body` returned), or 128 +
 * signal. The child never returns into Criterion, and asserts nothing: it speaks by its status.
 */
int fixture_in_child(int (*body)(void *data), void *data);
