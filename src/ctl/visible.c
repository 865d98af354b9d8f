/* SPDX-License-Identifier: MIT */
#include "ctl/visible.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ctl/ctl.h"

char *visible_take(char *text) {
    size_t size = VISIBLE_WIDEST * strlen(text) + 1;
    struct buffer buffer = {.data = ctl_must(malloc(size)), .size = size};

    buffer.data[0] = '\0';
    buffer_add_visible(&buffer, text);
    free(text);
    return buffer.data;
}
