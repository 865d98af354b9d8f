/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four characters. */
static void encode_group(const unsigned char *bytes, size_t n, char text[4]) {
    unsigned bits = (unsigned)bytes[0] << 16 | (n > 1 ? (unsigned)bytes[1] << 8 : 0) |
                    (n > 2 ? (unsigned)bytes[2] : 0);

    for (size_t i = 0; i < 4; i++)
        text[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=';
}

void buffer_add_base64(struct buffer *buffer, const char *bytes, size_t length) {
    char text[4];

    for (size_t i = 0; i < length && !buffer->cut; i += 3) {
        encode_group((const unsigned char *)bytes + i, MIN(length - i, (size_t)3), text);
        buffer_add(buffer, text, sizeof(text));
    }
}

/* How many bytes the four characters stand for; 0: none. */
static size_t decode_group(const char *text, bool is_last, char *bytes) {
    size_t n = 4;
    unsigned bits = 0;

    while (is_last && n > 2 && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

        if (!digit)
            return 0;
        bits |= (unsigned)(digit - digits) << (18 - 6 * i);
    }
    if (bits & ((1U << (24 - 8 * (n - 1))) - 1) && n < 4)
        return 0;
    for (size_t i = 0; i + 1 < n; i++)
        bytes[i] = (char)(bits >> (16 - 8 * i));
    return n - 1;
}

int base64_decode(const char *text, size_t length, char *bytes, size_t *ret_length) {
    size_t done = 0;

    if (length % 4 != 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i += 4) {
        size_t n = decode_group(text + i, i + 4 == length, bytes + done);

        if (n == 0)
            return -EINVAL;
        done += n;
    }
    *ret_length = done;
    return 0;
}
