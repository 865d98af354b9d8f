/* SPDX-License-Identifier: MIT */

/* Lines as they are written: tags, and what is done to the text for them. */

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/utc.h"
#include "core/frame.h"

/* Around the text of a piece: marks, keys, braces, newline. */
#define TEXT_AROUND 4
#define JSON_AROUND 48

/* Two colours. */
#define TERMINAL_AROUND 16

/* Severities of RFC 5424. */
#define SEVERITY_WARNING 4
#define SEVERITY_INFO    6

/* A control character, or a byte that is not UTF-8: "\u0001". */
#define JSON_WIDEST 6

const char *frame_stream_name(enum frame_stream stream) {
    static const char *const names[] = {
#define X(name, text) [FRAME_##name] = (text),
        FRAME_STREAMS(X)
#undef X
    };

    return names[stream];
}

char frame_end_mark(enum frame_end end) {
    static const char marks[] = {
#define X(name, mark, text) [FRAME_##name] = (mark),
        FRAME_ENDS(X)
#undef X
    };

    return marks[end];
}

const char *frame_end_name(enum frame_end end) {
    static const char *const names[] = {
#define X(name, mark, text) [FRAME_##name] = (text),
        FRAME_ENDS(X)
#undef X
    };

    return names[end];
}

static const char *const format_names[] = {
    [FRAME_TEXT] = "text",
    [FRAME_JSON] = "json",
    [FRAME_RAW] = "raw",
};

const char *frame_format_name(enum frame_format format) {
    return format_names[format];
}

int frame_format_parse(const char *text, enum frame_format *ret_format) {
    for (size_t i = 0; i < ELEMENTS(format_names); i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *ret_format = (enum frame_format)i;
            return 0;
        }
    }
    return -EINVAL;
}

int frame_severity(const struct frame_tag *tag) {
    if (tag->label.has_level)
        return tag->label.level;
    return tag->stream == FRAME_ERR ? SEVERITY_WARNING : SEVERITY_INFO;
}

static void add_text_prefix(struct buffer *prefix, const char *time, const struct frame_tag *tag) {
    buffer_add_format(prefix, "%s %s/%u [%d #%u%s] %s", time, tag->pool, tag->worker, tag->pid,
        tag->generation, tag->orphan ? " orphan" : "", frame_stream_name(tag->stream));
}

static void add_json_prefix(struct buffer *prefix, const char *time, const struct frame_tag *tag) {
    buffer_add(prefix, "{", 1);
    buffer_add_json_text(prefix, "time", time);
    buffer_add_json_text(prefix, "pool", tag->pool);
    buffer_add_json_integer(prefix, "worker", tag->worker);
    buffer_add_json_integer(prefix, "pid", tag->pid);
    buffer_add_json_integer(prefix, "generation", tag->generation);
    buffer_add_json_text(prefix, "stream", frame_stream_name(tag->stream));
    if (tag->orphan) {
        buffer_add_json_key(prefix, "orphan");
        buffer_add_text(prefix, "true");
    }
}

void frame_add_prefix(
    struct buffer *prefix, enum frame_format format, uint64_t wall, const struct frame_tag *tag) {
    char time[UTC_LENGTH + 1];

    if (format == FRAME_TEXT)
        add_text_prefix(prefix, utc_format(wall, time), tag);
    else if (format == FRAME_JSON)
        add_json_prefix(prefix, utc_format(wall, time), tag);
}

size_t frame_piece_room(enum frame_format format, size_t prefix, const struct frame_piece *piece) {
    if (format == FRAME_JSON)
        return prefix + JSON_AROUND + JSON_WIDEST * piece->length;
    return prefix + TEXT_AROUND + piece->length;
}

static void add_text(
    struct buffer *out, const struct buffer *prefix, const struct frame_piece *piece) {
    const char mark[] = {frame_end_mark(piece->end), ' '};

    buffer_add(out, prefix->data, prefix->length);
    buffer_add(out, mark, sizeof(mark));
    buffer_add(out, piece->text, piece->length);
    buffer_add(out, "\n", 1);
}

static void add_json(
    struct buffer *out, const struct buffer *prefix, const struct frame_piece *piece) {
    buffer_add(out, prefix->data, prefix->length);
    if (piece->end != FRAME_WHOLE)
        buffer_add_json_text(out, "end", frame_end_name(piece->end));
    buffer_add_json_bytes(out, "text", piece->text, piece->length);
    buffer_add_text(out, "}\n");
}

/* As it was written; only what is not output, and what comes before it, has lines of its own. */
static void add_raw(struct buffer *out, const struct frame_piece *piece, bool for_terminal) {
    bool ends_line =
        piece->end != FRAME_CONTINUED && piece->end != FRAME_BARE && piece->end != FRAME_UNFINISHED;

    if (piece->end == FRAME_NOTE)
        buffer_add_text(out, "! ");
    if (for_terminal)
        buffer_add_visible_bytes(out, piece->text, piece->length, true);
    else
        buffer_add(out, piece->text, piece->length);
    buffer_add(out, "\n", ends_line);
}

void frame_add_piece(struct buffer *out, enum frame_format format, const struct buffer *prefix,
    const struct frame_piece *piece) {
    if (format == FRAME_TEXT)
        add_text(out, prefix, piece);
    else if (format == FRAME_JSON)
        add_json(out, prefix, piece);
    else
        add_raw(out, piece, false);
}

void frame_add_terminal_piece(struct buffer *out, const struct buffer *prefix, uint32_t worker,
    bool coloured, const struct frame_piece *piece) {
    static const char *const colours[] = {
        "\033[32m", "\033[33m", "\033[34m", "\033[35m", "\033[36m", "\033[31m"};

    buffer_add_text(out, coloured ? colours[worker % ELEMENTS(colours)] : "");
    buffer_add_visible_bytes(out, prefix->data, prefix->length, false);
    buffer_add_format(out, "%c%s ", frame_end_mark(piece->end), coloured ? "\033[0m" : "");
    buffer_add_visible_bytes(out, piece->text, piece->length, true);
    buffer_add(out, "\n", 1);
}

void frame_add_terminal_raw(struct buffer *out, const struct frame_piece *piece) {
    add_raw(out, piece, true);
}

size_t frame_terminal_room(size_t prefix, const struct frame_piece *piece) {
    return TERMINAL_AROUND + VISIBLE_WIDEST * (prefix + piece->length);
}
