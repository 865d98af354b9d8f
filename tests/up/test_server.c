/* SPDX-License-Identifier: MIT */

/*
 * The socket and its clients, well-behaved and otherwise: whatever one of them does, the others are
 * served, and what is kept for it is bounded.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../loop/fixture.h"
#include "base/macro.h"
#include "world.h"

static struct world *world;
static struct peer one;

static void begin(void) {
    world = world_new();
    one = peer_new(world);
}

static void end(void) {
    peer_free(&one);
    world_free(world);
}

TestSuite(server, .init = begin, .fini = end);

static void expect_served(void) {
    struct peer peer = peer_new(world);
    nsec_t before = loop_clock();

    CONTAINS(ask(world, &peer, "Status", "'pool':'db'"), "'name':'db'");
    cr_assert_lt(loop_clock() - before, 10 * NSEC_PER_SEC);
    peer_free(&peer);
}

Test(server, tells_about_itself)
{
    peer_send(&one, "{\"method\":\"org.varlink.service.GetInfo\"}", 41);
    CONTAINS(peer_reply(world, &one), "'interfaces':['org.varlink.service','io.brood']");
}

Test(server, takes_calls_in_pieces_and_several_at_once)
{
    static const char text[] = "{\"method\":\"io.brood.Status\"}\0"
                               "{\"method\":\"io.brood.Reset\",\"parameters\":{\"pools\":[]}}";

    for (size_t i = 0; i < sizeof(text); i++) {
        if (i == 5)
            cr_assert(peer_is_waiting(world, &one));
        peer_send(&one, text + i, 1);
    }
    CONTAINS(peer_reply(world, &one), "'brood':");
    CONTAINS(peer_reply(world, &one), "'outcomes':");
}

Test(server, half_a_call_costs_no_time)
{
    peer_send(&one, "{\"method\":", 10);
    world_settle(world);
    cr_assert_eq(loop_turn(world->loop, false), 0, "it is looked at again and again");
    expect_served();
}

Test(server, lets_go_of_who_talks_nonsense)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n", "{}", "[1,2,3]", "", "{\"method\":7}"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        struct peer peer = peer_new(world);

        peer_send(&peer, texts[i], strlen(texts[i]) + 1);
        cr_assert(peer_is_gone(world, &peer), "%s", texts[i]);
        peer_free(&peer);
    }
    expect_served();
}

Test(server, lets_go_of_who_has_too_much_to_say)
{
    char *much = calloc(1, 64 << 10);
    ssize_t n = 0;

    memset(much, ' ', 64 << 10);
    for (size_t sent = 0; sent < VARLINK_CALL_MAX + (256 << 10) && n >= 0; sent += (size_t)n) {
        n = send(one.fd, much, 64 << 10, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            n = 0;
        world_settle(world);
    }
    cr_assert(n < 0 && (errno == EPIPE || errno == ECONNRESET), "all was taken");
    free(much);
    expect_served();
}

Test(server, one_who_does_not_read_is_not_read)
{
    static const char call[] = "{\"method\":\"io.brood.Status\"}";
    size_t sent = 0, answered = 0;
    int quiet = 0;

    /* Until the server takes no more: it waits for us to read, and keeps little for us. */
    while (quiet < 20) {
        ssize_t n = send(one.fd, call, sizeof(call), MSG_NOSIGNAL);

        cr_assert(n == sizeof(call) || errno == EAGAIN);
        quiet = n < 0 ? quiet + 1 : 0;
        sent += n > 0;
        cr_assert_lt(sent, 200000, "everything is taken, and kept somewhere");
        loop_turn(world->loop, false);
    }
    expect_served();
    for (; answered < sent; answered++)
        CONTAINS(peer_reply(world, &one), "'brood':");
    cr_assert(peer_is_waiting(world, &one));
}

Test(server, five_hundred_idle_ones_are_in_nobodys_way)
{
    enum { MANY = 500 };
    struct peer *many = calloc(MANY, sizeof(*many));

    fixture_need_descriptors(2 * MANY + 64);
    for (int i = 0; i < MANY; i++) {
        many[i] = peer_new(world);
        if (i % 50 == 0)
            world_settle(world);
    }
    expect_served();
    for (int i = 0; i < MANY; i += 100)
        CONTAINS(ask(world, &many[i], "Status", ""), "'brood':");
    for (int i = 0; i < MANY; i++)
        peer_free(&many[i]);
    world_settle(world);
    free(many);
}

Test(server, beyond_the_limit_the_longest_idle_goes)
{
    enum { MANY = 1024 };
    struct peer *many = calloc(MANY, sizeof(*many));

    fixture_need_descriptors(2 * MANY + 64);
    peer_call(&one, "Wait", "'pools':['db'],'for':'ready'");
    for (int i = 0; i < MANY - 1; i++) {
        many[i] = peer_new(world);
        if (i % 50 == 0)
            world_settle(world);
    }
    world_settle(world);
    CONTAINS(ask(world, &many[0], "Status", ""), "'brood':");
    many[MANY - 1] = peer_new(world);
    cr_assert(peer_is_gone(world, &many[1]), "the longest idle one");
    cr_assert(peer_is_waiting(world, &one), "one that waits for an answer is not idle");
    CONTAINS(ask(world, &many[0], "Status", ""), "'brood':");
    CONTAINS(ask(world, &many[MANY - 1], "Status", ""), "'brood':");
    for (int i = 0; i < MANY; i++)
        peer_free(&many[i]);
    free(many);
}

Test(server, leaves_no_descriptor_behind)
{
    world_settle(world);
    int lowest = fixture_lowest_fd();
    for (int i = 0; i < 3; i++) {
        struct peer peer = peer_new(world);

        peer_call(&peer, i == 0 ? "Wait" : "Status", i == 0 ? "'pools':['db'],'for':'ready'" : "");
        if (i != 1)
            world_settle(world);
        peer_free(&peer);
        world_settle(world);
        cr_assert_eq(fixture_lowest_fd(), lowest);
    }
    /* Who waited has gone: nobody is to be told. */
    engine_pool_command(world_pool(world, "db"), EVENT_START);
    fake_move(world_pool(world, "db"), 0, WORKER_READY);
    expect_served();
}

Test(server, answers_who_has_said_all_it_will)
{
    peer_call(&one, "Wait", "'pools':['db'],'for':'ready'");
    shutdown(one.fd, SHUT_WR);
    cr_assert(peer_is_waiting(world, &one));
    cr_assert_eq(loop_turn(world->loop, false), 0, "its end is looked at again and again");
    fake_move(world_pool(world, "db"), 0, WORKER_READY);
    CONTAINS(peer_reply(world, &one), "'ok':true");
    cr_assert(peer_is_gone(world, &one));
}

Test(server, takes_a_call_that_wants_no_answer)
{
    static const char call[] = "{\"method\":\"io.brood.Start\",\"oneway\":true,"
                               "\"parameters\":{\"pools\":[\"db\"]}}";

    peer_send(&one, call, sizeof(call));
    world_settle(world);
    cr_assert_eq(fake_worker(world_pool(world, "db"), 0)->state, WORKER_STARTING);
    fake_move(world_pool(world, "db"), 0, WORKER_READY);
    cr_assert(peer_is_waiting(world, &one));
    CONTAINS(ask(world, &one, "Status", ""), "'brood':");
}

Test(server, tells_a_slow_follower_what_it_missed)
{
    struct engine_pool *db = world_pool(world, "db");
    unsigned seen = 0;
    const char *reply;

    peer_call_more(&one, "Events", "'follow':true");
    world_settle(world);
    fake_worker(db, 0)->detail = "a process that has a long story to tell of how it all came about";
    /* Two megabytes; what the socket and the server hold is less. */
    for (int i = 0; i < 9000; i++) {
        fake_report(db, 0, REPORT_GIVEN_UP);
        if (i % 100 == 0)
            loop_turn(world->loop, false);
    }
    expect_served();
    do {
        reply = peer_reply(world, &one);
        seen++;
    } while (strstr(reply, "'event':'given-up'"));
    CONTAINS(reply, "'event':'missed'");
    CONTAINS(reply, "events came faster than they were read");
    cr_assert_gt(seen, 1000);
    cr_assert_eq(strtoul(strstr(reply, "reason':'") + 9, NULL, 10), 9000 - (seen - 1));
    fake_report(db, 0, REPORT_READY);
    CONTAINS(peer_reply(world, &one), "'seq':9001}");
}

Test(server, drops_a_follower_that_never_reads)
{
    peer_call_more(&one, "Events", "'follow':true");
    world_settle(world);
    for (int i = 0; i < 40000; i++) {
        fake_report(world_pool(world, "db"), 0, REPORT_READY);
        if (i % 100 == 0)
            loop_turn(world->loop, false);
    }
    cr_assert(peer_is_gone(world, &one));
}

Test(server, makes_the_directory_and_the_socket_for_its_user_alone)
{
    struct stat status;
    char directory[80];

    cr_assert_eq(stat(world->path, &status), 0);
    cr_assert_eq(status.st_mode, S_IFSOCK | 0600);
    snprintf(directory, sizeof(directory), "%s/run", world->directory);
    cr_assert_eq(stat(directory, &status), 0);
    cr_assert_eq(status.st_mode, S_IFDIR | 0700);
}

static int start_another(pid_t *ret_pid) {
    struct control_options options = world_options(world);
    struct control *control;
    int r = control_new(&options, &control, ret_pid);

    if (r == 0)
        control_free(control);
    return r;
}

Test(server, refuses_to_start_where_another_listens)
{
    pid_t pid;

    cr_assert_eq(start_another(&pid), -EADDRINUSE);
    cr_assert_eq(pid, getpid());
    expect_served();
}

/* A socket that somebody left who was killed. */
static void leave_behind(const char *path, bool is_socket) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (is_socket)
        cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    else
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(fd);
}

Test(server, takes_the_place_of_a_socket_that_was_left_behind)
{
    pid_t pid;

    cr_assert_eq(unlink(world->path), 0);
    leave_behind(world->path, true);
    cr_assert_eq(start_another(&pid), 0);
}

Test(server, leaves_alone_what_is_no_socket)
{
    pid_t pid;

    cr_assert_eq(unlink(world->path), 0);
    leave_behind(world->path, false);
    cr_assert_eq(start_another(&pid), -EEXIST);
    cr_assert_eq(access(world->path, F_OK), 0);
    world->control = control_free(world->control);
    cr_assert_eq(access(world->path, F_OK), 0, "what was put in its place was removed");
    unlink(world->path);
}

/* Somebody else, in the group or not, asks; its status says which answer it got. */
static int ask_as(gid_t group) {
    static const char start[] = "{\"method\":\"io.brood.Start\",\"parameters\":{\"pools\":[]}}",
                      look[] = "{\"method\":\"io.brood.Status\"}";
    int pair[2], answers = 0;
    char text[4096];

    cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
    cr_assert_eq(chmod(world->directory, 0711), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(1, &group) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(1);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", world->path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            write(fd, look, sizeof(look)) < 0)
            _exit(2);
        ssize_t n = read(fd, text, sizeof(text));
        text[MAX(n, (ssize_t)1) - 1] = '\0';
        answers += strstr(text, "\"brood\"") ? 1 : 0;
        if (write(fd, start, sizeof(start)) < 0)
            _exit(3);
        n = read(fd, text, sizeof(text));
        text[MAX(n, (ssize_t)1) - 1] = '\0';
        answers += strstr(text, "PermissionDenied") ? 0 : 2;
        _exit(write(pair[1], &answers, sizeof(answers)) < 0);
    }
    close(pair[1]);
    struct pollfd fds[] = {
        {.fd = loop_fd(world->loop), .events = POLLIN}, {.fd = pair[0], .events = POLLIN}};
    do {
        cr_assert_gt(poll(fds, 2, FIXTURE_TIMEOUT * 1000), 0);
        loop_turn(world->loop, false);
    } while (fds[1].revents == 0);
    ssize_t n = read(pair[0], &answers, sizeof(answers));
    close(pair[0]);
    return n == sizeof(answers) ? answers : -1;
}

static void listen_for(gid_t group, bool may_change) {
    struct control_options options = world_options(world);
    char directory[80];
    pid_t pid;

    peer_free(&one);
    world->control = control_free(world->control);
    snprintf(directory, sizeof(directory), "%s/run", world->directory);
    cr_assert_eq(rmdir(directory), 0);
    options.read_group = may_change ? (gid_t)-1 : group;
    options.change_group = may_change ? group : (gid_t)-1;
    cr_assert_eq(control_new(&options, &world->control, &pid), 0);
    one = peer_new(world);
}

Test(server, lets_a_group_look_or_change)
{
    enum { GROUP = 4711, OTHER = 4712 };

    if (geteuid() != 0)
        cr_skip("needs root");
    listen_for(GROUP, false);
    cr_assert_eq(ask_as(GROUP), 1, "may look");
    cr_assert_eq(ask_as(OTHER), -1, "cannot even connect");
    /* Where the file lets everybody in, the socket does not. */
    char directory[80];
    snprintf(directory, sizeof(directory), "%s/run", world->directory);
    cr_assert_eq(chmod(directory, 0711), 0);
    cr_assert_eq(chmod(world->path, 0666), 0);
    cr_assert_eq(ask_as(OTHER), 0, "may do nothing");
    cr_assert_eq(fake_worker(world_pool(world, "db"), 0)->state, WORKER_STOPPED);
    listen_for(GROUP, true);
    engine_pool_command(world_pool(world, "db"), EVENT_START);
    engine_pool_command(world_pool(world, "web"), EVENT_START);
    for (uint32_t i = 0; i < 3; i++)
        fake_move(world_pool(world, "web"), i, WORKER_READY);
    fake_move(world_pool(world, "db"), 0, WORKER_READY);
    cr_assert_eq(ask_as(GROUP), 3, "may change");
}

Test(server, goes_on_when_there_are_no_descriptors_left)
{
    struct peer idle = peer_new(world);
    struct rlimit before, few;
    int taken[256], n = 0;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ELEMENTS(taken), before.rlim_max};
    peer_call(&one, "Wait", "'pools':['db'],'for':'ready'");
    world_settle(world);
    int ours = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", world->path);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < (int)ELEMENTS(taken) && (taken[n] = fcntl(0, F_DUPFD_CLOEXEC, 3)) >= 0)
        n++;
    cr_assert_eq(connect(ours, (struct sockaddr *)&address, sizeof(address)), 0);
    /* The idle one makes room; the one after that has to wait until there is some. */
    cr_assert(peer_is_gone(world, &idle));
    struct peer late = {.fd = ours, .in = FRAMES_INIT(VARLINK_REPLY_MAX)};
    CONTAINS(ask(world, &late, "Status", ""), "'brood':");
    while (n > 0)
        close(taken[--n]);
    peer_free(&late);
    peer_free(&idle);
    expect_served();
}
