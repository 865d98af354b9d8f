/* SPDX-License-Identifier: MIT */

/* Pools whose output is captured: what is written, by whom, and the last words of those who died.
 */

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"

TestSuite(output, .timeout = STAGE_TIMEOUT);

/* Nothing below it that a stop could miss because it was being made just then. */
#define STAY "exec sleep 60"

static struct engine_pool *captured_pool(
    struct stage *stage, struct capture_settings *capture, struct version *version) {
    struct pool_settings settings = stage_settings(version);

    settings.capture = capture;
    settings.rules.restart.mode = RESTART_ON_FAILURE;
    return stage_pool(stage, &settings);
}

/* How many descriptors we have: what is left open in the end is a leak. */
static unsigned count_descriptors(void) {
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Write ends of pipes that we hold. */
static unsigned count_write_ends(void) {
    struct stat status;
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
                 (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    return count;
}

/* Once it is its program, the process alone holds its ends: to close them is to end the stream. */
Test(output, our_copies_of_its_ends_are_closed)
{
    struct stage stage;

    stage_open(&stage);
    struct capture_settings capture = stage_capture(&stage);
    struct engine_pool *pool = captured_pool(&stage, &capture, stage_version(&stage, STAY));
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_READY, 0);
    unsigned before = count_write_ends(); /* those of pipes that were made ahead */
    for (int i = 0; i < 5; i++) {
        engine_command_all(stage.engine, EVENT_RESTART);
        stage_await(&stage, REPORT_READY, 0);
    }
    cr_assert_eq(count_write_ends(), before);
    stage_close(&stage);
}

Test(output, both_streams_of_all_commands)
{
    struct stage stage;

    stage_open(&stage);
    struct capture_settings capture = stage_capture(&stage);
    struct version *version = stage_version(&stage, "echo one; echo two >&2; " STAY);
    stage_add(&stage, version, ROLE_PRE, "echo before", false);
    stage_add(&stage, version, ROLE_POST, "echo after >&2", false);
    struct engine_pool *pool = captured_pool(&stage, &capture, version);
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_READY, 0);
    stage_await_text(&stage, "stage.log", "out: before\n");
    stage_await_text(&stage, "stage.log", "out: one\n");
    stage_await_text(&stage, "stage.log", "err: two\n");
    stage_await_text(&stage, "stage.log", "err: after\n");
    stage_stop(&stage);
    stage_close(&stage);
}

/* The first process dies with a message, the second one runs: each has its own lines. */
Test(output, last_words_of_a_crash)
{
    struct stage stage;
    struct worker_facts facts;
    char mark[64];

    stage_open(&stage);
    struct capture_settings capture = stage_capture(&stage);
    struct engine_pool *pool = captured_pool(&stage, &capture,
        stage_version(&stage, "[ -e $D/once ] && { echo again; " STAY "; }; "
                              "touch $D/once; echo begun; echo first >&2; printf torn >&2; "
                              "kill -KILL $$"));
    stage_start(&stage, pool);
    const struct said *said = stage_await(&stage, REPORT_EXITED, 0);
    cr_assert_str_eq(said->words, "first\ntorn");
    snprintf(mark, sizeof(mark), "stage/0 [%d #1] err$ torn\n", said->pid);
    stage_await_text(&stage, "stage.log", mark);
    stage_await_text(&stage, "stage.log", " #2] out: again\n");
    cr_assert_eq(engine_worker(pool, 0, &facts), 0);
    cr_assert_str_eq(facts.words, "first\ntorn");
    stage_stop(&stage);
    stage_close(&stage);
}

/* Sockets stay where they are looked for, and are counted alone. */
Test(output, beside_sockets)
{
    struct stage stage;
    int pair[2];

    stage_open(&stage);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct capture_settings capture = stage_capture(&stage);
    struct engine_pool *pool = captured_pool(&stage, &capture,
        stage_version(&stage, "echo $LISTEN_FDS $LISTEN_FDNAMES; echo there >&3"));
    struct engine_socket socket = {.fd = pair[0], .name = "web", .worker = ENGINE_EVERY_WORKER};
    cr_assert_eq(engine_pool_set_sockets(pool, &socket, 1), 0);
    stage_start(&stage, pool);
    stage_await_text(&stage, "stage.log", "out: 1 web\n");
    char text[8] = "";
    cr_assert_eq(read(pair[1], text, sizeof(text)), 6);
    cr_assert_eq(memcmp(text, "there\n", 6), 0);
    stage_close(&stage);
}

/* What an orphan still writes is marked, and holds up neither the restart nor the end. */
Test(output, of_an_orphan)
{
    struct stage stage;

    stage_open(&stage);
    struct capture_settings capture = stage_capture(&stage);
    struct pool_settings settings = stage_settings(
        stage_version(&stage, "[ -e $D/once ] && { touch $D/go; " STAY "; }; "
                              "touch $D/once; setsid sh -c 'while [ ! -e $D/go ]; do sleep 0.01; "
                              "done; echo late' & exit 3"));
    settings.capture = &capture;
    settings.rules.restart.mode = RESTART_ON_FAILURE;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    cr_assert_eq(stage_await(&stage, REPORT_EXITED, 0)->cause.value, 3);
    stage_await_text(&stage, "stage.log", "#1 orphan] out: late\n");
    stage_close(&stage);
}

Test(output, a_program_that_is_not_there_leaves_nothing_open)
{
    struct stage stage;
    const char *const argv[] = {"/bin/sh", NULL};
    struct plan_spec spec = {.pool = "stage", .n_workers = 1, .argv = argv, .program = "/bin/sh"};
    struct plan_error error;
    struct plan *plan;
    struct version *version;
    struct worker_facts facts;

    stage_open(&stage);
    spec.directory = "/no/such/directory";
    struct capture_settings capture = stage_capture(&stage);
    cr_assert_eq(plan_new(&spec, &plan, &error), 0, "%s", error.text);
    cr_assert_eq(version_new_take(plan, &version), 0);
    struct pool_settings settings = stage_settings(version);
    settings.capture = &capture;
    struct engine_pool *pool = stage_pool(&stage, &settings);
    unsigned before = 0;
    for (int i = 0; i < 30; i++) {
        before = i == 10 ? count_descriptors() : before;
        stage_start(&stage, pool);
        stage_await(&stage, REPORT_GIVEN_UP, 0);
    }
    engine_worker(pool, 0, &facts);
    cr_assert_eq(facts.cause.kind, CAUSE_EXEC);
    cr_assert_null(facts.words);
    while (count_descriptors() > before)
        stage_turn(&stage);
    stage_close(&stage);
}

/* A version keeps what it was begun with; the next one has its own. */
Test(output, a_change_changes_where_it_goes)
{
    struct stage stage;

    stage_open(&stage);
    struct capture_settings capture = stage_capture(&stage);
    struct engine_pool *pool = captured_pool(&stage, &capture,
        stage_version(&stage, "trap 'echo told; exit 0' TERM; echo old; "
                              "while :; do sleep 60 & wait $!; done"));
    stage_start(&stage, pool);
    stage_await_text(&stage, "stage.log", "out: old\n");
    struct pool_settings settings = stage_settings(stage_version(&stage, "echo new; " STAY));
    capture.file.format = FRAME_JSON;
    settings.capture = &capture;
    cr_assert_eq(engine_change_pool_take(pool, &settings), 0);
    engine_pool_command(pool, EVENT_RESTART);
    stage_await_text(&stage, "stage.log", "told");
    stage_await_text(&stage, "stage.log", "\"text\":\"new\"");
    stage_close(&stage);
}

/* Who does not ask for it pays nothing. */
Test(output, a_pool_without_it_beside_one_with_it)
{
    struct stage stage;
    struct worker_facts facts;

    stage_open(&stage);
    stage_capture(&stage);
    struct pool_settings settings =
        stage_settings(stage_version(&stage, "one=$(readlink /proc/$$/fd/1); echo $one >$D/one"));
    struct engine_pool *pool = stage_pool(&stage, &settings);
    stage_start(&stage, pool);
    stage_await(&stage, REPORT_DONE, 0);
    engine_worker(pool, 0, &facts);
    cr_assert_null(facts.words);
    char own[128] = "";
    ssize_t length = readlink("/proc/self/fd/1", own, sizeof(own) - 2);
    cr_assert_gt(length, 0);
    own[length] = '\n';
    cr_assert_str_eq(stage_text(&stage, "one"), own);
    cr_assert_str_eq(stage_text(&stage, "stage.log"), "");
    stage_close(&stage);
}
