/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Text built in memory that somebody else owns. It never grows and never overruns: what does not
 * fit is cut, and `cut` says so. The content is always terminated.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct buffer {
    char *data;
    size_t size;
    size_t length;
    bool cut;
};

/* A buffer over an array. */
#define BUFFER(array) ((struct buffer){.data = (array), .size = sizeof(array)})

void buffer_add(struct buffer *buffer, const char *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);

/*
 * Text from outside, for a line on a terminal: control characters, those of eight bits in UTF-8
 * (U+0080 to U+009F: CSI and its like), and bytes that are not UTF-8, which some terminals take for
 * these, become \n, \x1b, \xc2\x9b, \x9b and the like. It grows at most VISIBLE_WIDEST times.
 */
#define VISIBLE_WIDEST 4

void buffer_add_visible(struct buffer *buffer, const char *text);
void buffer_add_visible_bytes(
    struct buffer *buffer, const char *bytes, size_t length, bool keeps_tabs);

void buffer_add_format(struct buffer *buffer, const char *format, ...) printf_like(2, 3);

/*
 * JSON (RFC 8259): `"key":` with a comma before it unless it opens an object, then a value. Bytes
 * that are not UTF-8 become U+FFFD.
 */
/* The value alone, for a list. */
void buffer_add_json_string(struct buffer *buffer, const char *text);
void buffer_add_json_key(struct buffer *buffer, const char *key);
void buffer_add_json_text(struct buffer *buffer, const char *key, const char *value);
void buffer_add_json_bytes(
    struct buffer *buffer, const char *key, const char *bytes, size_t length);
void buffer_add_json_integer(struct buffer *buffer, const char *key, int64_t value);
void buffer_add_json_seconds(struct buffer *buffer, const char *key, uint64_t nanoseconds);
