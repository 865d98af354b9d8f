/* SPDX-License-Identifier: MIT */

/*
 * What the loop and the pidfile rely on the kernel for: each assumption is a test of its own, so
 * that on a kernel where one does not hold, it is the assumption that fails and not the supervisor.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(kernel, .timeout = FIXTURE_TIMEOUT);

static pid_t fork_sleeper(void) {
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static int open_pidfd(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0 && errno == ENOSYS)
        cr_skip_test("no pidfd_open");
    cr_assert_geq(fd, 0);
    return fd;
}

static void kill_and_reap(pid_t pid, int pidfd) {
    siginfo_t info = {0};

    kill(pid, SIGKILL);
    cr_assert(fixture_readable(pidfd, 10000));
    cr_assert_eq(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG), 0);
    cr_assert_eq(info.si_pid, pid);
    cr_assert_eq(info.si_status, SIGKILL);
}

/* The exit is told by the pidfd while the process is a zombie, and stays told. */
Test(kernel, pidfd_is_readable_before_the_reaping)
{
    pid_t pid = fork_sleeper();
    int fd = open_pidfd(pid);
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    siginfo_t info = {0};

    cr_assert_not(fixture_readable(fd, 0));
    kill(pid, SIGKILL);
    cr_assert_eq(poll(&pollfd, 1, 10000), 1);
    cr_assert_eq(pollfd.revents, POLLIN);
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    cr_assert_eq(info.si_pid, pid, "nobody has reaped it yet");

    kill_and_reap(pid, fd);
    cr_assert(fixture_readable(fd, 0));
    close(fd);
}

/* 100 exits while nobody reads are one siginfo: SIGCHLD is a hint. */
Test(kernel, sigchld_coalesces_in_a_signalfd)
{
    struct signalfd_siginfo info[4];
    sigset_t set;
    pid_t pids[100];
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    cr_assert_geq(fd, 0);

    for (int i = 0; i < 100; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(0);
    }
    for (int i = 0; i < 100; i++) {
        siginfo_t exited;

        cr_assert_eq(waitid(P_PID, (id_t)pids[i], &exited, WEXITED | WNOWAIT), 0);
    }
    cr_assert_eq(read(fd, info, sizeof(info)), (ssize_t)sizeof(info[0]));
    cr_assert_eq(info[0].ssi_signo, SIGCHLD);
    cr_assert_eq(read(fd, info, sizeof(info)), -1);
    cr_assert_eq(errno, EAGAIN);

    for (int i = 0; i < 100; i++)
        cr_assert_eq(waitpid(pids[i], NULL, 0), pids[i]);
    close(fd);
}

static void ring_or_skip(struct io_uring *ring) {
    int r = io_uring_queue_init(8, ring, 0);

    if (r < 0)
        cr_skip_test("io_uring is refused here: %s", strerror(-r));
}

static void ring_poll(struct io_uring *ring, int fd, uint64_t user_data) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe;

    io_uring_prep_poll_add(sqe, fd, POLLIN);
    io_uring_sqe_set_data64(sqe, user_data);
    cr_assert_eq(io_uring_submit(ring), 1);
    cr_assert_eq(io_uring_peek_cqe(ring, &cqe), -EAGAIN, "nothing yet");
}

static void ring_expect(struct io_uring *ring, uint64_t user_data, int events) {
    struct __kernel_timespec deadline = {.tv_sec = 10};
    struct io_uring_cqe *cqe;

    cr_assert_eq(io_uring_wait_cqe_timeout(ring, &cqe, &deadline), 0);
    cr_assert_eq(cqe->user_data, user_data);
    cr_assert_eq(cqe->res & (POLLIN | POLLERR | POLLHUP), events);
    io_uring_cqe_seen(ring, cqe);
}

/* A one-shot poll of a pidfd completes once at the exit, and says nothing of the reaping. */
Test(kernel, ring_polls_a_pidfd)
{
    pid_t pid = fork_sleeper();
    int fd = open_pidfd(pid);
    struct io_uring_cqe *cqe;
    struct io_uring ring;

    ring_or_skip(&ring);
    ring_poll(&ring, fd, 7);
    kill(pid, SIGKILL);
    ring_expect(&ring, 7, POLLIN);
    kill_and_reap(pid, fd);
    cr_assert_eq(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
    io_uring_queue_exit(&ring);
    close(fd);
}

/* The poll holds the file: our descriptor may be closed before the exit. */
Test(kernel, ring_polls_a_pidfd_that_was_closed)
{
    pid_t pid = fork_sleeper();
    int fd = open_pidfd(pid);
    struct io_uring ring;

    ring_or_skip(&ring);
    ring_poll(&ring, fd, 8);
    close(fd);
    kill(pid, SIGKILL);
    ring_expect(&ring, 8, POLLIN);
    cr_assert_eq(waitpid(pid, NULL, WNOHANG), pid);
    io_uring_queue_exit(&ring);
}

Test(kernel, ring_polls_a_signalfd)
{
    struct io_uring ring;
    sigset_t set;
    int fd;

    ring_or_skip(&ring);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    cr_assert_geq(fd, 0);

    ring_poll(&ring, fd, 9);
    kill(getpid(), SIGUSR1);
    ring_expect(&ring, 9, POLLIN);
    io_uring_queue_exit(&ring);
    close(fd);
}

/* A new poll looks at the file anew: data that was left unread completes it at once. */
Test(kernel, ring_poll_set_anew_is_level_triggered)
{
    struct pipe_pair pair = fixture_pipe();
    struct io_uring ring;

    ring_or_skip(&ring);
    ring_poll(&ring, pair.read, 1);
    fixture_write(pair.write, 1);
    ring_expect(&ring, 1, POLLIN);
    for (uint64_t i = 2; i < 5; i++) {
        io_uring_prep_poll_add(io_uring_get_sqe(&ring), pair.read, POLLIN);
        cr_assert_eq(io_uring_submit(&ring), 1);
        ring_expect(&ring, 0, POLLIN);
    }
    io_uring_queue_exit(&ring);
    fixture_pipe_close(&pair);
}

/* --- the pidfile's lock --- */

static struct flock whole_file(short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static struct flock lock_seen(int fd) {
    struct flock lock = whole_file(F_WRLCK);

    cr_assert_eq(fcntl(fd, F_GETLK, &lock), 0);
    return lock;
}

struct lock_holder {
    int file;  /* stays open over exec: closing any descriptor of the file drops the lock */
    int input; /* cat lives until this ends */
};

static pid_t exec_with_lock(const struct lock_holder *holder) {
    static char name[] = "cat";
    char *const argv[] = {name, NULL};
    struct flock lock = whole_file(F_WRLCK);
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid > 0)
        return pid;

    if (fcntl(holder->file, F_SETLK, &lock) < 0 || dup2(holder->input, STDIN_FILENO) < 0)
        _exit(1);
    execv("/bin/cat", argv);
    _exit(127);
}

Test(kernel, record_lock_survives_exec_and_names_its_holder)
{
    struct lock_holder holder = {.file = memfd_create("lock", 0)};
    int input[2], executed[2];
    struct flock lock;
    pid_t pid;
    char byte;

    cr_assert_eq(pipe2(input, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(executed, O_CLOEXEC), 0);
    holder.input = input[0];
    pid = exec_with_lock(&holder);
    close(executed[1]);
    cr_assert_eq(read(executed[0], &byte, 1), 0, "exec closes the last writing end");

    lock = lock_seen(holder.file);
    cr_assert_eq(lock.l_type, F_WRLCK);
    cr_assert_eq(lock.l_pid, pid);

    close(input[1]);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert_eq(lock_seen(holder.file).l_type, F_UNLCK, "it dies with the process");
    close(holder.file);
    close(input[0]);
    close(executed[0]);
}

static int see_lock(void *data) {
    struct flock lock = whole_file(F_WRLCK);

    if (fcntl(*(const int *)data, F_GETLK, &lock) < 0)
        return 1;
    return lock.l_type == F_WRLCK && lock.l_pid == getppid() ? 0 : 2;
}

Test(kernel, record_lock_is_not_inherited_over_fork)
{
    int file = memfd_create("lock", MFD_CLOEXEC);
    struct flock lock = whole_file(F_WRLCK);

    cr_assert_eq(fcntl(file, F_SETLK, &lock), 0);
    cr_assert_eq(fixture_in_child(see_lock, &file), 0);
    close(file);
}
