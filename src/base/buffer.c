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

void buffer_add_visible(struct buffer *buffer, const char *text) {
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '\n')
            buffer_add_text(buffer, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buffer_add_format(buffer, "\\x%02x", c);
        else
            buffer_add(buffer, text, 1);
    }
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

void buffer_add_json_string(struct buffer *buffer, const char *text) {
    const char *s = text;

    buffer_add(buffer, "\"", 1);
    while (*s != '\0') {
        unsigned char c = (unsigned char)*s;
        size_t length = utf8_length(s);

        if (length == 0)
            buffer_add_text(buffer, "\\ufffd");
        else if (*s == '"' || *s == '\\')
            buffer_add_format(buffer, "\\%c", *s);
        else if (c < 0x20 || c == 0x7f)
            buffer_add_format(buffer, "\\u%04x", c);
        else
            buffer_add(buffer, s, length);
        s += MAX(length, (size_t)1);
    }
    buffer_add(buffer, "\"", 1);
}

void buffer_add_json_key(struct buffer *buffer, const char *key) {
    if (buffer->length > 0 && buffer->data[buffer->length - 1] != '{')
        buffer_add(buffer, ",", 1);
    buffer_add_json_string(buffer, key);
    buffer_add(buffer, ":", 1);
}

void buffer_add_json_text(struct buffer *buffer, const char *key, const char *value) {
    buffer_add_json_key(buffer, key);
    buffer_add_json_string(buffer, value);
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
