/* SPDX-License-Identifier: MIT */
#include "ctl/visible.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "ctl/ctl.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* U+0080 to U+009F: CSI and its like. */
static bool is_control(const char *text, size_t length) {
    return length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

char *visible_take(char *text) {
    size_t size = 4 * strlen(text) + 1;
    struct buffer buffer = {.data = ctl_must(malloc(size)), .size = size};
    char *clean = ctl_must(malloc(size)), *end = clean;

    buffer.data[0] = '\0';
    buffer_add_visible(&buffer, text);
    free(text);
    for (const char *p = buffer.data; *p != '\0';) {
        size_t length = utf8_length(p);
        bool fit = length > 0 && !is_control(p, length);

        end = mempcpy(end, fit ? p : REPLACEMENT, fit ? length : strlen(REPLACEMENT));
        p += MAX(length, (size_t)1);
    }
    *end = '\0';
    free(buffer.data);
    return clean;
}
