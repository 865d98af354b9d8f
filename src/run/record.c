/* SPDX-License-Identifier: MIT */
#include "run/record.h"

#include <syslog.h>
#include <unistd.h>

#include "base/utc.h"
#include "run/sink_record.h"

/* What a message is about. */
struct head {
    enum log_level level;
    const char *event;
    const struct engine_report *told; /* NULL: brood itself */
};

static bool is_of_worker(const struct head *head) {
    return head->told && head->told->report->kind < REPORT_FIRST_OF_POOL;
}

static void add_syslog_head(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    const struct head *head) {
    char time[UTC_LENGTH + 1];

    buffer_add_format(
        buffer, "<%d>1 %s ", LOG_DAEMON | level_severity(head->level), utc_format(wall, time));
    syslog_add_word(buffer, style->host, SYSLOG_HOST_MAX);
    buffer_add_format(buffer, " brood %d %s [" SYSLOG_STRUCTURED_ID " level=\"%s\"", getpid(),
        head->event, level_name(head->level));
    if (head->told) {
        buffer_add_text(buffer, " pool=\"");
        syslog_add_word(buffer, head->told->pool, SIZE_MAX);
        buffer_add_text(buffer, "\"");
    }
    if (is_of_worker(head))
        buffer_add_format(buffer, " worker=\"%u\" generation=\"%u\"", head->told->report->worker,
            head->told->report->generation);
    if (head->told && head->told->report->pid != 0)
        buffer_add_format(buffer, " pid=\"%d\"", head->told->report->pid);
    buffer_add_text(buffer, "] ");
}

static void end_field(struct buffer *buffer) {
    static const char separator = RECORD_SEPARATOR;

    buffer_add(buffer, &separator, 1);
}

static void add_field(struct buffer *buffer, const char *name, const char *value) {
    buffer_add_format(buffer, "%s=", name);
    buffer_add_visible(buffer, value);
    end_field(buffer);
}

static void add_number(struct buffer *buffer, const char *name, int64_t value) {
    buffer_add_format(buffer, "%s=%lld", name, (long long)value);
    end_field(buffer);
}

static void add_journal_head(struct buffer *buffer, const struct head *head) {
    add_number(buffer, "PRIORITY", level_severity(head->level));
    add_number(buffer, "SYSLOG_FACILITY", LOG_DAEMON >> 3);
    add_field(buffer, "SYSLOG_IDENTIFIER", "brood");
    add_number(buffer, "SYSLOG_PID", getpid());
    add_field(buffer, "BROOD_EVENT", head->event);
    if (head->told)
        add_field(buffer, "BROOD_POOL", head->told->pool);
    if (is_of_worker(head)) {
        add_number(buffer, "BROOD_WORKER", head->told->report->worker);
        add_number(buffer, "BROOD_GENERATION", head->told->report->generation);
    }
    if (head->told && head->told->report->pid != 0)
        add_number(buffer, "BROOD_PID", head->told->report->pid);
    buffer_add_text(buffer, "MESSAGE=");
}

static void add_head(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    const struct head *head) {
    if (style->target == LOG_TO_SYSLOG)
        add_syslog_head(buffer, style, wall, head);
    else if (style->target == LOG_TO_JOURNAL)
        add_journal_head(buffer, head);
}

void record_style_init(
    enum log_target_kind target, enum report_format format, struct record_style *ret_style) {
    bool has_time = target == LOG_TO_SYSLOG || target == LOG_TO_JOURNAL;

    ret_style->target = target;
    ret_style->format = has_time && format != REPORT_JSON ? REPORT_MESSAGE : format;
    if (target == LOG_TO_SYSLOG)
        syslog_read_host(ret_style->host);
}

void record_add_line(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    const struct engine_report *told) {
    enum report_kind kind = told->report->kind;
    struct head head = {report_kind_level(kind), report_kind_name(kind), told};

    add_head(buffer, style, wall, &head);
    report_add_line(buffer, style->format, wall, told);
}

void record_add_note(struct buffer *buffer, const struct record_style *style, uint64_t wall,
    enum report_note note, const char *text) {
    struct head head = {report_note_level(note), report_note_name(note), NULL};

    add_head(buffer, style, wall, &head);
    report_add_note(buffer, style->format, wall, note, text);
}
