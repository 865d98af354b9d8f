/* SPDX-License-Identifier: MIT */

/* The contract of sources: level-triggering, removal, generations, priorities, masks, errors. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"

TestSuite(source, .timeout = FIXTURE_TIMEOUT);

/* What a callback with a job to do is given. */
struct job {
    struct loop *loop;
    struct notes notes;
    loop_source_t self, other;
    int fd;
    int result;
    unsigned take;
};

static loop_source_t job_watch(struct job *job, int fd, enum loop_priority priority, bool once,
    loop_source_fn fn, uint64_t value) {
    struct loop_watch watch = {
        .fd = fd,
        .events = LOOP_IN,
        .priority = priority,
        .once = once,
        .fn = fn,
        .data = job,
        .value = value,
    };
    loop_source_t source = 0;

    cr_assert_eq(loop_add(job->loop, &watch, &source), 0);
    return source;
}

Test(source, backend_is_the_one_asked_for)
{
    struct loop *loop = fixture_loop();
    enum loop_backend backend;

    cr_assert_eq(loop_backend(loop), fixture_backend());
    cr_assert_eq(loop_backend_parse("auto", &backend), 0);
    cr_assert_eq(backend, LOOP_AUTO);
    cr_assert_eq(loop_backend_parse(loop_backend_name(loop_backend(loop)), &backend), 0);
    cr_assert_eq(backend, loop_backend(loop));
    cr_assert_eq(loop_backend_parse("poll", &backend), -EINVAL);
    cr_assert_eq(loop_backend_parse("", &backend), -EINVAL);
    cr_assert_null(loop_free(loop));
    cr_assert_null(loop_free(NULL));
}

Test(source, nothing_leaks_and_nothing_survives_exec)
{
    int flags[256], lowest = fixture_lowest_fd();
    struct loop *loop;

    for (int fd = 0; fd < (int)ELEMENTS(flags); fd++)
        flags[fd] = fcntl(fd, F_GETFD);
    loop = fixture_loop();
    for (int fd = 0; fd < (int)ELEMENTS(flags); fd++)
        if (flags[fd] < 0)
            cr_assert(fcntl(fd, F_GETFD) != 0, "descriptor %d", fd);
    loop_free(loop);
    for (int fd = 0; fd < (int)ELEMENTS(flags); fd++)
        cr_assert_eq(fcntl(fd, F_GETFD), flags[fd]);
    cr_assert_eq(fixture_lowest_fd(), lowest);
}

Test(source, empty_turn_does_nothing)
{
    struct loop *loop = fixture_loop();

    cr_assert_eq(loop_turn(loop, false), 0);
    loop_free(loop);
}

static void read_some(void *data, uint64_t value, int fd, unsigned events) {
    struct job *job = data;

    fixture_note(&job->notes, value, fd, events);
    fixture_read(fd, job->take);
}

Test(source, level_triggered)
{
    struct job job = {.loop = fixture_loop(), .take = 1};
    struct pipe_pair pair = fixture_pipe();

    job_watch(&job, pair.read, LOOP_PRIORITY_CONTROL, false, read_some, 7);
    cr_assert_eq(loop_turn(job.loop, false), 0);

    fixture_write(pair.write, 3);
    for (unsigned i = 1; i <= 3; i++) {
        cr_assert_eq(loop_turn(job.loop, true), 1, "byte %u was not told", i);
        cr_assert_eq(job.notes.n, i);
    }
    cr_assert_eq(job.notes.values[0], 7);
    cr_assert_eq(job.notes.events[0], LOOP_IN);
    cr_assert_eq(loop_turn(job.loop, false), 0);

    fixture_write(pair.write, 1);
    cr_assert_eq(loop_turn(job.loop, true), 1);
    loop_free(job.loop);
    fixture_pipe_close(&pair);
}

Test(source, unread_data_is_told_again_in_each_turn)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};

    fixture_watch(loop, pair.read, LOOP_PRIORITY_LOG, &notes, 1);
    fixture_write(pair.write, 1);
    for (unsigned i = 0; i < 50; i++)
        cr_assert_eq(loop_turn(loop, i % 2 == 0), 1);
    cr_assert_eq(notes.n, 50);
    loop_free(loop);
    fixture_pipe_close(&pair);
}

static void once_callback(void *data, uint64_t value, int fd, unsigned events) {
    struct job *job = data;

    fixture_note(&job->notes, value, fd, events);
    job->result = loop_modify(job->loop, job->self, LOOP_OUT);
    if (job->notes.n == 1)
        job->self = job_watch(job, fd, LOOP_PRIORITY_EXIT, true, once_callback, 2);
}

Test(source, once_is_gone_before_its_callback)
{
    struct job job = {.loop = fixture_loop()};
    struct pipe_pair pair = fixture_pipe();

    job.self = job_watch(&job, pair.read, LOOP_PRIORITY_EXIT, true, once_callback, 1);
    fixture_write(pair.write, 1);

    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq(job.result, -ENOENT);
    cr_assert_eq(loop_turn(job.loop, true), 1, "the source added in the callback");
    cr_assert_eq(job.notes.values[1], 2);
    cr_assert_eq(loop_turn(job.loop, false), 0);
    cr_assert_eq(job.notes.n, 2);
    loop_free(job.loop);
    fixture_pipe_close(&pair);
}

Test(source, pidfd_tells_an_exit_exactly_once)
{
    struct job job = {.loop = fixture_loop()};
    pid_t pid = fork();
    siginfo_t info = {0};
    int fd;

    if (pid == 0) {
        pause();
        _exit(1);
    }
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    cr_assert_geq(fd, 0);
    job_watch(&job, fd, LOOP_PRIORITY_EXIT, true, read_some, 9);
    cr_assert_eq(loop_turn(job.loop, false), 0);

    kill(pid, SIGKILL);
    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq(job.notes.events[0], LOOP_IN);
    cr_assert_eq(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG), 0);
    cr_assert_eq(info.si_pid, pid);
    cr_assert_eq(loop_turn(job.loop, false), 0, "reaping is not another event");
    cr_assert_eq(job.notes.n, 1);
    close(fd);
    loop_free(job.loop);
}

static void remove_both(void *data, uint64_t value, int fd, unsigned events) {
    struct job *job = data;

    fixture_note(&job->notes, value, fd, events);
    loop_remove(job->loop, job->self);
    loop_remove(job->loop, job->other);
}

Test(source, removed_in_its_own_callback)
{
    struct job job = {.loop = fixture_loop()};
    struct pipe_pair pair = fixture_pipe();

    job.self = job_watch(&job, pair.read, LOOP_PRIORITY_CONTROL, false, remove_both, 1);
    fixture_write(pair.write, 1);
    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq(loop_turn(job.loop, false), 0);

    fixture_watch(job.loop, pair.read, LOOP_PRIORITY_CONTROL, &job.notes, 2);
    cr_assert_eq(loop_turn(job.loop, true), 1, "the descriptor can be watched anew");
    loop_free(job.loop);
    fixture_pipe_close(&pair);
}

Test(source, ready_source_removed_by_another_is_not_called)
{
    struct job job = {.loop = fixture_loop()};
    struct pipe_pair first = fixture_pipe(), second = fixture_pipe();

    job.other = fixture_watch(job.loop, second.read, LOOP_PRIORITY_LOG, &job.notes, 2);
    job.self = job_watch(&job, first.read, LOOP_PRIORITY_EXIT, false, remove_both, 1);
    fixture_write(first.write, 1);
    fixture_write(second.write, 1);

    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq(job.notes.n, 1);
    cr_assert_eq(job.notes.values[0], 1);
    cr_assert_eq(loop_turn(job.loop, false), 0);
    loop_free(job.loop);
    fixture_pipe_close(&first);
    fixture_pipe_close(&second);
}

static void replace_other(void *data, uint64_t value, int fd, unsigned events) {
    struct job *job = data;

    remove_both(data, value, fd, events);
    job->other = fixture_watch(job->loop, job->fd, LOOP_PRIORITY_LOG, &job->notes, 3);
}

/* Within one turn: the batch names the slot's earlier tenant. */
Test(source, slot_reused_within_a_turn)
{
    struct job job = {.loop = fixture_loop()};
    struct pipe_pair first = fixture_pipe(), second = fixture_pipe(), quiet = fixture_pipe();
    loop_source_t old;

    old = job.other = fixture_watch(job.loop, second.read, LOOP_PRIORITY_LOG, &job.notes, 2);
    job.self = job_watch(&job, first.read, LOOP_PRIORITY_EXIT, false, replace_other, 1);
    job.fd = quiet.read;
    fixture_write(first.write, 1);
    fixture_write(second.write, 1);

    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq((uint32_t)job.other, (uint32_t)old, "the slot was meant to be used again");
    cr_assert_neq(job.other, old);
    cr_assert_eq(loop_turn(job.loop, false), 0);
    cr_assert_eq(job.notes.n, 1);

    loop_remove(job.loop, old);
    fixture_write(quiet.write, 1);
    cr_assert_eq(loop_turn(job.loop, true), 1, "a stale id removes nobody");
    loop_free(job.loop);
    fixture_pipe_close(&first);
    fixture_pipe_close(&second);
    fixture_pipe_close(&quiet);
}

/* Between turns: the kernel has already spoken about the slot's earlier tenant. */
Test(source, stale_completion_finds_nobody)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair ready = fixture_pipe(), quiet = fixture_pipe();
    struct notes notes = {0};
    loop_source_t old, new;

    loop_fd(loop); /* from now on polls are submitted at once */
    fixture_write(ready.write, 1);
    old = fixture_watch(loop, ready.read, LOOP_PRIORITY_LOG, &notes, 1);
    loop_remove(loop, old);
    new = fixture_watch(loop, quiet.read, LOOP_PRIORITY_LOG, &notes, 2);
    cr_assert_eq((uint32_t) new, (uint32_t)old);

    cr_assert_eq(loop_turn(loop, false), 0);
    fixture_write(quiet.write, 1);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.values[0], 2);
    loop_free(loop);
    fixture_pipe_close(&ready);
    fixture_pipe_close(&quiet);
}

Test(source, descriptor_number_reused)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    loop_source_t old;
    int fd;

    fixture_write(pair.write, 1);
    old = fixture_watch(loop, pair.read, LOOP_PRIORITY_LOG, &notes, 1);
    loop_remove(loop, old);
    close(pair.read);
    fd = fixture_eventfd(false);
    cr_assert_eq(fd, pair.read);
    fixture_watch(loop, fd, LOOP_PRIORITY_LOG, &notes, 2);

    cr_assert_eq(loop_turn(loop, false), 0);
    fixture_eventfd_set(fd);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.values[0], 2);
    loop_free(loop);
    fixture_pipe_close(&pair);
}

/* As the header says: epoll refuses, and the first source goes on as if nothing had been. */
Test(source, second_source_for_a_descriptor)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    struct loop_watch watch = {
        .fd = fixture_eventfd(true), .events = LOOP_IN, .fn = fixture_note, .data = &notes};
    loop_source_t first, second;

    if (loop_backend(loop) != LOOP_EPOLL)
        cr_skip_test("io_uring does not look");
    watch.value = 1;
    cr_assert_eq(loop_add(loop, &watch, &first), 0);
    watch.value = 2;
    cr_assert_eq(loop_add(loop, &watch, &second), -EEXIST);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(notes.values[0], 1);
    loop_free(loop);
    close(watch.fd);
}

/* A poll that stayed behind would hold the file open, and the writer would never be told. */
Test(source, removing_lets_go_of_the_file)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct notes notes = {0};
    loop_source_t source;

    signal(SIGPIPE, SIG_IGN);
    source = fixture_watch(loop, pair.read, LOOP_PRIORITY_LOG, &notes, 1);
    cr_assert_eq(loop_turn(loop, false), 0);
    loop_remove(loop, source);
    close(pair.read);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(write(pair.write, "x", 1), -1);
    cr_assert_eq(errno, EPIPE);
    loop_free(loop);
    close(pair.write);
}

Test(source, bad_ids_are_ignored)
{
    struct loop *loop = fixture_loop();

    loop_remove(loop, 0);
    loop_remove(loop, UINT64_MAX);
    cr_assert_eq(loop_modify(loop, 0, LOOP_IN), -ENOENT);
    cr_assert_eq(loop_modify(loop, UINT64_C(1) << 32 | 999999, LOOP_IN), -ENOENT);
    loop_free(loop);
}

Test(source, priorities_in_order)
{
    struct loop *loop = fixture_loop();
    struct notes notes = {0};
    int fds[9];

    for (unsigned i = 0; i < ELEMENTS(fds); i++) {
        fds[i] = fixture_eventfd(true);
        fixture_watch(
            loop, fds[i], (enum loop_priority)(LOOP_PRIORITY_MAX - 1 - i % 3), &notes, 2 - i % 3);
    }
    cr_assert_eq(loop_turn(loop, true), ELEMENTS(fds));
    for (unsigned i = 0; i < ELEMENTS(fds); i++)
        cr_assert_eq(notes.values[i], i / 3);
    loop_free(loop);
    for (unsigned i = 0; i < ELEMENTS(fds); i++)
        close(fds[i]);
}

static void recurse(void *data, uint64_t value, int fd, unsigned events) {
    struct job *job = data;

    read_some(data, value, fd, events);
    job->result = loop_turn(job->loop, true);
}

Test(source, turn_within_a_turn_is_refused)
{
    struct job job = {.loop = fixture_loop(), .take = 1};
    int fd = fixture_eventfd(true);

    job_watch(&job, fd, LOOP_PRIORITY_LOG, false, recurse, 1);
    cr_assert_eq(loop_turn(job.loop, true), 1);
    cr_assert_eq(job.result, -EBUSY);
    loop_free(job.loop);
    close(fd);
}

Test(source, what_cannot_be_polled_is_refused)
{
    struct loop *loop = fixture_loop();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), file = memfd_create("file", MFD_CLOEXEC);
    struct loop_watch watch = {.events = LOOP_IN, .fn = fixture_note};
    int lowest = fixture_lowest_fd();
    loop_source_t source;

    watch.fd = file;
    cr_assert_eq(loop_add(loop, &watch, &source), -EPERM);
    watch.fd = null;
    cr_assert_eq(loop_add(loop, &watch, &source), -EPERM);
    watch.fd = 1000000;
    cr_assert_eq(loop_add(loop, &watch, &source), -EBADF);
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(fixture_lowest_fd(), lowest);
    close(null);
    close(file);
    loop_free(loop);
}

static volatile sig_atomic_t signals;

static void count_signal(int number) {
    (void)number;
    signals++;
}

/* Counts the signals that come until a turn with a new source to submit returns. */
static int signals_until_turn_returns(struct loop *loop, int fd) {
    struct notes notes = {0};
    loop_source_t source = fixture_watch(loop, fd, LOOP_PRIORITY_LOG, &notes, 1);

    signals = 0;
    cr_assert_eq(loop_turn(loop, true), 0);
    loop_remove(loop, source);
    cr_assert_eq(loop_turn(loop, false), 0);
    return signals;
}

/*
 * The first signal ends the wait, although io_uring_enter does not speak of it when it has
 * submitted something. On a busy machine a second may slip in, or one too early, so any try may
 * prove it.
 */
Test(source, interrupted_turn_returns_0)
{
    struct loop *loop = fixture_loop();
    struct pipe_pair pair = fixture_pipe();
    struct sigaction action = {.sa_handler = count_signal};
    struct itimerspec often = {.it_value.tv_nsec = 10000000, .it_interval.tv_nsec = 10000000};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    int tries = 0;

    sigaction(SIGUSR1, &action, NULL);
    cr_assert_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    cr_assert_eq(timer_settime(timer, 0, &often, NULL), 0);
    while (signals_until_turn_returns(loop, pair.read) != 1)
        cr_assert_lt(tries++, 100);
    cr_assert_eq(loop_turn(loop, true), 0, "and with nothing to submit");
    timer_delete(timer);
    loop_free(loop);
    fixture_pipe_close(&pair);
}
