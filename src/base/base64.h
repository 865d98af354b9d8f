/* SPDX-License-Identifier: MIT */
#pragma once

/* Base64 (RFC 4648), for bytes that go through JSON as they are. */

#include "base/buffer.h"

void buffer_add_base64(struct buffer *buffer, const char *bytes, size_t length);

/* The most that `length` characters stand for. */
#define BASE64_DECODED(length) ((length) / 4 * 3)

/* Into BASE64_DECODED(length) bytes. -EINVAL: that is not what the above writes. */
int base64_decode(const char *text, size_t length, char *bytes, size_t *ret_length);
