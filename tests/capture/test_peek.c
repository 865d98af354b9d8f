/* SPDX-License-Identifier: MIT */

/* Looking at what waits: that it is what will be written, and that looking changes nothing. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "rig.h"
#include "run/peek.h"

TestSuite(peek, .timeout = RIG_TIMEOUT);

static struct rig rig;
static struct rlimit before;

/* The disk is full from that size on. */
static void fill_disk(rlim_t size) {
    struct rlimit small;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &small);
}

static void on_peeked(void *data) {
    ++*(unsigned *)data;
}

struct seen {
    char name[64];
    bool has_answered;
    struct sink_file file;
    char *pending, *unfinished;
    bool is_cut;
    unsigned files;
};

static void see(void *data, const struct capture_file *file) {
    const struct peek *peek = file->peek;
    struct seen *seen = data;

    cr_assert_str_eq(file->pool, "web");
    seen->files++;
    seen->has_answered = peek;
    snprintf(seen->name, sizeof(seen->name), "%s", strrchr(file->path, '/') + 1);
    if (!peek)
        return;
    cr_assert_eq(peek->error, 0);
    seen->file = peek->file;
    seen->pending = strndup(peek->n_pending ? peek->bytes : "", peek->n_pending);
    seen->unfinished = strndup(peek->length > peek->n_pending ? peek->bytes + peek->n_pending : "",
        peek->length - peek->n_pending);
    seen->is_cut = peek->is_cut;
}

static void seen_free(struct seen *seen) {
    free(seen->pending);
    free(seen->unfinished);
}

/* Of the one file that there is. */
static struct seen look(void) {
    struct seen seen = {0};
    unsigned answers = 0;
    uint64_t ticket = capture_peek(rig.capture, on_peeked, &answers);

    while (!capture_has_peeked(rig.capture, ticket))
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    capture_visit_files(rig.capture, ticket, see, &seen);
    capture_forget_peeks(rig.capture);
    cr_assert_eq(seen.files, 1);
    cr_assert(seen.has_answered);
    return seen;
}

/* What has just been read may still wait for its turn. */
static struct seen look_when_written(void) {
    struct seen seen = look();

    while (seen.pending[0] != '\0') {
        seen_free(&seen);
        seen = look();
    }
    return seen;
}

/* Turns until so many bytes have been read in all. */
static void read_bytes(uint64_t count) {
    while (capture_pool_facts(rig.pool).bytes < count)
        cr_assert_geq(loop_turn(rig.loop, true), 0);
}

/* What was told stands in the file, at the place that was told. */
static void check_told(const struct seen *seen) {
    char *log = rig_read(&rig, "web.log");
    struct stat status;
    char path[128];

    snprintf(path, sizeof(path), "%s/web.log", rig.directory);
    stat(path, &status);
    cr_assert(status.st_dev == seen->file.device && status.st_ino == seen->file.inode);
    cr_assert_leq(seen->file.size, strlen(log));
    cr_assert_eq(strncmp(log + seen->file.size, seen->pending, strlen(seen->pending)), 0,
        "told:\n%.300s\nwritten:\n%.300s", seen->pending, log + seen->file.size);
    free(log);
}

Test(peek, tells_of_the_file_and_of_an_unfinished_line)
{
    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 3, 2);
    rig_write(&a, FRAME_OUT, "whole\nno end");
    read_bytes(strlen("whole\nno end"));
    struct seen seen = look_when_written();
    check_told(&seen);
    cr_assert(strstr(seen.unfinished, " web/3 [103 #2] out> no end\n"), "%s", seen.unfinished);
    seen_free(&seen);
    rig_write(&a, FRAME_OUT, " yet\n");
    read_bytes(strlen("whole\nno end yet\n"));
    seen = look_when_written();
    cr_assert_str_eq(seen.unfinished, "");
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "out: whole\n") && strstr(log, "out: no end yet\n"), "%s", log);
    cr_assert_eq(seen.file.size, strlen(log));
    free(log);
    seen_free(&seen);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    seen = look();
    cr_assert(strlen(seen.pending) == 0 && strlen(seen.unfinished) == 0);
    seen_free(&seen);
    rig_close(&rig);
    rig_finish(&rig);
}

/* Its end comes a little after the process's. */
static struct seen look_when_over(struct seen *ret_again) {
    struct seen seen = look();

    *ret_again = look();
    while (strcmp(seen.pending, ret_again->pending) != 0) {
        seen_free(&seen);
        seen = *ret_again;
        *ret_again = look();
    }
    return seen;
}

#define LINES 3000 /* more than what is rendered at once */

/* Torn lines, notes, holes, ends, orphans and a rate limit, while nothing can be written. */
static void check_format(enum frame_format format) {
    rig_init(&rig);
    rig.settings.file.format = format;
    rig.settings.rate_burst = 2000;
    rig.settings.rate_interval = 60 * NSEC_PER_SEC;
    rig_open(&rig);
    fill_disk(10001);
    struct rig_process a = rig_start(&rig, 0, 1), b = rig_start(&rig, 0, 2);
    rig_write_lines(&rig, &a, LINES);
    rig_turn_until(&rig, &rig.troubles, 1);
    rig_write(&b, FRAME_ERR, "half a \xff");
    read_bytes(LINES * 14 + 8);
    rig_write(&b, FRAME_ERR, "line\nand a rest");
    read_bytes(LINES * 14 + 8 + 15);
    rig_write(&a, FRAME_ERR, "no end");
    rig_end(&a, NULL);
    struct seen second, first = look_when_over(&second);
    cr_assert(strstr(first.pending, "line 00000999") && strstr(first.pending, "suppressed"));
    cr_assert_not(strstr(first.pending, "and a rest"));
    cr_assert_not(first.is_cut);
    setrlimit(RLIMIT_FSIZE, &before);
    rig_turn_until(&rig, &rig.recoveries, 1);
    check_told(&second);
    seen_free(&first);
    seen_free(&second);
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

Test(peek, tells_what_will_be_written_byte_for_byte)
{
    check_format(FRAME_TEXT);
    check_format(FRAME_JSON);
}

/* More than what is rendered at once: a line has been cut off already, and was not taken. */
Test(peek, tells_of_a_line_that_was_refused)
{
    rig_init(&rig);
    rig_open(&rig);
    fill_disk(5000);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write_lines(&rig, &a, 4000);
    rig_turn_until(&rig, &rig.troubles, 1);
    read_bytes(4000 * 14);
    struct seen seen = look();
    cr_assert_not(seen.is_cut);
    setrlimit(RLIMIT_FSIZE, &before);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    check_told(&seen);
    rig_check_lines(&rig, 4000);
    seen_free(&seen);
    rig_finish(&rig);
}

/* The limit has suppressed how the line begins: the rest of it is not shown either. */
Test(peek, knows_what_is_suppressed)
{
    char text[128];

    rig_init(&rig);
    rig.settings.line_max = FRAME_LIMIT_MIN;
    rig.settings.rate_burst = 1;
    rig.settings.rate_interval = 60 * NSEC_PER_SEC;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    snprintf(text, sizeof(text), "first\n%0100d", 0);
    rig_write(&a, FRAME_OUT, text);
    read_bytes(strlen(text));
    struct seen seen = look_when_written();
    cr_assert_str_eq(seen.unfinished, "");
    seen_free(&seen);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* A look that was cut off is the beginning of what will be written. */
Test(peek, is_bounded)
{
    static char lines[CAPTURE_BUFFER - 4096];

    rig_init(&rig);
    rig_open(&rig);
    fill_disk(4096);
    memset(lines, '\n', sizeof(lines) - 1);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, lines);
    rig_turn_until(&rig, &rig.troubles, 1);
    read_bytes(sizeof(lines) - 1);
    struct seen first = look(), second = look();
    cr_assert(first.is_cut && second.is_cut);
    cr_assert_gt(strlen(second.pending), CAPTURE_PEEK_MAX / 4);
    cr_assert_leq(strlen(second.pending), CAPTURE_PEEK_MAX);
    cr_assert_str_eq(first.pending, second.pending);
    setrlimit(RLIMIT_FSIZE, &before);
    rig_turn_until(&rig, &rig.recoveries, 1);
    check_told(&second);
    seen_free(&first);
    seen_free(&second);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* Whoever asks while another look is under way gets one that is not older than his question. */
Test(peek, answers_each_with_what_was_after_the_question)
{
    struct seen seen = {0};
    unsigned answers = 0;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    uint64_t first = capture_peek(rig.capture, on_peeked, &answers);
    rig_write(&a, FRAME_OUT, "after the first");
    read_bytes(strlen("after the first"));
    uint64_t second = capture_peek(rig.capture, on_peeked, &answers);
    while (!capture_has_peeked(rig.capture, second))
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    cr_assert(capture_has_peeked(rig.capture, first));
    capture_visit_files(rig.capture, second, see, &seen);
    cr_assert(strstr(seen.unfinished, "out> after the first"), "%s", seen.unfinished);
    capture_forget_peeks(rig.capture);
    seen_free(&seen);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* What has begun since belongs to the next question: it is no file that does not answer. */
Test(peek, tells_of_the_files_that_there_were)
{
    struct seen seen = {0};
    unsigned answers = 0;

    rig_init(&rig);
    rig.settings.file.format = FRAME_RAW;
    rig.settings.targets[FRAME_ERR] = CAPTURE_NONE;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    uint64_t ticket = capture_peek(rig.capture, on_peeked, &answers);
    struct rig_process b = rig_start(&rig, 1, 1);
    while (!capture_has_peeked(rig.capture, ticket))
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    capture_visit_files(rig.capture, ticket, see, &seen);
    cr_assert_eq(seen.files, 1);
    cr_assert(seen.has_answered);
    cr_assert_str_eq(seen.name, "web@0.out.log");
    capture_forget_peeks(rig.capture);
    seen_free(&seen);
    rig_end(&a, NULL);
    rig_end(&b, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* What is under way when everything ends belongs to nobody, and is not lost either. */
Test(peek, may_be_under_way_at_the_end)
{
    unsigned answers = 0;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, "line 00000000\n");
    capture_peek(rig.capture, on_peeked, &answers);
    rig_end(&a, NULL);
    rig_close(&rig);
    rig_check_lines(&rig, 1);
    rig_finish(&rig);
}
