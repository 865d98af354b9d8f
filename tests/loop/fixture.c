/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"

enum loop_backend fixture_backend(void) {
    const char *name = getenv("BROOD_LOOP");
    enum loop_backend backend = LOOP_EPOLL;

    cr_assert(!name || loop_backend_parse(name, &backend) == 0, "BROOD_LOOP=%s", name);
    return backend;
}

struct loop *fixture_loop(void) {
    struct loop *loop = NULL;
    int r = loop_new(fixture_backend(), &loop);

    if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
        cr_skip_test("io_uring is refused here: %s", strerror(-r));
    cr_assert_eq(r, 0, "loop_new: %s", strerror(-r));
    return loop;
}

struct pipe_pair fixture_pipe(void) {
    int fds[2];

    cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    return (struct pipe_pair){fds[0], fds[1]};
}

void fixture_pipe_close(struct pipe_pair *pair) {
    close(pair->read);
    close(pair->write);
}

void fixture_write(int fd, unsigned bytes) {
    static const char zeros[4096];

    cr_assert_eq(write(fd, zeros, bytes), (ssize_t)bytes);
}

unsigned fixture_read(int fd, unsigned max) {
    char buffer[4096];
    ssize_t n = read(fd, buffer, MIN(max, (unsigned)sizeof(buffer)));

    return n > 0 ? (unsigned)n : 0;
}

int fixture_eventfd(bool ready) {
    int fd = eventfd(ready, EFD_CLOEXEC | EFD_NONBLOCK);

    cr_assert_geq(fd, 0);
    return fd;
}

void fixture_eventfd_set(int fd) {
    cr_assert_eq(eventfd_write(fd, 1), 0);
}

void fixture_need_descriptors(unsigned n) {
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= n)
        return;
    limit.rlim_cur = n;
    limit.rlim_max = MAX(limit.rlim_max, (rlim_t)n);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        cr_skip_test("%u descriptors are not allowed here", n);
}

int fixture_lowest_fd(void) {
    int fd = dup(STDERR_FILENO);

    cr_assert_geq(fd, 0);
    close(fd);
    return fd;
}

void fixture_note(void *data, uint64_t value, int fd, unsigned events) {
    struct notes *notes = data;

    (void)fd;
    if (notes->n < ELEMENTS(notes->values)) {
        notes->values[notes->n] = value;
        notes->events[notes->n] = events;
    }
    notes->n++;
}

void fixture_note_timer(void *data, uint64_t value, nsec_t now) {
    (void)now;
    fixture_note(data, value, -1, 0);
}

loop_source_t fixture_watch(
    struct loop *loop, int fd, enum loop_priority priority, struct notes *notes, uint64_t value) {
    struct loop_watch watch = {
        .fd = fd,
        .events = LOOP_IN,
        .priority = priority,
        .fn = fixture_note,
        .data = notes,
        .value = value,
    };
    loop_source_t source = 0;
    int r = loop_add(loop, &watch, &source);

    cr_assert_eq(r, 0, "loop_add: %s", strerror(-r));
    cr_assert_neq(source, 0);
    return source;
}

bool fixture_readable(int fd, int timeout_ms) {
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    int n;

    do
        n = poll(&pollfd, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n == 1 && (pollfd.revents & POLLIN);
}

int fixture_in_child(int (*body)(void *data), void *data) {
    pid_t pid = fork();
    int status;

    cr_assert_geq(pid, 0);
    if (pid == 0) {
        alarm(FIXTURE_TIMEOUT / 2); /* or it would outlive a test that times out */
        _exit(body(data));
    }

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
