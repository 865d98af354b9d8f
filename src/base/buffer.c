/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void buffer_add(struct buffer *buffer, const char *bytes, size_t length) {
    size_t room = buffer->size - buffer->length - 1;

    if (length > room) {
        length = room;
        buffer->cut = true;
    }
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_add_text(struct buffer *buffer, const char *text) {
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...) {
    size_t room = buffer->size - buffer->length;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(buffer->data + buffer->length, room, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    if ((size_t)n >= room) {
        buffer->cut = true;
        n = (int)room - 1;
    }
    buffer->length += (size_t)n;
}

/* The sequence at `text`, of which `left` bytes may be read; 0 where there is none. */
static size_t sequence_length(const char *text, size_t left) {
    char padded[5] = "";

    if (left >= 4)
        return utf8_length(text);
    memcpy(padded, text, left);
    return utf8_length(padded);
}

void buffer_add_visible_bytes(
    struct buffer *buffer, const char *bytes, size_t length, bool keeps_tabs) {
    for (size_t i = 0; i < length;) {
        size_t n = sequence_length(bytes + i, length - i), end = i + MAX(n, (size_t)1);

        if (bytes[i] == '\t' ? keeps_tabs : n > 0 && !utf8_is_control(bytes + i, n)) {
            buffer_add(buffer, bytes + i, n);
            i = end;
        } else if (bytes[i] == '\n') {
            buffer_add_text(buffer, "\\n");
            i = end;
        }
        for (; i < end; i++)
            buffer_add_format(buffer, "\\x%02x", (unsigned char)bytes[i]);
    }
}

void buffer_add_visible(struct buffer *buffer, const char *text) {
    buffer_add_visible_bytes(buffer, text, strlen(text), false);
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t add_json_character(struct buffer *buffer, const char *text, size_t left) {
    unsigned char c = (unsigned char)*text;
    size_t length = sequence_length(text, left);

    if (length == 0)
        buffer_add_text(buffer, "\\ufffd");
    else if (c == '"' || c == '\\')
        buffer_add_format(buffer, "\\%c", c);
    else if (utf8_is_control(text, length))
        buffer_add_format(buffer, "\\u%04x", (unsigned char)text[length - 1]);
    else
        buffer_add(buffer, text, length);
    return MAX(length, (size_t)1);
}

static void add_json_string(struct buffer *buffer, const char *text, size_t length) {
    buffer_add(buffer, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t plain = 0;

        while (i + plain < length && is_plain((unsigned char)text[i + plain]))
            plain++;
        buffer_add(buffer, text + i, plain);
        i += plain;
        if (i < length)
            i += add_json_character(buffer, text + i, length - i);
    }
    buffer_add(buffer, "\"", 1);
}

void buffer_add_json_string(struct buffer *buffer, const char *text) {
    add_json_string(buffer, text, strlen(text));
}

void buffer_add_json_key(struct buffer *buffer, const char *key) {
    if (buffer->length > 0 && buffer->data[buffer->length - 1] != '{')
        buffer_add(buffer, ",", 1);
    buffer_add_json_string(buffer, key);
    buffer_add(buffer, ":", 1);
}

void buffer_add_json_text(struct buffer *buffer, const char *key, const char *value) {
    buffer_add_json_bytes(buffer, key, value, strlen(value));
}

void buffer_add_json_bytes(
    struct buffer *buffer, const char *key, const char *bytes, size_t length) {
    buffer_add_json_key(buffer, key);
    add_json_string(buffer, bytes, length);
}

void buffer_add_json_integer(struct buffer *buffer, const char *key, int64_t value) {
    buffer_add_json_key(buffer, key);
    buffer_add_format(buffer, "%" PRId64, value);
}

void buffer_add_json_seconds(struct buffer *buffer, const char *key, uint64_t nanoseconds) {
    buffer_add_json_key(buffer, key);
    buffer_add_format(buffer, "%" PRIu64 ".%06u", nanoseconds / UINT64_C(1000000000),
        (unsigned)(nanoseconds % UINT64_C(1000000000) / 1000));
}
