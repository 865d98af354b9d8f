/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/pidfile.h"

/*
 * A lock shows itself to other processes only, so most tests have one. It never returns from the
 * test's body, and it dies with the test's process.
 */

static char directory[] = "/tmp/brood-pidfile.XXXXXX";

static void set_up(void) {
    cr_assert(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void tear_down(void) {
    DIR *files = opendir(".");
    struct dirent *entry;

    while ((entry = readdir(files)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove(entry->d_name);
    closedir(files);
    rmdir(directory);
}

TestSuite(pidfile, .init = set_up, .fini = tear_down, .timeout = 60);

static int count_files(void) {
    DIR *files = opendir(".");
    int count = -2;

    while (readdir(files))
        count++;
    closedir(files);
    return count;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");

    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

static void assert_content(const char *path, pid_t pid) {
    char expected[16], text[16] = "";
    FILE *file = fopen(path, "re");

    cr_assert(file, "%s is missing", path);
    cr_assert(fgets(text, sizeof(text), file));
    fclose(file);
    snprintf(expected, sizeof(expected), "%d\n", (int)pid);
    cr_assert_str_eq(text, expected);
}

/* A process that acquires the pidfile and holds it until it is killed. */
static pid_t start_holder(const char *path) {
    int told[2], r;
    pid_t pid;

    cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct pidfile pidfile;
        pid_t holder;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = pidfile_acquire(path, &pidfile, &holder);
        if (write(told[1], &r, sizeof(r)) == sizeof(r))
            pause();
        _exit(1);
    }
    cr_assert_eq(read(told[0], &r, sizeof(r)), (ssize_t)sizeof(r));
    cr_assert_eq(r, 0);
    close(told[0]);
    close(told[1]);
    return pid;
}

static void kill_and_reap(pid_t pid) {
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(pidfile, is_written_whole_and_removed)
{
    struct pidfile pidfile;
    struct stat status;
    pid_t holder = -1;

    umask(077);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), 0);
    cr_assert_eq(holder, 0);
    cr_assert_eq(pidfile.path[0], '/');
    cr_assert_geq(pidfile.fd, 3);
    cr_assert(fcntl(pidfile.fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(fstat(pidfile.fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0644);
    cr_assert_eq(status.st_nlink, 1);
    cr_assert_eq(count_files(), 1);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(pidfile_inherit(&pidfile), 0);
    cr_assert_eq(fcntl(pidfile.fd, F_GETFD), 0);
    assert_content(pidfile.path, getpid());

    cr_assert_eq(pidfile_remove(&pidfile), 0);
    cr_assert_eq(pidfile.fd, -1);
    cr_assert_null(pidfile.path);
    cr_assert_eq(pidfile_remove(&pidfile), 0);
    cr_assert_eq(chdir(directory), 0);
    cr_assert_eq(count_files(), 0);
}

Test(pidfile, states_are_told_apart)
{
    pid_t pid = -1;
    int pidfd = 0;

    cr_assert_eq(pidfile_holder("d.pid", &pid, &pidfd), PIDFILE_ABSENT);
    cr_assert_eq(pid, 0);
    cr_assert_eq(pidfd, -1);
    cr_assert_eq(pidfile_holder("nosuch/d.pid", &pid, NULL), PIDFILE_ABSENT);
    write_file("d.pid", "1\n");
    cr_assert_eq(pidfile_holder("d.pid", &pid, &pidfd), PIDFILE_STALE);
    cr_assert_eq(pid, 0);
    cr_assert_eq(pidfd, -1);
}

Test(pidfile, a_live_holder_is_named_and_refuses)
{
    pid_t child = start_holder("d.pid"), holder = 0;
    struct pidfile pidfile;
    struct pollfd polled = {.events = POLLIN};
    char text[PIDFILE_TEXT_SIZE], expected[64];

    assert_content("d.pid", child);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), -EALREADY);
    cr_assert_eq(holder, child);
    cr_assert_eq(count_files(), 1);
    snprintf(expected, sizeof(expected), "already running as pid %d", (int)child);
    cr_assert_str_eq(pidfile_explain(-EALREADY, holder, text), expected);

    cr_assert_eq(pidfile_holder("d.pid", &holder, &polled.fd), PIDFILE_HELD);
    cr_assert_eq(holder, child);
    cr_assert_eq(poll(&polled, 1, 0), 0);
    kill(child, SIGKILL);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    close(polled.fd);

    /* It is stale as soon as it is dead, even before it has been reaped. */
    cr_assert_eq(pidfile_holder("d.pid", &holder, NULL), PIDFILE_STALE);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), 0);
    assert_content(pidfile.path, getpid());
    pidfile_remove(&pidfile);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(pidfile, the_number_in_the_file_is_not_believed)
{
    pid_t child = start_holder("d.pid"), holder;
    char text[16];
    FILE *file;

    /* By writing through: closing is the child's trap, not ours. */
    file = fopen("d.pid", "r+e");
    fprintf(file, "%d\n", (int)getppid());
    fclose(file);
    cr_assert_eq(pidfile_holder("d.pid", &holder, NULL), PIDFILE_HELD);
    cr_assert_eq(holder, child);
    kill_and_reap(child);

    snprintf(text, sizeof(text), "%d\n", (int)getppid());
    write_file("d.pid", text);
    cr_assert_eq(pidfile_holder("d.pid", &holder, NULL), PIDFILE_STALE);
}

Test(pidfile, a_stale_file_is_replaced_and_never_written_to)
{
    struct pidfile pidfile;
    pid_t holder;
    char text[32] = "";
    int old;

    write_file("d.pid", "12345678901234567890\n");
    old = open("d.pid", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), 0);
    assert_content(pidfile.path, getpid());
    cr_assert_eq(read(old, text, sizeof(text)), 21);
    cr_assert_eq(count_files(), 1);
    close(old);
    pidfile_remove(&pidfile);
}

Test(pidfile, what_another_put_in_its_place_is_left_alone)
{
    struct pidfile pidfile;
    pid_t holder;

    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), 0);
    write_file("other", "other\n");
    cr_assert_eq(rename("other", "d.pid"), 0);
    cr_assert_eq(pidfile_remove(&pidfile), 0);
    cr_assert_eq(access("d.pid", F_OK), 0);

    cr_assert_eq(pidfile_acquire("e.pid", &pidfile, &holder), 0);
    cr_assert_eq(unlink("e.pid"), 0);
    cr_assert_eq(pidfile_remove(&pidfile), 0);
}

Test(pidfile, refuses_what_is_no_plain_file)
{
    struct pidfile pidfile;
    char text[PIDFILE_TEXT_SIZE];
    pid_t holder;

    cr_assert_eq(symlink("target", "link"), 0);
    cr_assert_eq(mkdir("directory", 0755), 0);
    cr_assert_eq(mkfifo("fifo", 0644), 0);
    cr_assert_eq(pidfile_acquire("link", &pidfile, &holder), -ELOOP);
    write_file("target", "1\n");
    cr_assert_eq(pidfile_acquire("link", &pidfile, &holder), -ELOOP);
    cr_assert_str_eq(pidfile_explain(-ELOOP, 0, text), "is a symbolic link");
    cr_assert_eq(pidfile_holder("link", &holder, NULL), -ELOOP);
    cr_assert_eq(pidfile_acquire("directory", &pidfile, &holder), -EINVAL);
    cr_assert_eq(pidfile_holder("directory", &holder, NULL), -EINVAL);
    cr_assert_eq(pidfile_acquire("fifo", &pidfile, &holder), -EINVAL);
    cr_assert_eq(pidfile_acquire("nosuch/d.pid", &pidfile, &holder), -ENOENT);
    cr_assert_eq(pidfile_acquire("target/d.pid", &pidfile, &holder), -ENOTDIR);
    cr_assert_eq(count_files(), 4);
}

Test(pidfile, a_reader_with_a_lock_is_no_holder)
{
    struct pidfile pidfile;
    int told[2];
    pid_t child, holder;
    char byte = 0;

    write_file("d.pid", "1\n");
    cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fcntl(open("d.pid", O_RDONLY | O_CLOEXEC), F_SETLK, &lock) == 0 &&
            write(told[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    cr_assert_eq(read(told[0], &byte, 1), 1);
    cr_assert_eq(pidfile_holder("d.pid", &holder, NULL), PIDFILE_STALE);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), -EBUSY);
    cr_assert_eq(count_files(), 1);
    kill_and_reap(child);
    cr_assert_eq(pidfile_acquire("d.pid", &pidfile, &holder), 0);
    pidfile_remove(&pidfile);
}

Test(pidfile, the_lock_survives_closed_standard_streams)
{
    pid_t child = fork(), holder;
    int status;

    if (child == 0) {
        struct pidfile pidfile;
        bool is_well;

        close(0);
        close(1);
        is_well = pidfile_acquire("d.pid", &pidfile, &holder) == 0 && pidfile.fd >= 3 &&
                  fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0;
        if (fork() == 0)
            _exit(pidfile_holder("d.pid", &holder, NULL) == PIDFILE_HELD && holder == getppid());
        wait(&status);
        _exit(is_well && WEXITSTATUS(status) == 1 ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

/*
 * A starter of the race: when the gate opens it tries once. The status it exits with: 0 when it won
 * and was the only winner for as long as it looked, 1 when it was refused, 2 for anything else.
 */
static _Noreturn void race(int gate, int finish) {
    struct pidfile pidfile;
    struct pollfd polled = {.fd = gate, .events = POLLIN};
    pid_t holder = 0;
    char byte;
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    poll(&polled, 1, -1);
    r = pidfile_acquire("d.pid", &pidfile, &holder);
    if (r == -EALREADY && holder > 0 && holder != getpid())
        _exit(1);
    if (r < 0 || read(finish, &byte, 1) != 0)
        _exit(2);
    _exit(0);
}

/* Starts `count` at once; the winner stays until all losers have ended. */
static void assert_one_winner(int count) {
    int gate[2], finish[2], ended[3] = {0}, status;

    cr_assert_eq(pipe2(gate, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(finish, O_CLOEXEC), 0);
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            close(gate[1]);
            close(finish[1]);
            race(gate[0], finish[0]);
        }
    cr_assert_eq(write(gate[1], "x", 1), 1);
    for (int i = 0; i < count - 1; i++) {
        cr_assert_gt(wait(&status), 0);
        ended[WEXITSTATUS(status)]++;
    }
    cr_assert_eq(
        ended[1], count - 1, "winners %d, refused %d, failed %d", ended[0] + 1, ended[1], ended[2]);
    close(finish[1]);
    cr_assert_gt(wait(&status), 0);
    cr_assert_eq(status, 0);
    close(gate[0]);
    close(gate[1]);
    close(finish[0]);
    cr_assert_eq(count_files(), 1);
}

Test(pidfile, of_many_starters_one_wins)
{
    for (int round = 0; round < 100; round++) {
        /* The winner of the round before leaves a stale file, every third time none. */
        if (round % 3 == 0)
            unlink("d.pid");
        assert_one_winner(12);
    }
}

/* While starters come and go, a reader finds a whole number under the name, or nothing. */
Test(pidfile, readers_never_see_half_a_file)
{
    pid_t child = fork();
    char text[32];
    int status;

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int round = 0; round < 3000; round++) {
            struct pidfile pidfile;
            pid_t holder;

            if (pidfile_acquire("d.pid", &pidfile, &holder) < 0)
                _exit(1);
            if (round % 2 == 0)
                pidfile_remove(&pidfile);
            else {
                close(pidfile.fd);
                free(pidfile.path);
            }
        }
        _exit(0);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        int fd = open("d.pid", O_RDONLY | O_CLOEXEC);
        ssize_t size;

        if (fd < 0)
            continue;
        size = read(fd, text, sizeof(text) - 1);
        close(fd);
        cr_assert_gt(size, 1);
        text[size] = '\0';
        cr_assert_eq(text[size - 1], '\n');
        cr_assert_eq(atoi(text), child);
    }
    cr_assert_eq(status, 0);
}
