/* SPDX-License-Identifier: MIT */

/* Values about output and logs. */

#define SYSLOG_NAMES

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/text.h"
#include "conf/values.h"
#include "core/frame.h"

/* What more there is in systemd is only known by the first part of its name. */
static int read_log(struct conf_reader *reader, const char *text, struct conf_output *output) {
    static const struct {
        const char *word;
        enum capture_target target;
        const char *instead; /* of what cannot be had */
    } words[] = {
        {"log", CAPTURE_FILE, NULL},
        {"journal", CAPTURE_JOURNAL, NULL},
        {"syslog", CAPTURE_SYSLOG, NULL},
        {"kmsg", CAPTURE_FILE, "log"},
        {"journal+console", CAPTURE_JOURNAL, "journal"},
        {"syslog+console", CAPTURE_SYSLOG, "syslog"},
        {"kmsg+console", CAPTURE_FILE, "log"},
    };

    for (size_t i = 0; i < ELEMENTS(words); i++) {
        if (strcmp(words[i].word, text) != 0)
            continue;
        *output = (struct conf_output){.target = words[i].target};
        return words[i].instead ? conf_warn(reader, "%s=%s is taken as %s", reader->directive->name,
                                      text, words[i].instead)
                                : 0;
    }
    return -EINVAL;
}

int value_output(struct conf_reader *reader, const char *text, void *field) {
    struct conf_output *output = field;

    if (strncmp(text, "tty", 3) == 0)
        return conf_complain(
            reader, "%s=%s: terminals are not opened", reader->directive->name, text);
    int r = read_log(reader, text, output);
    if (r != -EINVAL)
        return r;
    output->target = CAPTURE_NONE;
    return value_stream(text, &output->stdio);
}

int value_log_directory(const char *text, void *field) {
    *(const char **)field = text;
    return *text == '/' || strcmp(text, "-") == 0 ? 0 : -EINVAL;
}

int value_log_format(const char *text, void *field) {
    return frame_format_parse(text, field);
}

static int read_bounded(const char *text, uint64_t min, uint64_t max, uint32_t *field) {
    uint64_t value;

    if (text_parse_size(text, &value) < 0 || value < min || value > max)
        return -EINVAL;
    *field = (uint32_t)value;
    return 0;
}

int value_log_buffer(const char *text, void *field) {
    return read_bounded(text, CAPTURE_BUFFER_MIN, 1 << 30, field);
}

int value_line_max(const char *text, void *field) {
    return read_bounded(text, FRAME_LIMIT_MIN, FRAME_LIMIT_MAX, field);
}

/* 0 is infinity. */
int value_log_keep(const char *text, void *field) {
    uint64_t value = 0;

    if (strcmp(text, "infinity") != 0 && text_parse_u64(text, 1, UINT32_MAX, &value) < 0)
        return -EINVAL;
    *(uint32_t *)field = (uint32_t)value;
    return 0;
}

int value_overflow(const char *text, void *field) {
    bool drop = strcmp(text, "drop") == 0;

    *(enum capture_overflow *)field = drop ? CAPTURE_DROP : CAPTURE_BLOCK;
    return drop || strcmp(text, "block") == 0 ? 0 : -EINVAL;
}

static int find_code(const CODE *codes, const char *text) {
    for (; codes->c_name; codes++)
        if (strcmp(codes->c_name, text) == 0)
            return codes->c_val;
    return -EINVAL;
}

int value_facility(const char *text, void *field) {
    int facility = find_code(facilitynames, text);

    if (facility < 0 || facility > LOG_LOCAL7)
        return -EINVAL;
    *(int *)field = facility;
    return 0;
}

int value_level(const char *text, void *field) {
    struct frame_label *label = field;
    int level = find_code(prioritynames, text);

    if (level < 0 || level > LOG_DEBUG)
        return -EINVAL;
    label->has_level = true;
    label->level = level;
    return 0;
}
