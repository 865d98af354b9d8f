/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/record.h"
#include "run/sink_record.h"

#define WALL UINT64_C(1795371204123456789) /* 2026-11-22T18:13:24.123456789Z */

static struct record_style style_of(enum log_target_kind target, enum report_format format) {
    struct record_style style;

    record_style_init(target, format, &style);
    strcpy(style.host, "box");
    return style;
}

/* Of a worker's exit; the separators of fields as "|". */
static const char *line_of(
    enum log_target_kind target, enum report_format format, const char *pool) {
    static char array[2048];
    struct record_style style = style_of(target, format);
    struct buffer buffer = BUFFER(array);
    struct report report = {
        .kind = REPORT_GIVEN_UP,
        .worker = 3,
        .generation = 7,
        .pid = 4711,
        .reason = "failed",
        .cause = {.kind = CAUSE_EXIT, .value = 1},
    };
    struct engine_report told = {.pool = pool, .report = &report};

    record_add_line(&buffer, &style, WALL, &told);
    for (char *at = array; (at = strchr(at, RECORD_SEPARATOR));)
        *at = '|';
    return array;
}

static const char *note_of(enum log_target_kind target) {
    static char array[1024];
    struct record_style style = style_of(target, REPORT_TEXT);
    struct buffer buffer = BUFFER(array);

    record_add_note(&buffer, &style, WALL, NOTE_SHUTDOWN, "stopping");
    return array;
}

Test(record, syslog_has_level_event_and_fields)
{
    char expected[512];

    snprintf(expected, sizeof(expected),
        "<27>1 2026-11-22T18:13:24.123456Z box brood %d given-up "
        "[brood@32473 level=\"error\" pool=\"web\" worker=\"3\" generation=\"7\" pid=\"4711\"] "
        "web/3 [4711] given-up: failed (exit status 1)\n",
        getpid());
    cr_assert_str_eq(line_of(LOG_TO_SYSLOG, REPORT_TEXT, "web"), expected);
    snprintf(expected, sizeof(expected),
        "<30>1 2026-11-22T18:13:24.123456Z box brood %d shutdown [brood@32473 level=\"info\"] "
        "brood shutdown: stopping\n",
        getpid());
    cr_assert_str_eq(note_of(LOG_TO_SYSLOG), expected);
}

Test(record, journal_has_fields)
{
    char expected[512];

    snprintf(expected, sizeof(expected),
        "PRIORITY=3|SYSLOG_FACILITY=3|SYSLOG_IDENTIFIER=brood|SYSLOG_PID=%d|BROOD_EVENT=given-up|"
        "BROOD_POOL=web|BROOD_WORKER=3|BROOD_GENERATION=7|BROOD_PID=4711|"
        "MESSAGE=web/3 [4711] given-up: failed (exit status 1)\n",
        getpid());
    cr_assert_str_eq(line_of(LOG_TO_JOURNAL, REPORT_TEXT, "web"), expected);
}

Test(record, json_is_the_message)
{
    cr_assert(strstr(line_of(LOG_TO_JOURNAL, REPORT_JSON, "web"),
        "|MESSAGE={\"time\":\"2026-11-22T18:13:24.123456Z\",\"level\":\"error\","));
    cr_assert(strstr(line_of(LOG_TO_SYSLOG, REPORT_JSON, "web"), "] {\"time\":"));
}

Test(record, others_are_lines_as_ever)
{
    char line[512];
    struct buffer buffer = BUFFER(line);
    struct report report = {.kind = REPORT_READY};
    struct engine_report told = {.pool = "web", .report = &report};
    struct record_style style = style_of(LOG_TO_FILE, REPORT_TEXT);

    record_add_line(&buffer, &style, WALL, &told);
    cr_assert(strstr(line, ".123 web/0 ready\n"), "%s", line);
}

/* Nothing in a name can end a field, a value, or the line. */
Test(record, names_cannot_forge_fields)
{
    static const char evil[] = "a\x1fPRIORITY=0\nMESSAGE=x\"] <0>";

    for (int format = REPORT_TEXT; format <= REPORT_JSON; format++) {
        const char *line = line_of(LOG_TO_JOURNAL, (enum report_format)format, evil);

        cr_assert_null(strstr(line, "|PRIORITY=0"), "%s", line);
        cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "%s", line);
        line = line_of(LOG_TO_SYSLOG, (enum report_format)format, evil);
        cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "%s", line);
        cr_assert(strstr(line, " pool=\"a_PRIORITY=0_MESSAGE=x___<0>\" worker=\"3\""), "%s", line);
    }
}
