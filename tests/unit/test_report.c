/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "run/report.h"

#define WALL UINT64_C(1795371204123456789) /* 2026-11-22T18:13:24.123456789Z */

static void set_up(void) {
    setenv("TZ", "UTC0", 1);
    tzset();
}

TestSuite(report, .init = set_up);

static const char *line_of(
    enum report_format format, struct report report, const char *pool, const char *detail) {
    static char array[1024];
    struct buffer buffer = BUFFER(array);
    struct engine_report told = {.pool = pool, .report = &report, .detail = detail};

    report_add_line(&buffer, format, WALL, &told);
    return array;
}

/* Without the time, which is the same in each. */
static const char *text(struct report report, const char *detail) {
    static const char time[] = "2026-11-22 18:13:24.123 ";
    const char *line = line_of(REPORT_TEXT, report, "web", detail);

    cr_assert_eq(strncmp(line, time, strlen(time)), 0, "%s", line);
    return line + strlen(time);
}

/* Without time and level. */
static const char *json(struct report report, const char *detail) {
    const char *line = line_of(REPORT_JSON, report, "web", detail);
    char head[96];
    int n =
        snprintf(head, sizeof(head), "{\"time\":\"2026-11-22T18:13:24.123456Z\",\"level\":\"%s\",",
            level_name(report_kind_level(report.kind)));

    cr_assert_eq(strncmp(line, head, (size_t)n), 0, "%s", line);
    return line + n;
}

static struct report about(enum report_kind kind) {
    return (struct report){.kind = kind, .worker = 3, .generation = 7};
}

Test(report, text_says_who_what_and_why)
{
    struct report report = about(REPORT_STARTED);

    report.pid = 4711;
    cr_assert_str_eq(text(report, NULL), "web/3 [4711] started (generation 7)\n");

    report.kind = REPORT_EXITED;
    report.cause = (struct cause){.kind = CAUSE_CORE, .value = SIGSEGV};
    report.ran = 1500 * NSEC_PER_MSEC;
    cr_assert_str_eq(
        text(report, NULL), "web/3 [4711] exited: dumped core on SIGSEGV, after 1.5s\n");

    report = about(REPORT_BACKOFF);
    report.delay = 200 * NSEC_PER_MSEC;
    cr_assert_str_eq(text(report, NULL), "web/3 backoff: restart in 200ms\n");

    report = about(REPORT_KILLING);
    report.reason = "the stop timeout is over";
    cr_assert_str_eq(text(report, NULL), "web/3 killing: the stop timeout is over\n");

    report = about(REPORT_SPAWN_FAILED);
    report.cause = (struct cause){.kind = CAUSE_SPAWN, .value = EAGAIN};
    cr_assert_str_eq(text(report, NULL), "web/3 spawn-failed: Resource temporarily unavailable\n");
    cr_assert_str_eq(text(report, "clone: no"), "web/3 spawn-failed: clone: no\n");

    cr_assert_str_eq(
        text(about(REPORT_LEFTOVER), "x[5]"), "web/3 leftover: SIGKILL did not end x[5]\n");
    cr_assert_str_eq(text(about(REPORT_STOPPED), NULL), "web/3 stopped\n");
}

Test(report, what_was_given_up_has_its_cause)
{
    struct report report = about(REPORT_GIVEN_UP);

    report.reason = "failed";
    report.cause = (struct cause){.kind = CAUSE_EXIT, .value = 1};
    cr_assert_str_eq(text(report, NULL), "web/3 given-up: failed (exit status 1)\n");
    report.reason = "SIGKILL did not end it"; /* it has not ended: there is no cause to tell */
    report.cause = (struct cause){0};
    cr_assert_str_eq(text(report, NULL), "web/3 given-up: SIGKILL did not end it\n");
}

Test(report, reports_of_the_pool_name_no_worker)
{
    for (int kind = REPORT_FIRST_OF_POOL; kind < REPORT_MAX; kind++) {
        const char *line = text((struct report){.kind = (enum report_kind)kind}, NULL);

        cr_assert_eq(strncmp(line, "web ", 4), 0, "%s", line);
        line = json((struct report){.kind = (enum report_kind)kind}, NULL);
        /* A roll that failed names the worker that did not come up. */
        cr_assert_eq(strstr(line, "\"worker\"") != NULL, kind == REPORT_ROLL_FAILED, "%s", line);
    }
}

Test(report, json_has_a_member_for_each_fact)
{
    struct report report = about(REPORT_EXITED);

    report.pid = 4711;
    report.cause = (struct cause){.kind = CAUSE_SIGNAL, .value = SIGKILL};
    report.ran = 2 * NSEC_PER_SEC + 5000;
    cr_assert_str_eq(json(report, NULL),
        "\"event\":\"exited\",\"pool\":\"web\",\"worker\":3,\"generation\":7,\"pid\":4711,"
        "\"cause\":\"killed by SIGKILL\",\"cause_kind\":\"signal\",\"signal\":\"SIGKILL\","
        "\"exit_status\":137,\"ran\":2.000005}\n");

    report = about(REPORT_BACKOFF);
    report.delay = 100 * NSEC_PER_MSEC;
    cr_assert_str_eq(json(report, NULL), "\"event\":\"backoff\",\"pool\":\"web\",\"worker\":3,"
                                         "\"generation\":7,\"delay\":0.100000}\n");

    cr_assert_str_eq(json(about(REPORT_LEFTOVER), "a[1], b[2]"),
        "\"event\":\"leftover\",\"pool\":\"web\",\"worker\":3,\"generation\":7,"
        "\"processes\":\"a[1], b[2]\"}\n");
}

/* Whatever a pool or a process is called: one line, one object. */
Test(report, names_cannot_forge_lines)
{
    static const char evil[] = "a\nb\"}\n{\"\x1b[31m";
    struct report report = about(REPORT_SPAWN_FAILED);

    report.cause = (struct cause){.kind = CAUSE_SPAWN, .value = EAGAIN};
    for (int format = REPORT_TEXT; format <= REPORT_JSON; format++) {
        const char *line = line_of((enum report_format)format, report, evil, evil);

        cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "%s", line);
        if (format != REPORT_TEXT_COLOURED)
            cr_assert_null(strchr(line, '\x1b'), "%s", line);
    }
}

Test(report, colours_are_closed_again)
{
    for (int kind = 0; kind < REPORT_MAX; kind++) {
        struct report report = about((enum report_kind)kind);

        report.reason = "r";
        const char *line = line_of(REPORT_TEXT_COLOURED, report, "web", NULL);
        const char *open = strstr(line, "\033[3");

        if (open)
            cr_assert_not_null(strstr(open, "\033[0m"), "%s", line);
        cr_assert_null(strchr(line_of(REPORT_TEXT, report, "web", NULL), '\033'));
    }
}

/* Each kind in each format fits the buffer of its caller, and a short one is not overrun. */
Test(report, is_cut_and_not_overrun)
{
    for (size_t size = 1; size < 200; size++)
        for (int format = REPORT_TEXT; format <= REPORT_JSON; format++) {
            struct report report = about(REPORT_EXITED);
            struct buffer buffer = {.data = malloc(size), .size = size};
            struct engine_report told = {.pool = "web", .report = &report};

            report_add_line(&buffer, (enum report_format)format, WALL, &told);
            cr_assert_lt(buffer.length, size);
            cr_assert_eq(strlen(buffer.data), buffer.length);
            cr_assert_eq(buffer.cut, buffer.data[buffer.length - !!buffer.length] != '\n');
            free(buffer.data);
        }
}

/* All of them for programs, the last line for people, where nothing can hide. */
Test(report, last_words)
{
    struct report report = about(REPORT_EXITED);
    struct engine_report told = {.pool = "web", .report = &report, .words = "one\ntw\033o"};
    char line[512];
    struct buffer buffer = BUFFER(line);

    report_add_line(&buffer, REPORT_TEXT, WALL, &told);
    cr_assert(strstr(line, "; stderr: tw\\x1bo\n"), "%s", line);
    buffer = BUFFER(line);
    report_add_line(&buffer, REPORT_JSON, WALL, &told);
    cr_assert(strstr(line, ",\"stderr\":\"one\\u000atw\\u001bo\"}\n"), "%s", line);
}

Test(report, notes_are_brood_speaking)
{
    char array[256];
    struct buffer buffer = BUFFER(array);

    report_add_note(&buffer, REPORT_TEXT, WALL, NOTE_SHUTDOWN, "stopping");
    cr_assert_str_eq(array, "2026-11-22 18:13:24.123 brood shutdown: stopping\n");
    buffer.length = 0;
    report_add_note(&buffer, REPORT_JSON, WALL, NOTE_SHUTDOWN, "stop\"ping");
    cr_assert_str_eq(array, "{\"time\":\"2026-11-22T18:13:24.123456Z\",\"level\":\"info\","
                            "\"event\":\"shutdown\",\"reason\":\"stop\\\"ping\"}\n");
}

Test(report, commands_round_the_main_one_are_named)
{
    struct report report = about(REPORT_EXITED);

    report.role = ROLE_PRE;
    cr_assert(strstr(line_of(REPORT_TEXT, report, "web", NULL), " exited (ExecStartPre): "));
    cr_assert(strstr(line_of(REPORT_JSON, report, "web", NULL), "\"command\":\"ExecStartPre\""));
    report.role = ROLE_MAIN;
    cr_assert_null(strstr(line_of(REPORT_JSON, report, "web", NULL), "\"command\""));
}

Test(report, a_pool_says_its_new_size)
{
    struct report report = {.kind = REPORT_SCALED, .worker = 7};

    cr_assert(strstr(line_of(REPORT_TEXT, report, "web", NULL), "web scaled: 7 workers\n"));
    cr_assert(strstr(line_of(REPORT_JSON, report, "web", NULL), "\"workers\":7}"));
}

/* -q of old, and still: what has failed for good. */
Test(report, errors_are_what_has_failed_for_good)
{
    static const enum report_kind errors[] = {REPORT_SPAWN_FAILED, REPORT_GIVEN_UP, REPORT_LEFTOVER,
        REPORT_RESTART_LIMIT, REPORT_ROLL_FAILED};
    size_t count = 0;

    for (int kind = 0; kind < REPORT_MAX; kind++)
        count += report_kind_level((enum report_kind)kind) == LEVEL_ERROR;
    cr_assert_eq(count, ELEMENTS(errors));
    for (size_t i = 0; i < ELEMENTS(errors); i++)
        cr_assert_eq(report_kind_level(errors[i]), LEVEL_ERROR);
}
