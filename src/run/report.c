/* SPDX-License-Identifier: MIT */
#include "run/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/signame.h"
#include "base/text.h"

static void add_clock(struct buffer *buffer, enum report_format format, uint64_t wall) {
    time_t seconds = (time_t)(wall / NSEC_PER_SEC);
    unsigned part = (unsigned)(wall % NSEC_PER_SEC / NSEC_PER_USEC);
    char text[40];
    struct tm tm;

    if (format == REPORT_MESSAGE)
        return;
    if (format == REPORT_JSON) {
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        buffer_add_format(buffer, "{\"time\":\"%s.%06uZ\"", text, part);
        return;
    }
    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    buffer_add_format(buffer, "%s.%03u ", text, part / 1000);
}

/* Red for what went wrong, yellow for what waits, green for what serves. */
static const char *colour_of(enum report_kind kind) {
    switch (kind) {
    case REPORT_SPAWN_FAILED:
    case REPORT_KILLING:
    case REPORT_GIVEN_UP:
    case REPORT_LEFTOVER:
    case REPORT_RESTART_LIMIT:
    case REPORT_ROLL_FAILED:
    case REPORT_RELOAD_FAILED:
        return "\033[31m";
    case REPORT_EXITED:
    case REPORT_BACKOFF:
    case REPORT_STOPPING:
        return "\033[33m";
    case REPORT_STARTED:
    case REPORT_READY:
        return "\033[32m";
    case REPORT_STOPPED:
    case REPORT_DONE:
    case REPORT_RELOADED:
    case REPORT_REPLACING:
    case REPORT_SCALED:
    case REPORT_UNHEARD:
    case REPORT_ROLLING:
    case REPORT_ROLL_DONE:
    case REPORT_ENDED:
    case REPORT_MAX:
        break;
    }
    return "";
}

static bool has_cause(enum report_kind kind) {
    return kind == REPORT_EXITED || kind == REPORT_SPAWN_FAILED || kind == REPORT_DONE ||
           kind == REPORT_GIVEN_UP || kind == REPORT_RELOAD_FAILED;
}

/* Which of a worker's commands it is about, as systemd.service(5) calls it; NULL: the main one. */
static const char *command_name(const struct report *report) {
    static const char *const names[] = {
        [ROLE_MAIN] = NULL,
        [ROLE_PRE] = "ExecStartPre",
        [ROLE_STOP_POST] = "ExecStopPost",
        [ROLE_POST] = "ExecStartPost",
        [ROLE_RELOAD] = "ExecReload",
    };
    bool told = report->kind == REPORT_EXITED || report->kind == REPORT_SPAWN_FAILED;

    return told ? names[report->role] : NULL;
}

static const char *cause_text(const struct engine_report *told, char buffer[80]) {
    return told->detail ? told->detail : cause_format(told->report->cause, buffer);
}

static void add_visible_cause(struct buffer *buffer, const struct engine_report *told) {
    char cause[80];

    buffer_add_visible(buffer, cause_text(told, cause));
}

static void add_verdict(struct buffer *buffer, const struct engine_report *told) {
    buffer_add_format(buffer, ": %s", told->report->reason);
    if (told->report->cause.kind == CAUSE_NONE)
        return;
    buffer_add_text(buffer, " (");
    add_visible_cause(buffer, told);
    buffer_add_text(buffer, ")");
}

/* Of what it wrote to standard error: as a rule the cause is in it. */
static void add_last_line(struct buffer *buffer, const char *words) {
    const char *newline = words ? strrchr(words, '\n') : NULL;

    if (!words)
        return;
    buffer_add_text(buffer, "; stderr: ");
    buffer_add_visible(buffer, newline ? newline + 1 : words);
}

static void add_end(struct buffer *buffer, const struct engine_report *told) {
    const struct report *report = told->report;
    char duration[32];

    buffer_add_format(buffer, ": %s%s", report->reason ?: "", report->reason ? ": " : "");
    add_visible_cause(buffer, told);
    buffer_add_format(buffer, ", after %s", text_format_duration(report->ran, duration));
    add_last_line(buffer, told->words);
}

/* What the line says after the event's name. */
static void add_explanation(struct buffer *buffer, const struct engine_report *told) {
    const struct report *report = told->report;
    char duration[32];

    switch (report->kind) {
    case REPORT_STARTED:
        buffer_add_format(buffer, " (generation %u)", report->generation);
        break;
    case REPORT_EXITED:
        add_end(buffer, told);
        break;
    case REPORT_SPAWN_FAILED:
    case REPORT_RELOAD_FAILED:
        buffer_add_text(buffer, ": ");
        add_visible_cause(buffer, told);
        break;
    case REPORT_BACKOFF:
        buffer_add_format(buffer, ": restart in %s", text_format_duration(report->delay, duration));
        break;
    case REPORT_RESTART_LIMIT:
        buffer_add_text(buffer, ": the pool's restarts are used up, stopping its other workers");
        break;
    case REPORT_LEFTOVER:
        buffer_add_text(buffer, ": SIGKILL did not end ");
        buffer_add_visible(buffer, told->detail ? told->detail : "it");
        break;
    case REPORT_GIVEN_UP:
        add_verdict(buffer, told);
        break;
    case REPORT_KILLING:
        buffer_add_format(buffer, ": %s%s", report->reason, told->detail ? ": " : "");
        buffer_add_visible(buffer, told->detail ? told->detail : "");
        break;
    case REPORT_DONE:
    case REPORT_REPLACING:
        buffer_add_format(buffer, ": %s", report->reason);
        break;
    case REPORT_ROLL_FAILED:
        buffer_add_format(
            buffer, ": worker %u did not come up; those after it were left alone", report->worker);
        break;
    case REPORT_UNHEARD:
    case REPORT_STOPPING:
        buffer_add_format(buffer, "%s%s", report->reason ? ": " : "", report->reason ?: "");
        break;
    case REPORT_SCALED:
        buffer_add_format(buffer, ": %u workers", report->worker);
        break;
    case REPORT_READY:
    case REPORT_STOPPED:
    case REPORT_RELOADED:
    case REPORT_ROLLING:
    case REPORT_ROLL_DONE:
    case REPORT_ENDED:
    case REPORT_MAX:
        break;
    }
}

static void add_text(
    struct buffer *buffer, enum report_format format, const struct engine_report *told) {
    const struct report *report = told->report;
    const char *colour = format == REPORT_TEXT_COLOURED ? colour_of(report->kind) : "";

    buffer_add_visible(buffer, told->pool);
    if (report->kind < REPORT_FIRST_OF_POOL)
        buffer_add_format(buffer, "/%u", report->worker);
    if (report->pid != 0)
        buffer_add_format(buffer, " [%d]", report->pid);
    buffer_add_format(
        buffer, " %s%s%s", colour, report_kind_name(report->kind), *colour ? "\033[0m" : "");
    if (command_name(report))
        buffer_add_format(buffer, " (%s)", command_name(report));
    add_explanation(buffer, told);
    buffer_add(buffer, "\n", 1);
}

static void add_json_cause(struct buffer *buffer, const struct engine_report *told) {
    struct cause cause = told->report->cause;
    char text[80], name[24];

    buffer_add_json_text(buffer, "cause", cause_text(told, text));
    buffer_add_json_text(buffer, "cause_kind", cause_kind_name(cause.kind));
    if (cause.kind == CAUSE_SIGNAL || cause.kind == CAUSE_CORE)
        buffer_add_json_text(buffer, "signal", signame_format(cause.value, name));
    buffer_add_json_integer(buffer, "exit_status", cause_exit_status(cause));
}

static void add_json(struct buffer *buffer, const struct engine_report *told) {
    const struct report *report = told->report;

    buffer_add_json_text(buffer, "level", level_name(report_kind_level(report->kind)));
    buffer_add_json_text(buffer, "event", report_kind_name(report->kind));
    buffer_add_json_text(buffer, "pool", told->pool);
    if (report->kind < REPORT_FIRST_OF_POOL || report->kind == REPORT_ROLL_FAILED)
        buffer_add_json_integer(buffer, "worker", report->worker);
    if (report->kind == REPORT_SCALED)
        buffer_add_json_integer(buffer, "workers", report->worker);
    if (report->kind < REPORT_FIRST_OF_POOL)
        buffer_add_json_integer(buffer, "generation", report->generation);
    if (report->pid != 0)
        buffer_add_json_integer(buffer, "pid", report->pid);
    if (command_name(report))
        buffer_add_json_text(buffer, "command", command_name(report));
    if (has_cause(report->kind) && report->cause.kind != CAUSE_NONE)
        add_json_cause(buffer, told);
    if (report->kind == REPORT_EXITED)
        buffer_add_json_seconds(buffer, "ran", report->ran);
    if (told->words)
        buffer_add_json_text(buffer, "stderr", told->words);
    if (report->kind == REPORT_BACKOFF)
        buffer_add_json_seconds(buffer, "delay", report->delay);
    if (report->reason)
        buffer_add_json_text(buffer, "reason", report->reason);
    if ((report->kind == REPORT_LEFTOVER || report->kind == REPORT_KILLING) && told->detail)
        buffer_add_json_text(buffer, "processes", told->detail);
    buffer_add_text(buffer, "}\n");
}

void report_add_line(struct buffer *buffer, enum report_format format, uint64_t wall,
    const struct engine_report *told) {
    add_clock(buffer, format, wall);
    if (format == REPORT_JSON)
        add_json(buffer, told);
    else
        add_text(buffer, format, told);
}

static const struct {
    const char *name;
    enum log_level level;
} notes[] = {
#define X(name, text, level) [NOTE_##name] = {text, LEVEL_##level},
    REPORT_NOTES(X)
#undef X
};

const char *report_note_name(enum report_note note) {
    return notes[note].name;
}

enum log_level report_note_level(enum report_note note) {
    return notes[note].level;
}

void report_add_note(struct buffer *buffer, enum report_format format, uint64_t wall,
    enum report_note note, const char *text) {
    add_clock(buffer, format, wall);
    if (format == REPORT_JSON) {
        buffer_add_json_text(buffer, "level", level_name(notes[note].level));
        buffer_add_json_text(buffer, "event", notes[note].name);
        buffer_add_json_text(buffer, "reason", text);
        buffer_add_text(buffer, "}\n");
        return;
    }
    buffer_add_format(buffer, "brood %s: ", notes[note].name);
    buffer_add_visible(buffer, text);
    buffer_add(buffer, "\n", 1);
}
