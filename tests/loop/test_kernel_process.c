/* SPDX-License-Identifier: MIT */

/* What spawning and reaping rely on the kernel for; see test_kernel.c. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(kernel_process, .timeout = FIXTURE_TIMEOUT);

#define STACK_SIZE (64 * 1024)
#define HIGH       500

static char *stack_new(void) {
    char *stack =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(stack, MAP_FAILED);
    return stack;
}

Test(kernel_process, clone_gives_a_pidfd)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    siginfo_t info = {0};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0 && errno == ENOSYS)
        cr_skip_test("no clone3");
    cr_assert_geq(pid, 0);
    if (pid == 0)
        _exit(7);

    cr_assert(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    cr_assert(fixture_readable(pidfd, 10000));
    cr_assert_eq(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG), 0);
    cr_assert_eq(info.si_pid, pid);
    cr_assert_eq(info.si_status, 7);
    close(pidfd);
}

/* --- the descriptor table, shared and unshared --- */

struct table {
    int low, high;
    bool unshare;
};

/* Shares memory with the waiting parent (CLONE_VFORK), so libc's errno is of no harm. */
static int table_child(void *data) {
    const struct table *table = data;

    if (table->unshare &&
        syscall(SYS_close_range, (unsigned)table->high, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        return errno == ENOSYS || errno == EINVAL ? 77 : 1;
    if (table->unshare && fcntl(table->high, F_GETFD) >= 0)
        return 2;
    return close(table->low) < 0 ? 3 : 0;
}

/* Returns the exit status of a child that closes `low`, and `high` by close_range with UNSHARE. */
static int table_run(struct table *table) {
    char *stack = stack_new();
    int status;
    pid_t pid = clone(
        table_child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, table);

    cr_assert_gt(pid, 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    munmap(stack, STACK_SIZE);
    return WEXITSTATUS(status);
}

static struct table table_new(bool unshare) {
    int low = fixture_eventfd(false), high = fcntl(low, F_DUPFD_CLOEXEC, HIGH);

    cr_assert_geq(high, HIGH);
    return (struct table){.low = low, .high = high, .unshare = unshare};
}

Test(kernel_process, unsharing_close_range_leaves_the_parents_table_intact)
{
    struct table table = table_new(true);
    int status = table_run(&table);

    if (status == 77)
        cr_skip_test("no close_range with CLOSE_RANGE_UNSHARE");
    cr_assert_eq(status, 0);
    cr_assert_geq(fcntl(table.high, F_GETFD), 0);
    cr_assert_geq(fcntl(table.low, F_GETFD), 0);
    close(table.high);
    close(table.low);
}

/* The counter-proof: without it, the table is one and the same. */
Test(kernel_process, shared_table_is_shared)
{
    struct table table = table_new(false);

    cr_assert_eq(table_run(&table), 0);
    cr_assert_eq(fcntl(table.low, F_GETFD), -1);
    cr_assert_geq(fcntl(table.high, F_GETFD), 0);
    close(table.high);
}

/* --- exec is told by a word in memory --- */

struct exec_child {
    int input;
    int word;
};

static int exec_cat(void *data) {
    static char name[] = "cat";
    char *const argv[] = {name, NULL};
    const struct exec_child *child = data;

    syscall(SYS_dup3, child->input, STDIN_FILENO, 0);
    syscall(SYS_execve, "/bin/cat", argv, NULL);
    syscall(SYS_exit, 127);
    return 127;
}

/* With the memory shared and no CLONE_VFORK, exec clears the word and wakes its futex. */
Test(kernel_process, word_is_cleared_at_exec)
{
    struct pipe_pair input = fixture_pipe();
    struct exec_child child = {.input = input.read};
    struct timespec deadline = {.tv_sec = 10};
    char *stack = stack_new();
    siginfo_t info = {0};
    pid_t pid;

    fcntl(input.read, F_SETFL, 0); /* cat is to wait */
    pid = clone(exec_cat, stack + STACK_SIZE,
        CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, &child, &child.word, NULL,
        &child.word);
    cr_assert_gt(pid, 0);

    while (__atomic_load_n(&child.word, __ATOMIC_ACQUIRE) != 0)
        if (syscall(SYS_futex, &child.word, FUTEX_WAIT, pid, &deadline, NULL, 0) < 0)
            cr_assert(errno == EAGAIN || errno == EINTR, "%s", strerror(errno));
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    cr_assert_eq(info.si_pid, 0, "it has been exec, not the exit");

    fixture_pipe_close(&input);
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
    cr_assert_eq(info.si_code, CLD_EXITED);
    cr_assert_eq(info.si_status, 0);
    munmap(stack, STACK_SIZE);
}

/* --- strangers: who sees an adopted orphan, who sees another thread's child --- */

struct family {
    /* In the leader, while the other thread lives: 0, or the number of what does not hold. */
    int (*check)(struct family *family);
    pthread_barrier_t born, done;
    int hold[2]; /* the orphan lives until this ends */
    pid_t thread, child, orphan;
};

static void orphan_wait(const struct family *family) {
    char byte;

    close(family->hold[1]);
    while (read(family->hold[0], &byte, 1) < 0)
        continue;
    _exit(3);
}

/* Forks a process that forks the orphan and dies; returns the orphan's pid. */
static pid_t orphan_make(const struct family *family) {
    int tell[2];
    pid_t middle, orphan = 0;

    if (pipe2(tell, O_CLOEXEC) < 0)
        return -1;
    middle = fork();
    if (middle == 0) {
        orphan = fork();
        if (orphan == 0)
            orphan_wait(family);
        _exit(write(tell[1], &orphan, sizeof(orphan)) == sizeof(orphan) ? 0 : 1);
    }
    if (waitpid(middle, NULL, 0) != middle ||
        read(tell[0], &orphan, sizeof(orphan)) != sizeof(orphan))
        return -1;
    close(tell[0]);
    close(tell[1]);
    return orphan;
}

/* A thread with a zombie child of its own; it must outlive the test, or its child would move. */
static void *family_thread(void *data) {
    struct family *family = data;

    family->thread = gettid();
    family->child = fork();
    if (family->child == 0)
        _exit(4);
    family->orphan = orphan_make(family);
    pthread_barrier_wait(&family->born);
    pthread_barrier_wait(&family->done);
    return NULL;
}

static bool listed(pid_t thread, pid_t child) {
    char path[64];
    FILE *file;
    bool found = false;
    int pid;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", thread);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (fscanf(file, "%d", &pid) == 1)
        found = found || pid == child;
    fclose(file);
    return found;
}

static int check_lists(struct family *family) {
    if (access("/proc/thread-self/children", F_OK) < 0)
        return 77;
    if (!listed(getpid(), family->orphan) || listed(family->thread, family->orphan))
        return 10;
    if (listed(getpid(), family->child) || !listed(family->thread, family->child))
        return 11;
    return 0;
}

static int check_sweep(struct family *family) {
    siginfo_t info = {0};

    /* Both have ended; one is seen, and then nobody is left to wait for. */
    if (waitid(P_PID, (id_t)family->child, &info, WEXITED | WNOWAIT) < 0)
        return 20;
    close(family->hold[1]);
    if (waitid(P_ALL, 0, &info, WEXITED | __WNOTHREAD) < 0)
        return 21;
    if (info.si_pid != family->orphan || info.si_status != 3)
        return 22;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD) == 0 || errno != ECHILD)
        return 23;
    /* The other thread's was there all the time for whoever asks without __WNOTHREAD. */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != family->child)
        return 24;
    return 0;
}

static int check_pidfd(struct family *family) {
    int pidfd = (int)syscall(SYS_pidfd_open, family->child, 0);
    siginfo_t info = {0};

    if (!fixture_readable(pidfd, 10000))
        return 30;
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return 31;
    return info.si_pid == family->child && info.si_status == 4 ? 0 : 32;
}

static int family_run(void *data) {
    struct family family = {.check = data};
    siginfo_t info;
    pthread_t thread;
    int r;

    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || pipe2(family.hold, O_CLOEXEC) < 0)
        return 1;
    pthread_barrier_init(&family.born, NULL, 2);
    pthread_barrier_init(&family.done, NULL, 2);
    if (pthread_create(&thread, NULL, family_thread, &family) != 0)
        return 2;
    pthread_barrier_wait(&family.born);
    r = family.orphan > 0 ? family.check(&family) : 3;
    pthread_barrier_wait(&family.done);
    pthread_join(thread, NULL);

    close(family.hold[1]);
    while (waitid(P_ALL, 0, &info, WEXITED) == 0)
        continue;
    return r;
}

/* A subreaper with several threads adopts an orphan into the list of the leader's children. */
Test(kernel_process, orphans_come_to_the_leader)
{
    int status = fixture_in_child(family_run, check_lists);

    if (status == 77)
        cr_skip_test("no list of children in /proc");
    cr_assert_eq(status, 0);
}

/* So with __WNOTHREAD the leader sweeps strangers alone, whatever other threads have spawned. */
Test(kernel_process, leader_sweeps_strangers_and_not_other_threads_children)
{ cr_assert_eq(fixture_in_child(family_run, check_sweep), 0); }

/* And by its pidfd the leader reaps another thread's child all the same. */
Test(kernel_process, leader_reaps_another_threads_child_by_pidfd)
{ cr_assert_eq(fixture_in_child(family_run, check_pidfd), 0); }
