/* SPDX-License-Identifier: MIT */

/* Brood's own log, through the thread: files that are full or away, daemons, what is bounded. */

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/log.h"
#include "run/logfile.h"

#define PATIENCE (20 * NSEC_PER_SEC)

struct desk {
    char directory[64], path[96];
    struct loop *loop;
    struct log *log;
    unsigned troubles, recoveries;
    int error;
    uint64_t lost;
};

TestSuite(own_log, .timeout = 60);

static size_t on_lost(void *data, uint64_t lines, char *line, size_t size) {
    struct desk *desk = data;

    desk->lost += lines;
    return (size_t)snprintf(line, size, "lost\n");
}

static void on_trouble(void *data, const char *where, int error) {
    struct desk *desk = data;

    (void)where;
    desk->troubles += error != 0;
    desk->recoveries += error == 0;
    desk->error = error;
}

static struct desk desk_make(const char *name) {
    struct desk desk = {.directory = "/tmp/brood-log-XXXXXX"};
    const char *backend = getenv("BROOD_LOOP");
    enum loop_backend wanted = LOOP_AUTO;

    if (backend)
        cr_assert_eq(loop_backend_parse(backend, &wanted), 0);
    cr_assert_eq(loop_new(wanted, &desk.loop), 0);
    cr_assert_not_null(mkdtemp(desk.directory));
    snprintf(desk.path, sizeof(desk.path), "%s/%s", desk.directory, name);
    return desk;
}

static void desk_open(struct desk *desk, enum log_target_kind kind) {
    struct log_target target = {kind, desk->path};
    struct log_events events = {on_lost, on_trouble, desk};

    cr_assert_eq(log_new(desk->loop, &target, &events, &desk->log), 0);
}

static void desk_clear(struct desk *desk) {
    char command[128];

    loop_free(desk->loop);
    snprintf(command, sizeof(command), "rm -r %s", desk->directory);
    cr_assert_eq(system(command), 0);
}

static void say(struct desk *desk, const char *line) {
    log_write(desk->log, line, strlen(line));
    log_flush(desk->log);
}

static void turn_until(struct desk *desk, const unsigned *number, unsigned wanted) {
    while (*number < wanted)
        cr_assert_geq(loop_turn(desk->loop, true), 0);
}

static char *contents(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return strdup("");
    cr_assert_eq(fstat(fd, &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    cr_assert_eq(read(fd, text, (size_t)status.st_size), status.st_size);
    close(fd);
    return text;
}

static void check_contents(const char *path, const char *expected) {
    char *text = contents(path);

    cr_assert_str_eq(text, expected);
    free(text);
}

/* What is not waited for here would hang the test. */
static void wait_for_file(const char *path, const char *expected) {
    for (char *text = contents(path);; text = contents(path)) {
        bool same = strcmp(text, expected) == 0;

        free(text);
        if (same)
            return;
        usleep(1000);
    }
}

Test(own_log, a_file_is_appended_to_as_others_do)
{
    struct desk desk = desk_make("log");
    int other = open(desk.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    cr_assert_eq(write(other, "before\n", 7), 7);
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\n");
    wait_for_file(desk.path, "before\none\n");
    cr_assert_eq(write(other, "between\n", 8), 8);
    say(&desk, "two\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    check_contents(desk.path, "before\none\nbetween\ntwo\n");
    close(other);
    desk_clear(&desk);
}

/* A link is what somebody has made on purpose, wherever the file will be. */
Test(own_log, a_link_makes_the_file_that_it_points_to)
{
    struct desk desk = desk_make("log");
    char target[128];

    snprintf(target, sizeof(target), "%s.elsewhere", desk.path);
    cr_assert_eq(symlink(target, desk.path), 0);
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    check_contents(target, "one\n");
    struct stat status;
    cr_assert_eq(lstat(desk.path, &status), 0);
    cr_assert(S_ISLNK(status.st_mode));
    cr_assert_eq(stat(desk.path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0640);
    desk_clear(&desk);
}

Test(own_log, a_file_that_may_only_be_written_is_enough)
{
    struct desk desk = desk_make("log");

    if (geteuid() == 0) {
        cr_assert_eq(chown(desk.directory, 65534, 65534), 0);
        cr_assert_eq(setresuid(65534, 65534, 65534), 0);
    }
    close(open(desk.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0200));
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    cr_assert_eq(chmod(desk.path, 0600), 0);
    check_contents(desk.path, "one\n");
    desk_clear(&desk);
}

/* Nobody has written anything: then there is nothing that a file would be needed for. */
Test(own_log, a_sink_that_was_never_used_makes_nothing)
{
    struct desk desk = desk_make("log");
    struct logfile_settings settings = {.directory = desk.path, .name = "file"};
    struct sink *sink;

    cr_assert_eq(logfile_new(&settings, &sink), 0);
    sink->ops->close(sink);
    cr_assert_lt(access(desk.path, F_OK), 0);
    desk_clear(&desk);
}

Test(own_log, a_file_that_was_moved_is_opened_anew)
{
    struct desk desk = desk_make("log");
    char moved[128];

    snprintf(moved, sizeof(moved), "%s.1", desk.path);
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\n");
    wait_for_file(desk.path, "one\n");
    cr_assert_eq(rename(desk.path, moved), 0);
    say(&desk, "two\n");
    wait_for_file(moved, "one\ntwo\n");
    log_reopen(desk.log);
    wait_for_file(desk.path, "");
    while (access(desk.path, F_OK) < 0)
        usleep(1000);
    say(&desk, "three\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    check_contents(moved, "one\ntwo\n");
    check_contents(desk.path, "three\n");
    desk_clear(&desk);
}

static void limit_files(rlim_t size) {
    struct rlimit limit = {size, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A line that was torn there is completed, and none is missing. */
Test(own_log, a_full_disk_heals)
{
    struct desk desk = desk_make("log");

    limit_files(10);
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\ntwo\nthree\n");
    turn_until(&desk, &desk.troubles, 1);
    cr_assert_eq(desk.error, EFBIG);
    say(&desk, "four\n");
    limit_files(RLIM_INFINITY);
    turn_until(&desk, &desk.recoveries, 1);
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    check_contents(desk.path, "one\ntwo\nthree\nfour\n");
    cr_assert_eq(desk.troubles, 1);
    desk_clear(&desk);
}

/* What waits is bounded; what is dropped is counted, and told where it is missing. */
Test(own_log, what_does_not_fit_is_counted)
{
    struct desk desk = desk_make("log");
    const unsigned n = 40000;
    char line[101];
    unsigned written = 0;

    memset(line, 'x', 99);
    strcpy(line + 99, "\n");
    limit_files(0);
    desk_open(&desk, LOG_TO_FILE);
    for (unsigned i = 0; i < n; i++)
        say(&desk, line);
    turn_until(&desk, &desk.troubles, 1);
    limit_files(RLIM_INFINITY);
    while (desk.lost == 0)
        cr_assert_geq(loop_turn(desk.loop, true), 0);
    say(&desk, "after\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);

    char *text = contents(desk.path);
    for (const char *at = text; strncmp(at, line, 100) == 0; at += 100)
        written++;
    cr_assert_eq(written + desk.lost, n, "%u written, %lu lost", written, desk.lost);
    cr_assert_str_eq(text + written * 100, "lost\nafter\n");
    cr_assert_lt(written * 100, (1 << 20) + (256 << 10));
    cr_assert_gt(written * 100, 900000);
    free(text);
    desk_clear(&desk);
}

Test(own_log, what_could_not_be_written_at_the_end_is_said)
{
    struct desk desk = desk_make("log");

    limit_files(0);
    desk_open(&desk, LOG_TO_FILE);
    say(&desk, "one\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), -EIO);
    desk_clear(&desk);
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static const char *receive(int fd) {
    static char text[4096];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    cr_assert_geq(n, 0);
    text[n] = '\0';
    return text;
}

Test(own_log, a_daemon_gets_a_datagram_a_line)
{
    struct desk desk = desk_make("socket");
    int server = listen_at(desk.path);

    desk_open(&desk, LOG_TO_JOURNAL);
    say(&desk, "A=1\x1fMESSAGE=one\nA=2\x1fMESSAGE=two\n");
    cr_assert_str_eq(receive(server), "A=1\nMESSAGE=one\n");
    cr_assert_str_eq(receive(server), "A=2\nMESSAGE=two\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    desk_open(&desk, LOG_TO_SYSLOG);
    say(&desk, "<30>1 - - - - - - one\n");
    cr_assert_str_eq(receive(server), "<30>1 - - - - - - one");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    close(server);
    desk_clear(&desk);
}

/* With that error the kernel refuses what has more than 16 bytes; 0: it takes what it likes. */
static int refusal;

/* In the place of libc's. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    size_t length = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        length += message->msg_iov[i].iov_len;
    if (refusal == 0 || length <= 16)
        return syscall(SYS_sendmsg, fd, message, flags);
    errno = refusal;
    return -1;
}

static void check_cut(int error) {
    struct desk desk = desk_make("socket");
    int server = listen_at(desk.path);

    refusal = error;
    desk_open(&desk, LOG_TO_SYSLOG);
    say(&desk, "0123456789abcdefghijklmnopqrstuvwxyz\nnext\n");
    cr_assert_str_eq(receive(server), "012345678");
    cr_assert_str_eq(receive(server), "next");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    cr_assert_eq(desk.troubles, 0);
    close(server);
    desk_clear(&desk);
}

Test(own_log, what_is_too_large_for_a_daemon_is_cut)
{ check_cut(EMSGSIZE); }

Test(own_log, what_is_too_large_for_the_memory_is_cut)
{ check_cut(ENOBUFS); }

Test(own_log, a_daemon_that_is_away_is_waited_for)
{
    struct desk desk = desk_make("socket");

    desk_open(&desk, LOG_TO_SYSLOG);
    say(&desk, "early\n");
    turn_until(&desk, &desk.troubles, 1);
    cr_assert_eq(desk.error, ENOENT);
    say(&desk, "later\n");
    int server = listen_at(desk.path);
    cr_assert_str_eq(receive(server), "early");
    cr_assert_str_eq(receive(server), "later");
    turn_until(&desk, &desk.recoveries, 1);
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    close(server);
    desk_clear(&desk);
}

Test(own_log, nowhere_is_nowhere)
{
    struct desk desk = desk_make("log");

    desk_open(&desk, LOG_TO_NULL);
    say(&desk, "one\n");
    cr_assert_eq(log_free(desk.log, PATIENCE), 0);
    cr_assert_lt(access(desk.path, F_OK), 0);
    desk_clear(&desk);
}
