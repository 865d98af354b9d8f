/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"
#include "notify_words.h"
#include "run/notify_socket.h"

/* What was heard. */
struct ear {
    struct notify_socket socket;
    int messages, ready, barriers, refused;
    enum notify_refusal refusal;
    struct ucred sender;
    char status[64];
    bool lost_fds;
    size_t n_fds;
    int taken; /* the first descriptor of the last message, when `take` */
    bool take, echo, hang_up;
};

static struct loop *loop;
static char directory[] = "/tmp/brood-notify.XXXXXX";
static char path[64];

static void set_up(void) {
    loop = fixture_loop();
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/web.0", directory);
}

static void tear_down(void) {
    unlink(path);
    rmdir(directory);
    loop_free(loop);
}

TestSuite(notify_socket, .init = set_up, .fini = tear_down, .timeout = FIXTURE_TIMEOUT);

static void on_message(void *data, struct notify_packet *packet) {
    struct ear *ear = data;

    ear->messages++;
    ear->ready += packet->message.ready;
    ear->barriers += packet->message.barrier;
    ear->sender = packet->sender;
    ear->lost_fds = packet->lost_fds;
    ear->n_fds = packet->n_fds;
    if (packet->message.status)
        snprintf(ear->status, sizeof(ear->status), "%.*s", (int)packet->message.status_size,
            packet->message.status);
    if (ear->take) {
        ear->taken = packet->fds[0];
        packet->fds[0] = -1;
    }
    if (ear->echo)
        words_send(ear->socket.address, "STATUS=again");
    if (ear->hang_up) {
        notify_socket_close(&ear->socket);
        memset(&ear->socket, 0xee, sizeof(ear->socket));
    }
}

static void on_refused(void *data, const struct ucred *sender, enum notify_refusal refusal) {
    struct ear *ear = data;

    ear->refused++;
    ear->refusal = refusal;
    ear->sender = *sender;
}

static void open_ear(struct ear *ear, const char *where, pid_t main) {
    int r;

    ear->socket = (struct notify_socket){
        .policy = {.access = NOTIFY_MAIN, .main = main, .uid = (uid_t)-1},
        .on_message = on_message,
        .on_refused = on_refused,
        .data = ear,
    };
    r = notify_socket_open(&ear->socket, loop, where);
    cr_assert_eq(r, 0, "%s", strerror(-r));
}

/* A turn that finds the datagrams that were sent before it. */
static void turn(void) {
    cr_assert_geq(loop_turn(loop, true), 0);
}

Test(notify_socket, hears_who_said_what)
{
    struct ear ear = {0};

    open_ear(&ear, NULL, getpid());
    cr_assert_eq(ear.socket.address[0], '@');
    words_send(ear.socket.address, "READY=1\nSTATUS=Serving");
    turn();
    cr_assert_eq(ear.messages, 1);
    cr_assert_eq(ear.ready, 1);
    cr_assert_eq(ear.sender.pid, getpid());
    cr_assert_eq(ear.sender.uid, getuid());
    cr_assert_eq(ear.sender.gid, getgid());
    cr_assert_str_eq(ear.status, "Serving");
    cr_assert_eq(loop_turn(loop, false), 0);
    notify_socket_close(&ear.socket);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, is_one_of_its_own_for_each)
{
    struct ear one = {0}, two = {0};

    open_ear(&one, NULL, getpid());
    open_ear(&two, NULL, getpid());
    cr_assert_str_neq(one.socket.address, two.socket.address);
    words_send(two.socket.address, "READY=1");
    turn();
    cr_assert_eq(one.messages, 0);
    cr_assert_eq(two.messages, 1);
    notify_socket_close(&one.socket);
    notify_socket_close(&two.socket);
}

Test(notify_socket, a_path_is_for_everybody_and_goes)
{
    struct ear ear = {0};
    struct stat status;

    umask(077);
    open_ear(&ear, path, getpid());
    cr_assert_str_eq(ear.socket.address, path);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0777);
    words_send(path, "READY=1");
    turn();
    cr_assert_eq(ear.ready, 1);
    notify_socket_close(&ear.socket);
    cr_assert_eq(access(path, F_OK), -1);
}

Test(notify_socket, replaces_what_was_left_and_nothing_else)
{
    char address[NOTIFY_ADDRESS_SIZE], long_path[200];
    int fd = notify_open(path, address), file;

    cr_assert_geq(fd, 3);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(notify_open(path, address), -EADDRINUSE);
    close(fd); /* as if its owner had been killed */
    fd = notify_open(path, address);
    cr_assert_geq(fd, 3);
    words_send(path, "READY=1");
    close(fd);

    unlink(path);
    file = open(path, O_CREAT | O_CLOEXEC, 0600);
    close(file);
    cr_assert_eq(notify_open(path, address), -EEXIST);
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    cr_assert_eq(notify_open(long_path, address), -ENAMETOOLONG);
    cr_assert_eq(notify_open("/nosuch/web", address), -ENOENT);
}

/* A process that speaks and is gone, reaped too, before anybody listens. */
static pid_t speak_and_die(const char *address, const char *words) {
    pid_t child = fork();

    if (child == 0) {
        words_send(address, words);
        _exit(0);
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    return child;
}

Test(notify_socket, last_words_count)
{
    struct ear ear = {0};
    pid_t child;

    open_ear(&ear, NULL, 0);
    child = speak_and_die(ear.socket.address, "READY=1");
    ear.socket.policy.main = child;
    notify_socket_drain(&ear.socket);
    cr_assert_eq(ear.ready, 1);
    cr_assert_eq(ear.sender.pid, child);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, refuses_and_names_a_stranger)
{
    struct ear ear = {0};
    pid_t child;

    open_ear(&ear, NULL, getpid());
    child = speak_and_die(ear.socket.address, "READY=1");
    turn();
    cr_assert_eq(ear.messages, 0);
    cr_assert_eq(ear.refused, 1);
    cr_assert_eq(ear.refusal, NOTIFY_REFUSED_SENDER);
    cr_assert_eq(ear.sender.pid, child);

    ear.socket.on_refused = NULL;
    speak_and_die(ear.socket.address, "READY=1");
    turn();
    cr_assert_eq(ear.messages, 0);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, who_may_speak)
{
    const uid_t me = geteuid();
    static const pid_t main = 10, side = 11;
    const struct {
        enum notify_access access;
        struct ucred sender;
        bool allowed;
    } rows[] = {
        {NOTIFY_NONE, {.pid = main, .uid = me}, false},
        {NOTIFY_MAIN, {.pid = main, .uid = 77}, true},
        {NOTIFY_MAIN, {.pid = side, .uid = me}, false},
        {NOTIFY_MAIN, {.pid = 12, .uid = me}, false},
        {NOTIFY_EXEC, {.pid = side, .uid = 77}, true},
        {NOTIFY_EXEC, {.pid = main, .uid = 77}, true},
        {NOTIFY_EXEC, {.pid = 12, .uid = me}, false},
        {NOTIFY_ALL, {.pid = 12, .uid = 77}, true},
        {NOTIFY_ALL, {.pid = 12, .uid = 0}, true},
        {NOTIFY_ALL, {.pid = 12, .uid = me}, true},
        {NOTIFY_ALL, {.pid = 12, .uid = 78}, false},
    };
    struct notify_policy policy = {.main = main, .side = side, .uid = 77};

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        policy.access = rows[i].access;
        cr_assert_eq(notify_policy_allows(&policy, &rows[i].sender), rows[i].allowed, "row %zu", i);
    }
    policy = (struct notify_policy){.access = NOTIFY_EXEC};
    cr_assert_not(notify_policy_allows(&policy, &(struct ucred){.pid = 0}), "nobody is nobody");
}

/* Asked by one who is neither: 0 when root may speak and another may not. */
static int ask_as_nobody(void *data) {
    struct notify_policy policy = {.access = NOTIFY_ALL, .uid = 77};

    (void)data;
    if (setresuid(65534, 65534, 65534) < 0)
        return 2;
    return !notify_policy_allows(&policy, &(struct ucred){.pid = 12, .uid = 0}) ||
           !notify_policy_allows(&policy, &(struct ucred){.pid = 12, .uid = 65534}) ||
           notify_policy_allows(&policy, &(struct ucred){.pid = 12, .uid = 78});
}

Test(notify_socket, root_may_speak_to_a_supervisor_that_is_not)
{
    if (getuid() != 0)
        cr_skip_test("only root can become somebody else");
    cr_assert_eq(fixture_in_child(ask_as_nobody, NULL), 0);
}

Test(notify_socket, names_of_access)
{
    enum notify_access access = NOTIFY_ACCESS_MAX;

    cr_assert_eq(notify_access_parse("exec", &access), 0);
    cr_assert_eq(access, NOTIFY_EXEC);
    cr_assert_str_eq(notify_access_name(NOTIFY_ALL), "all");
    cr_assert_eq(notify_access_parse("any", &access), -EINVAL);
    cr_assert_eq(notify_access_parse("", &access), -EINVAL);
}

Test(notify_socket, hands_over_descriptors_and_closes_the_rest)
{
    struct ear ear = {.take = true};
    struct pipe_pair one = fixture_pipe(), two = fixture_pipe();
    char byte;

    open_ear(&ear, NULL, getpid());
    words_send_fds(ear.socket.address, "FDSTORE=1", 9, (int[]){one.write, two.write}, 2);
    close(one.write);
    close(two.write);
    turn();
    cr_assert_eq(ear.n_fds, 2);
    cr_assert(fcntl(ear.taken, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(read(two.read, &byte, 1), 0, "the second has been closed");
    cr_assert_eq(write(ear.taken, "x", 1), 1);
    cr_assert_eq(read(one.read, &byte, 1), 1, "the first has been taken");
    close(ear.taken);
    cr_assert_eq(read(one.read, &byte, 1), 0);
    close(one.read);
    close(two.read);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, a_barrier_falls_after_all_before_it)
{
    struct ear ear = {0};
    struct pipe_pair barrier = fixture_pipe();
    char byte;

    open_ear(&ear, NULL, getpid());
    words_send(ear.socket.address, "READY=1");
    words_send_fds(ear.socket.address, "BARRIER=1", 9, &barrier.write, 1);
    close(barrier.write);
    cr_assert_eq(read(barrier.read, &byte, 1), -1);
    turn();
    cr_assert_eq(ear.ready, 1);
    cr_assert_eq(ear.barriers, 1);
    cr_assert_eq(read(barrier.read, &byte, 1), 0);
    close(barrier.read);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, without_room_for_descriptors_the_words_still_count)
{
    struct ear ear = {0};
    struct pipe_pair pair = fixture_pipe();
    struct rlimit limit, old;
    int lowest;

    open_ear(&ear, NULL, getpid());
    words_send_fds(
        ear.socket.address, "READY=1", 7, (int[]){pair.write, pair.write, pair.write}, 3);
    turn();
    cr_assert_eq(ear.n_fds, 3);
    words_send_fds(
        ear.socket.address, "READY=1", 7, (int[]){pair.write, pair.write, pair.write}, 3);
    lowest = fixture_lowest_fd();
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = (rlim_t)lowest + 1;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    turn();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    cr_assert_eq(ear.ready, 2);
    cr_assert(ear.lost_fds);
    cr_assert_eq(ear.n_fds, 0);
    cr_assert_eq(fixture_lowest_fd(), lowest, "what came has been closed");
    fixture_pipe_close(&pair);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, what_is_no_message_is_refused)
{
    struct ear ear = {0};
    struct pipe_pair pair = fixture_pipe();
    static char big[NOTIFY_SIZE_MAX + 1];
    char byte;

    open_ear(&ear, NULL, getpid());
    words_send_fds(ear.socket.address, "READY=1\0X=1", 11, &pair.write, 1);
    close(pair.write);
    turn();
    cr_assert_eq(ear.refused, 1);
    cr_assert_eq(ear.refusal, NOTIFY_REFUSED_MESSAGE);
    cr_assert_eq(ear.sender.pid, getpid());
    cr_assert_eq(read(pair.read, &byte, 1), 0, "its descriptor is closed, too");
    close(pair.read);

    memset(big, '\n', sizeof(big));
    memcpy(big, "READY=1", 7);
    words_send_fds(ear.socket.address, big, sizeof(big), NULL, 0);
    turn();
    cr_assert_eq(ear.refused, 2);
    words_send_fds(ear.socket.address, big, sizeof(big) - 1, NULL, 0);
    turn();
    cr_assert_eq(ear.ready, 1);
    notify_socket_close(&ear.socket);
}

/* The words and the barrier of those who made the protocol. */
Test(notify_socket, hears_what_systemd_notify_says)
{
    struct ear ear = {0};
    int status;
    pid_t child;

    if (access("/usr/bin/systemd-notify", X_OK) < 0)
        cr_skip_test("systemd-notify is not installed");
    open_ear(&ear, NULL, 0);
    ear.socket.policy.access = NOTIFY_ALL;
    child = fork();
    if (child == 0) {
        setenv("NOTIFY_SOCKET", ear.socket.address, 1);
        execl("/usr/bin/systemd-notify", "systemd-notify", "--ready", "--status=all is well", NULL);
        _exit(127);
    }
    while (ear.barriers == 0)
        turn();
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "the barrier fell");
    cr_assert_eq(ear.ready, 1);
    cr_assert_str_eq(ear.status, "all is well");
    cr_assert_eq(ear.refused, 0);
    notify_socket_close(&ear.socket);
}

/* Who answers each word with another would otherwise hold the loop for good. */
Test(notify_socket, a_sender_that_never_stops_does_not_hold_the_loop)
{
    struct ear ear = {.echo = true};

    open_ear(&ear, NULL, getpid());
    words_send(ear.socket.address, "STATUS=first");
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_gt(ear.messages, 1);
    cr_assert_lt(ear.messages, 100);
    notify_socket_drain(&ear.socket);
    cr_assert_lt(ear.messages, 2000);
    notify_socket_close(&ear.socket);
}

Test(notify_socket, the_handler_may_close_it)
{
    struct ear ear = {.hang_up = true};
    int lowest = fixture_lowest_fd();

    open_ear(&ear, NULL, getpid());
    words_send(ear.socket.address, "READY=1");
    words_send(ear.socket.address, "READY=1");
    turn();
    cr_assert_eq(ear.messages, 1);
    for (size_t i = 0; i < sizeof(ear.socket); i++)
        cr_assert_eq(((unsigned char *)&ear.socket)[i], 0xee, "its memory is somebody else's");
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(fixture_lowest_fd(), lowest);
}
