/* SPDX-License-Identifier: MIT */

/* What one start is made of: the commands round a process, what it is given, how it says that it
 * serves. */

#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "stage.h"

TestSuite(start, .timeout = STAGE_TIMEOUT);

#define WAIT_FOR_TERM "trap 'exit 0' TERM; while :; do sleep 60 & wait $!; done"

Test(start, commands_run_in_their_order)
{
    struct stage stage;

    stage_open(&stage);
    struct version *version =
        stage_version(&stage, "echo main >>$D/log; echo $$ >$D/pid; " WAIT_FOR_TERM);
    stage_add(&stage, version, ROLE_PRE, "echo pre $BROOD_WORKER >>$D/log", false);
    stage_add(&stage, version, ROLE_PRE, "echo bad >>$D/log; false", true);
    stage_add(&stage, version, ROLE_POST,
        "while [ ! -s $D/pid ]; do sleep 0.01; done; "
        "[ $MAINPID = $(cat $D/pid) ] && echo post >>$D/log",
        false);
    stage_add(&stage, version, ROLE_RELOAD, "echo reload >>$D/log", false);
    stage_add(&stage, version, ROLE_STOP_POST,
        "echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS >>$D/log", false);
    struct pool_settings settings = stage_settings(version);
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_READY, 0);
    engine_pool_command(pool, EVENT_RELOAD);
    stage_await(&stage, REPORT_RELOADED, 0);
    stage_stop(&stage);
    cr_assert_str_eq(
        stage_text(&stage, "log"), "pre 0\nbad\nmain\npost\nreload\nsuccess exited 0\n");
    stage_close(&stage);
}

Test(start, a_failed_command_before_is_told_and_the_main_one_left_out)
{
    struct stage stage;

    stage_open(&stage);
    struct version *version = stage_version(&stage, "echo main >>$D/log");
    stage_add(&stage, version, ROLE_PRE, "exit 7", false);
    stage_add(&stage, version, ROLE_STOP_POST, "echo $SERVICE_RESULT $EXIT_STATUS >>$D/log", false);
    struct pool_settings settings = stage_settings(version);
    stage_start(&stage, stage_pool(&stage, &settings));
    const struct said *said = stage_await(&stage, REPORT_GIVEN_UP, 0);
    cr_assert_eq(said->cause.kind, CAUSE_EXIT);
    cr_assert_eq(said->cause.value, 7);
    cr_assert_str_eq(stage_text(&stage, "log"), "exit-code 7\n");
    stage_close(&stage);
}

Test(start, each_command_after_the_end_learns_how_it_ended)
{
    struct stage stage;

    stage_open(&stage);
    struct version *version = stage_version(&stage, "kill -SEGV $$");
    for (int i = 0; i < 2; i++)
        stage_add(&stage, version, ROLE_STOP_POST,
            "echo ${SERVICE_RESULT%-dump} $EXIT_STATUS >>$D/log; exit 3", false);
    struct pool_settings settings = stage_settings(version);
    struct engine_pool *pool = stage_pool(&stage, &settings);
    struct worker_facts facts;
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_GIVEN_UP, 0);
    cr_assert(strstr(stage_text(&stage, "log"), " SEGV\n"));
    const char *second = strchr(stage_text(&stage, "log"), '\n') + 1;
    cr_assert(strstr(second, " SEGV\n"), "%s", second);
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    cr_assert_eq(facts.cause.value, SIGSEGV);
    stage_close(&stage);
}

/* Two sockets and a name each; the pid is the child's own, and nothing else is open. */
Test(start, sockets_are_passed)
{
    struct stage stage;
    int pair[2];

    stage_open(&stage);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int high = fcntl(pair[0], F_DUPFD_CLOEXEC, 200);
    struct pool_settings settings = stage_settings(stage_version(&stage,
        "[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES >>$D/log; "
        "for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && echo -n $i >>$D/log; done;"
        "echo there >&3"));
    struct engine_pool *pool = stage_pool(&stage, &settings);
    struct engine_socket sockets[] = {
        {.fd = high, .name = "web", .worker = ENGINE_EVERY_WORKER},
        {.fd = pair[1], .name = "other", .worker = 7},
        {.fd = pair[0], .name = "own", .worker = 0},
    };
    cr_assert_eq(engine_pool_set_sockets(pool, sockets, 3), 0);
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_DONE, 0);
    cr_assert_str_eq(stage_text(&stage, "log"), "2 web:own\n01234");
    char text[8] = "";
    cr_assert_eq(read(pair[1], text, sizeof(text)), 6);
    cr_assert_eq(memcmp(text, "there\n", 6), 0);
    stage_close(&stage);
}

Test(start, readiness_by_a_descriptor)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(
        stage_version(&stage, "echo up >$D/log; read x <$D/go; echo >&7; " WAIT_FOR_TERM));
    char path[128];
    snprintf(path, sizeof(path), "%s/go", stage.directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    settings.ready = READY_DESCRIPTOR;
    settings.ready_descriptor = 7;
    stage_start(&stage, stage_pool(&stage, &settings));
    stage_await_text(&stage, "log", "up");
    for (int i = 0; i < 10; i++)
        stage_turn(&stage);
    cr_assert_eq(stage_count(&stage, REPORT_READY), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(write(fd, "\n", 1), 1);
    close(fd);
    stage_await(&stage, REPORT_READY, 0);
    stage_close(&stage);
}

static void say(const char *address, const char *text, int fd) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct iovec iov = {(char *)text, strlen(text)};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_name = &name, .msg_iov = &iov, .msg_iovlen = 1};
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(name.sun_path, address, sizeof(name.sun_path) - 1);
    name.sun_path[strcspn(name.sun_path, "\n")] = '\0';
    message.msg_namelen =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name.sun_path));
    if (*name.sun_path == '@')
        *name.sun_path = '\0';
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
    }
    cr_assert_geq(sendmsg(s, &message, 0), 0);
    close(s);
}

/* Who was to say that it serves, and never did, has failed. */
Test(start, to_end_before_being_ready_is_a_failure)
{
    struct stage stage;

    stage_open(&stage);
    struct pool_settings settings = stage_settings(stage_version(&stage, "exit 0"));
    settings.ready = READY_NOTIFY;
    stage_start(&stage, stage_pool(&stage, &settings));
    cr_assert_eq(stage_await(&stage, REPORT_GIVEN_UP, 0)->cause.kind, CAUSE_PROTOCOL);
    settings.name = "plain";
    settings.version = stage_version(&stage, "exit 0");
    settings.ready = READY_EXEC;
    stage_start(&stage, stage_pool(&stage, &settings));
    stage_await(&stage, REPORT_DONE, 0);
    stage_close(&stage);
}

/* We speak in the worker's place; a descriptor that it keeps is there at its next start. */
Test(start, words_and_kept_descriptors)
{
    struct stage stage;
    struct worker_facts facts;
    int pipe_fds[2];

    stage_open(&stage);
    struct pool_settings settings = stage_settings(stage_version(&stage,
        "echo $LISTEN_FDNAMES $WATCHDOG_USEC >>$D/log; echo $NOTIFY_SOCKET >$D/new; "
        "mv $D/new $D/socket; " WAIT_FOR_TERM));
    settings.ready = READY_NOTIFY;
    settings.notify_access = NOTIFY_ALL;
    settings.fdstore_max = 2;
    settings.rules.watchdog = 60 * NSEC_PER_SEC;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    stage_await_text(&stage, "socket", "\n");
    cr_assert_eq(stage_count(&stage, REPORT_READY), 0);
    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    char *address = strdup(stage_text(&stage, "socket"));
    say(address, "FDSTORE=1\nFDNAME=kept", pipe_fds[0]);
    say(address, "READY=1\nSTATUS=at work", -1);
    stage_await(&stage, REPORT_READY, 0);
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    cr_assert_str_eq(facts.status, "at work");
    say(address, "RELOADING=1", -1);
    while (engine_worker(pool, 0, &facts) == 0 && !facts.reloading)
        stage_turn(&stage);
    say(address, "MAINPID=1", -1);
    stage_await(&stage, REPORT_UNHEARD, 0);
    engine_pool_command(pool, EVENT_RESTART);
    stage_await_text(&stage, "log", "kept 60000000");
    cr_assert_str_eq(stage_text(&stage, "log"), "60000000\nkept 60000000\n");
    free(address);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    stage_close(&stage);
}

Test(start, the_root_is_another)
{
    struct stage stage;
    const char *const argv[] = {"/no/such/program", NULL};
    struct plan_spec spec = {.pool = "stage", .n_workers = 1, .argv = argv};
    struct plan_error error;
    struct plan *plan;
    struct version *version;

    if (geteuid() != 0)
        cr_skip_test("chroot is root's");
    stage_open(&stage);
    spec.root_directory = stage.directory;
    cr_assert_eq(plan_new(&spec, &plan, &error), 0, "%s", error.text);
    cr_assert_eq(version_new_take(plan, &version), 0);
    struct pool_settings settings = stage_settings(version);
    struct engine_pool *pool = stage_pool(&stage, &settings);
    struct worker_facts facts;
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_GIVEN_UP, 0);
    engine_worker(pool, 0, &facts);
    cr_assert_str_eq(facts.detail, "exec /no/such/program: No such file or directory");
    cr_assert_eq(facts.cause.status, 127);
    stage_close(&stage);
}

/* /usr is a root of its own where /bin and /lib are links to its own (merged), and has no /usr. */
static void run_below_usr(const char *directory, const char *expected) {
    struct stage stage;
    char file[96];
    const char *const argv[] = {"/bin/sh", "-c", "test ! -e /usr/bin && pwd && ls -d bin sh", NULL};
    struct plan_spec spec = {
        .pool = "stage",
        .n_workers = 1,
        .argv = argv,
        .literal = true,
        .root_directory = "/usr",
        .directory = directory,
    };
    struct plan_error error;
    struct plan *plan;
    struct version *version;

    if (geteuid() != 0 || access("/usr/lib64/ld-linux-x86-64.so.2", F_OK) < 0)
        cr_skip_test("needs root and a merged /usr");
    stage_open(&stage);
    snprintf(file, sizeof(file), "%s/log", stage.directory);
    spec.stdio[1] = (struct stdio_spec){STDIO_APPEND, file};
    cr_assert_eq(plan_new(&spec, &plan, &error), 0, "%s", error.text);
    cr_assert_eq(version_new_take(plan, &version), 0);
    struct pool_settings settings = stage_settings(version);
    stage_start(&stage, stage_pool(&stage, &settings));
    stage_await(&stage, REPORT_EXITED, 0);
    cr_assert_str_eq(stage_text(&stage, "log"), expected, "the log lies outside");
    stage_close(&stage);
}

Test(start, the_program_is_looked_up_in_the_root)
{ run_below_usr(NULL, "/\nbin\n"); }

Test(start, the_directory_is_within_the_root)
{ run_below_usr("/bin", "/bin\nsh\n"); }

Test(start, a_root_that_is_not_there)
{
    struct stage stage;
    const char *const argv[] = {"/bin/true", NULL};
    struct plan_spec spec = {.pool = "stage",
        .n_workers = 1,
        .argv = argv,
        .root_directory = "/no/such/root",
        .directory = "/tmp"};
    struct plan_error error;
    struct plan *plan;
    struct version *version;
    struct worker_facts facts;

    stage_open(&stage);
    cr_assert_eq(plan_new(&spec, &plan, &error), 0, "%s", error.text);
    cr_assert_eq(version_new_take(plan, &version), 0);
    struct pool_settings settings = stage_settings(version);
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_GIVEN_UP, 0);
    engine_worker(pool, 0, &facts);
    cr_assert_eq(facts.cause.status, 126);
    cr_assert_eq(strncmp(facts.detail, "chroot /no/such/root: ", 22), 0, "%s", facts.detail);
    stage_close(&stage);
}
