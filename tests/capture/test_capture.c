/* SPDX-License-Identifier: MIT */

/* From the pipe of a worker to its lines: tags, orphans, last words, limits, backpressure. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

TestSuite(capture, .timeout = RIG_TIMEOUT);

Test(capture, tags_lines_and_keeps_the_last_one)
{
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1), b = rig_start(&rig, 1, 7);
    rig_write(&a, FRAME_OUT, "one\ntwo\n");
    rig_write(&b, FRAME_ERR, "not ended");
    rig_end(&a, NULL);
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *log = rig_read(&rig, "web.log");
    cr_assert_eq(rig_count(log, "\n"), 3, "%s", log);
    cr_assert(strstr(log, "Z web/0 [100 #1] out: one\n"), "%s", log);
    cr_assert(strstr(log, "Z web/0 [100 #1] out: two\n"), "%s", log);
    cr_assert(strstr(log, "Z web/1 [101 #7] err$ not ended\n"), "%s", log);
    free(log);
    rig_finish(&rig);
}

Test(capture, gives_pipes_that_are_plain_for_the_worker)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.targets[FRAME_ERR] = CAPTURE_NONE;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    cr_assert_eq(a.fds[FRAME_ERR], -1);
    cr_assert_eq(fcntl(a.fds[FRAME_OUT], F_GETFL) & O_NONBLOCK, 0);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

Test(capture, keeps_lines_apart_whatever_portions_they_come_in)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.line_max = 64;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1), b = rig_start(&rig, 1, 1);
    for (int i = 0; i < 100; i++) {
        rig_write(&a, FRAME_OUT, "a");
        rig_write(&b, FRAME_OUT, i % 10 == 9 ? "b\n" : "b");
        cr_assert_geq(loop_turn(rig.loop, false), 0);
    }
    rig_write(&a, FRAME_OUT, "\n");
    rig_end(&a, NULL);
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *log = rig_read(&rig, "web.log");
    cr_assert_eq(rig_count(log, "out: bbbbbbbbbb\n"), 10, "%s", log);
    cr_assert_eq(rig_count(log, "out+ aaaaaaaa"), 1, "%s", log);
    cr_assert_eq(rig_count(log, "out: aaaa"), 1, "%s", log);
    cr_assert_eq(rig_count(log, "\n"), 12, "%s", log);
    free(log);
    rig_finish(&rig);
}

Test(capture, tells_orphans_from_the_process)
{
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    int orphan = fcntl(a.fds[FRAME_OUT], F_DUPFD_CLOEXEC, 0);
    rig_write(&a, FRAME_OUT, "mine\nthe last wo");
    rig_end(&a, NULL);
    struct rig_process b = rig_start(&rig, 0, 2);
    cr_assert_eq(write(orphan, "theirs\n", 7), 7);
    close(orphan);
    rig_write(&b, FRAME_OUT, "new\n");
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *log = rig_read(&rig, "web.log");
    static const char *const expected[] = {
        "[100 #1] out: mine\n",
        "[100 #1] out$ the last wo\n",
        "[100 #2] out: new\n",
        "[100 #1 orphan] out: theirs\n",
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
        cr_assert(strstr(log, expected[i]), "%s is not in\n%s", expected[i], log);
    cr_assert_lt(strstr(log, "the last wo"), strstr(log, "theirs"));
    free(log);
    rig_finish(&rig);
}

Test(capture, remembers_the_last_words)
{
    struct rig rig;
    char memory[256], line[32];
    struct buffer words = BUFFER(memory);

    rig_init(&rig);
    rig.settings.last_words = 40;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), "line %02d\n", i);
        rig_write(&a, FRAME_ERR, line);
        if (i % 3 == 0)
            loop_turn(rig.loop, false);
    }
    rig_write(&a, FRAME_OUT, "output\n");
    rig_end(&a, &words);
    cr_assert_str_eq(memory, "line 16\nline 17\nline 18\nline 19");

    words = BUFFER(memory);
    a = rig_start(&rig, 0, 2);
    rig_write(&a, FRAME_ERR, "panic");
    rig_end(&a, &words);
    cr_assert_str_eq(memory, "panic");
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* Nothing can be written, and what came last is in the pipe still: the cause is what matters. */
Test(capture, remembers_the_last_words_that_wait_in_the_pipe)
{
    struct rig rig;
    char place[96], line[64] = "", memory[64];
    struct buffer words = BUFFER(memory);

    rig_init(&rig);
    rig.settings.last_words = 30;
    rig.settings.buffer = CAPTURE_BUFFER_MIN;
    rig_spoil(&rig, place);
    struct rig_process a = rig_start(&rig, 0, 1);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(line, sizeof(line), "error %u\n", i);
        rig_write(&a, FRAME_ERR, line);
        if (i == 1000)
            rig_turn_until(&rig, &rig.troubles, 1);
    }
    cr_assert_eq(write(a.fds[FRAME_ERR], "the\0cause\n", 10), 10);
    rig_end(&a, &words);
    cr_assert_str_eq(words.data, "error 2999\nthe?cause");
    struct rig_process b = rig_start(&rig, 0, 2); /* whose words these are not */
    words = BUFFER(memory);
    rig_end(&b, &words);
    cr_assert_eq(words.length, 0);
    unlink(place);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "logs/web.log");
    cr_assert_eq(rig_count(log, "error "), 3000);
    free(log);
    rig_finish(&rig);
}

Test(capture, limits_the_rate_and_says_so)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.rate_burst = 5;
    rig.settings.rate_interval = 3600 * NSEC_PER_SEC;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1), b = rig_start(&rig, 1, 1);
    for (int i = 0; i < 20; i++)
        rig_write(&a, i % 2 ? FRAME_OUT : FRAME_ERR, "many\n");
    rig_write(&b, FRAME_OUT, "few\n");
    rig_end(&a, NULL);
    rig_end(&b, NULL);

    /* A new process has not got a new bucket. */
    a = rig_start(&rig, 0, 2);
    rig_write(&a, FRAME_OUT, "more\n");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *log = rig_read(&rig, "web.log");
    unsigned suppressed = 0, n;
    for (const char *at = log; (at = strstr(at, "! ")); at++)
        suppressed += sscanf(at, "! %u lines suppressed", &n) == 1 ? n : 0;
    cr_assert_eq(rig_count(log, "many\n"), 5, "%s", log);
    cr_assert_eq(rig_count(log, "few\n"), 1, "%s", log);
    cr_assert_eq(suppressed, 16, "%s", log);
    free(log);
    rig_finish(&rig);
}

/* Numbered lines until the pipe takes no more, and turns do not help; how many it took. */
static unsigned write_until_full(struct rig *rig, const struct rig_process *process) {
    int fd = process->fds[FRAME_OUT];
    unsigned n = 0;
    char line[16];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        int length = snprintf(line, sizeof(line), "line %08u\n", n);

        if (write(fd, line, (size_t)length) == length) {
            n++;
            continue;
        }
        cr_assert_eq(errno, EAGAIN);
        rig_turn_until_quiet(rig);
        if (write(fd, line, (size_t)length) < 0)
            return n;
        n++;
    }
}

static void check_numbered(const char *log, unsigned n) {
    const char *at = log;
    char line[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "out: line %08u\n", i);
        at = strstr(at, line);
        cr_assert_not_null(at, "%s is missing", line);
    }
    cr_assert_eq(rig_count(log, "\n"), n);
}

Test(capture, holds_back_the_worker_that_writes_and_no_other)
{
    struct rig rig;
    char place[96];

    rig_init(&rig);
    rig_spoil(&rig, place);
    struct capture_settings other = rig.settings;
    struct capture_pool *pool;
    other.pool = "other";
    other.file.directory = rig.directory;
    cr_assert_eq(capture_pool_new(rig.capture, &other, &pool), 0);

    struct rig_process a = rig_start(&rig, 0, 1);
    unsigned n = write_until_full(&rig, &a);
    size_t bytes = n * strlen("line 00000000\n");
    cr_assert_leq(bytes, CAPTURE_BUFFER + 65536, "%zu bytes are on their way", bytes);
    cr_assert_geq(bytes, CAPTURE_BUFFER / 2 + 65536, "%zu bytes are on their way", bytes);
    cr_assert_eq(capture_pool_facts(rig.pool).blocked, 1);

    /* Idle means idle, also while it waits. */
    cr_assert_eq(loop_turn(rig.loop, false), 0);

    struct capture_process *free_one;
    cr_assert_eq(capture_process_prepare(pool, 0, 1, &free_one), 0);
    capture_process_started(free_one, 7);
    cr_assert_eq(write(capture_process_fd(free_one, FRAME_OUT), "runs\n", 5), 5);
    capture_process_ended(free_one, NULL);
    while (capture_pool_facts(pool).streams > 0)
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    capture_pool_free(pool);

    unlink(place);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 1);
    char *log = rig_read(&rig, "logs/web.log");
    check_numbered(log, n);
    free(log);
    log = rig_read(&rig, "other.log");
    cr_assert(strstr(log, "runs\n"));
    free(log);
    rig_finish(&rig);
}

Test(capture, drops_and_says_how_much_where_it_is_missing)
{
    struct rig rig;
    char place[96], line[32];
    unsigned total = 200000, missing = 0, last = 0, n;

    rig_init(&rig);
    rig.settings.overflow = CAPTURE_DROP;
    rig_spoil(&rig, place);
    struct rig_process a = rig_start(&rig, 0, 1);
    for (unsigned i = 0; i < total; i++) {
        snprintf(line, sizeof(line), "line %08u\n", i);
        rig_write(&a, FRAME_OUT, line);
        if (i % 1000 == 999)
            rig_turn_until_quiet(&rig);
        if (i == total / 2) {
            unlink(place);
            rig_turn_until(&rig, &rig.recoveries, 1);
        }
    }
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    uint64_t dropped = capture_pool_facts(rig.pool).dropped_lines;
    rig_close(&rig);

    char *log = rig_read(&rig, "logs/web.log");
    for (char *at = strtok(log, "\n"); at; at = strtok(NULL, "\n")) {
        if (strstr(at, "out: ")) {
            cr_assert_eq(sscanf(strstr(at, "out: "), "out: line %u", &n), 1, "%s", at);
            cr_assert_eq(n, last, "line %u instead of %u", n, last);
            last = n + 1;
        } else if (strstr(at, "out! ")) {
            cr_assert_eq(sscanf(strstr(at, "out! "), "out! %u lines are missing", &n), 1);
            missing += n;
            last += n;
        } else {
            cr_assert(strstr(at, "out~ line"), "%s", at);
        }
    }
    cr_assert_eq(last, total, "%u of %u", last, total);
    cr_assert_gt(missing, 1000);
    cr_assert_leq(missing - dropped, 1);
    free(log);
    rig_finish(&rig);
}

/* All that a pipe holds, read by nobody so far, and more than a stream may have on its way. */
static void end_at_once(enum frame_format format, const char *name) {
    struct rig rig;
    char line[32];
    unsigned n = 0;

    rig_init(&rig);
    rig.settings.file.format = format;
    rig.settings.buffer = CAPTURE_BUFFER_MIN;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    cr_assert_eq(fcntl(a.fds[FRAME_OUT], F_SETFL, O_NONBLOCK), 0);
    do
        snprintf(line, sizeof(line), "line %08u\n", n++);
    while (write(a.fds[FRAME_OUT], line, strlen(line)) > 0);
    rig_end(&a, NULL);
    rig_close(&rig);
    char *log = rig_read_all(&rig, name);
    cr_assert_eq(rig_count(log, "line "), n - 1);
    cr_assert_eq(rig_count(log, "missing"), 0);
    free(log);
    rig_finish(&rig);
}

Test(capture, takes_all_that_is_in_the_pipes_at_the_end)
{
    end_at_once(FRAME_TEXT, "web.log");
    end_at_once(FRAME_JSON, "web.log");
    end_at_once(FRAME_RAW, "web@0.out.log");
}

Test(capture, leaves_nothing_behind)
{
    struct rig rig;
    int before = dup(0), after;

    close(before);
    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1), b = rig_start(&rig, 1, 1);
    int orphan = fcntl(a.fds[FRAME_OUT], F_DUPFD_CLOEXEC, 100);
    struct capture_process *never;
    cr_assert_eq(capture_process_prepare(rig.pool, 2, 1, &never), 0);
    capture_process_ended(never, NULL);
    rig_write(&b, FRAME_OUT, "in the pipe at the end\n");
    rig_end(&a, NULL);
    rig_end(&b, NULL);
    rig_close(&rig);
    close(orphan);
    after = dup(0);
    close(after);
    cr_assert_eq(after, before);
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "in the pipe at the end\n"));
    free(log);
    rig_finish(&rig);
}

/* What is missing at the end stands before the end, and before what an orphan writes. */
Test(capture, says_what_is_missing_before_the_end_of_the_process)
{
    static const char *const expected[] = {
        "out~ begun", "out! 1 lines are missing here", "orphan] out: late"};
    struct rig rig;
    char place[96], *filler = malloc(60000);

    rig_init(&rig);
    rig.settings.overflow = CAPTURE_DROP;
    rig.settings.buffer = 20000;
    rig_spoil(&rig, place);
    struct rig_process a = rig_start(&rig, 0, 1);
    memset(filler, 'x', 60000);
    memcpy(filler + 15000, "\nbegun", 6);
    cr_assert_eq(write(a.fds[FRAME_OUT], filler, 15006), 15006);
    rig_turn_until_quiet(&rig);
    cr_assert_eq(write(a.fds[FRAME_OUT], filler, 15000), 15000);
    rig_turn_until_quiet(&rig);
    int orphan = fcntl(a.fds[FRAME_OUT], F_DUPFD_CLOEXEC, 0);
    cr_assert_eq(write(orphan, filler, 100), 100);
    rig_end(&a, NULL);
    unlink(place);
    rig_turn_until(&rig, &rig.recoveries, 1);
    cr_assert_eq(write(orphan, "\nlate\n", 6), 6);
    close(orphan);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *log = rig_read(&rig, "logs/web.log"), *at = log;
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        at = strstr(at, expected[i]);
        cr_assert_not_null(at, "%s is not where it belongs in\n%.2000s", expected[i], log + 15000);
    }
    free(filler);
    free(log);
    rig_finish(&rig);
}

/* A child copies its table up to the highest number that it is given. */
Test(capture, gives_low_numbers_however_many_are_in_use)
{
    struct rig rig;
    int many[200];

    rig_init(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < 200; i++)
        many[i] = dup(0);
    for (uint32_t generation = 1; generation < 50; generation++) {
        struct capture_process *process;

        cr_assert_eq(capture_process_prepare(rig.pool, 0, generation, &process), 0);
        cr_assert_lt(capture_process_fd(process, FRAME_OUT), many[0]);
        cr_assert_lt(capture_process_fd(process, FRAME_ERR), many[0]);
        cr_assert_eq(write(capture_process_fd(process, FRAME_OUT), "low\n", 4), 4);
        capture_process_started(process, 9);
        capture_process_settled(process);
        capture_process_ended(process, NULL);
        rig_turn_until_ended(&rig);
    }
    for (size_t i = 0; i < 200; i++)
        close(many[i]);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert_eq(rig_count(log, "low\n"), 49);
    free(log);
    rig_finish(&rig);
}
