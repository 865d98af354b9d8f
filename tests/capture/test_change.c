/* SPDX-License-Identifier: MIT */

/* A pool whose settings change while it is captured. */

#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Written by a process that goes on meanwhile. */
Test(change, rotates_the_same_file_otherwise)
{
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write_lines(&rig, &a, 1000);
    rig.settings.file.max_size = 10000;
    cr_assert(rig_change(&rig));
    rig_write_lines(&rig, &a, 1000);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 0);
    cr_assert_gt(rig_count_segments(&rig), 3);
    char *log = rig_read_all(&rig, "web.log");
    cr_assert_eq(rig_count(log, "line"), 2000);
    free(log);
    rig_finish(&rig);
}

/* In raw, each worker and stream has a file of its own, which the pool does not know. */
Test(change, rotates_the_files_of_workers_otherwise)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.format = FRAME_RAW;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 3, 1);
    rig_write_lines(&rig, &a, 100);
    rig.settings.file.max_size = 100;
    cr_assert(rig_change(&rig));
    rig_write_lines(&rig, &a, 100);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "web@3.out.log"), *all = rig_read_all(&rig, "web@3.out.log");
    cr_assert_leq(strlen(log), 100);
    cr_assert_eq(rig_count(all, "line"), 200);
    free(log);
    free(all);
    rig_finish(&rig);
}

/* One file is not two pools', whatever their names are. */
Test(change, leaves_its_file_to_the_pool_that_has_it)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.format = FRAME_RAW;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    struct capture_settings settings = rig.settings;
    struct capture_pool *other;
    settings.pool = "web@0.out";
    settings.file.format = FRAME_TEXT;
    cr_assert_eq(capture_pool_new(rig.capture, &settings, &other), -EEXIST);
    rig_write(&a, FRAME_OUT, "as it is\n");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "web@0.out.log");
    cr_assert_str_eq(log, "as it is\n");
    free(log);
    rig_finish(&rig);
}

/* What a replacement is started with does not reach into what the former one still writes. */
Test(change, of_the_rate_is_for_what_is_started_then)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.rate_burst = 2;
    rig.settings.rate_interval = 3600 * NSEC_PER_SEC;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig.settings.rate_burst = 1000;
    cr_assert(rig_change(&rig));
    struct rig_process b = rig_start(&rig, 0, 2);
    rig_write_lines(&rig, &a, 10);
    rig_end(&a, NULL);
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert_eq(rig_count(log, ": line"), 2, "%s", log);
    cr_assert(strstr(log, "! 8 lines suppressed: more than 2 within 1h"), "%s", log);
    free(log);
    rig_finish(&rig);
}

static void run_in(struct rig *rig, struct capture_pool *pool, uint32_t generation) {
    rig->pool = pool;
    struct rig_process process = rig_start(rig, 0, generation);
    rig_write(&process, FRAME_OUT, "line\n");
    rig_end(&process, NULL);
    rig_turn_until_ended(rig);
}

/* A version that fails, or of which nothing is ever started, leaves no trace in the file. */
Test(change, of_the_format_begins_and_ends_with_what_is_started)
{
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    struct capture_pool *text = rig.pool, *json;
    rig.settings.file.format = FRAME_JSON;
    cr_assert_eq(capture_pool_change(rig.capture, text, &rig.settings, &json), 0);
    run_in(&rig, text, 1);
    run_in(&rig, json, 2);
    run_in(&rig, text, 3);
    run_in(&rig, json, 4);
    capture_pool_free(json);
    run_in(&rig, text, 5);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    const char *at = log;
    for (int i = 1; i <= 5; i++) {
        cr_assert_eq(*at == '{', i % 2 == 0, "line %d: %s", i, log);
        at = strchr(at, '\n') + 1;
    }
    cr_assert_str_eq(at, "");
    free(log);
    rig_finish(&rig);
}

Test(change, of_what_the_caller_keeps_changes_nothing)
{
    char name[] = "web";
    struct rig rig;

    rig_init(&rig);
    rig.settings.pool = name;
    rig_open(&rig);
    strcpy(name, "db");
    cr_assert_str_eq(capture_pool_settings(rig.pool)->pool, "web");
    rig_close(&rig);
    rig_finish(&rig);
}

/* Each of these makes it another pool; what runs is kept where it was. */
Test(change, of_the_place_leaves_what_runs_where_it_is)
{
    static const struct frame_label label = {.facility = LOG_LOCAL0};

    for (int i = 0; i < 4; i++) {
        struct rig rig;
        char other[96];

        rig_init(&rig);
        snprintf(other, sizeof(other), "%s/other", rig.directory);
        rig_open(&rig);
        struct rig_process a = rig_start(&rig, 0, 1);
        rig_write(&a, FRAME_OUT, "one\n");
        if (i == 0)
            rig.settings.file.directory = other;
        else if (i == 1)
            rig.settings.file.format = FRAME_RAW;
        else if (i == 2)
            rig.settings.targets[FRAME_ERR] = CAPTURE_NONE;
        else
            rig.settings.label = label;
        struct capture_pool *before = rig.pool;
        cr_assert_eq(capture_pool_change(rig.capture, before, &rig.settings, &rig.pool), 0);
        cr_assert_neq(rig.pool, before);
        rig_write(&a, FRAME_OUT, "two\n");
        rig_end(&a, NULL);
        while (capture_pool_facts(before).streams > 0)
            cr_assert_geq(loop_turn(rig.loop, true), 0);
        capture_pool_free(before);
        rig_close(&rig);
        char *log = rig_read(&rig, "web.log");
        cr_assert(strstr(log, "out: one\n") && strstr(log, "out: two\n"), "%d: %s", i, log);
        free(log);
        rig_finish(&rig);
    }
}

/* Writes until the pipe is full, turns the loop until it is not. */
static void press(struct rig *rig, const struct rig_process *process, const char *text) {
    while (write(process->fds[FRAME_OUT], text, strlen(text)) < 0) {
        cr_assert_eq(errno, EAGAIN);
        cr_assert_geq(loop_turn(rig->loop, true), 0);
    }
}

/* Who waits for a disk that stays full need not wait any more. */
Test(change, to_drop_lets_go_who_was_held_back)
{
    struct rig rig;
    char place[96], text[4096 + 1] = "";

    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    rig_init(&rig);
    snprintf(place, sizeof(place), "%s/web.log", rig.directory);
    cr_assert_eq(mkdir(place, 0700), 0);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    cr_assert_eq(fcntl(a.fds[FRAME_OUT], F_SETFL, O_NONBLOCK), 0);
    while (capture_pool_facts(rig.pool).blocked == 0) {
        ssize_t n = write(a.fds[FRAME_OUT], text, sizeof(text) - 1);

        cr_assert(n > 0 || errno == EAGAIN);
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    }
    rig.settings.overflow = CAPTURE_DROP;
    cr_assert(rig_change(&rig));
    for (int i = 0; i < 100; i++) /* more than pipe and buffer hold */
        press(&rig, &a, text);
    cr_assert_gt(capture_pool_facts(rig.pool).dropped_lines, 50);
    rig_turn_until(&rig, &rig.troubles, 1);
    rmdir(place);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}
