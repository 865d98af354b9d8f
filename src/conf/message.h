/* SPDX-License-Identifier: MIT */
#pragma once

/* What there is to say about a configuration. The reader collects, its caller prints. */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

enum conf_severity { CONF_WARNING, CONF_ERROR };

struct conf_message {
    enum conf_severity severity;
    const char *file; /* NULL: about no file */
    unsigned line;    /* 0: about the file as a whole */
    const char *text;
};

/* Zeroed is empty. */
struct conf_messages {
    struct conf_message *list;
    size_t count;
    size_t n_errors;
};

/* Adds a message, once. -ENOMEM. */
int conf_message_add(struct conf_messages *messages, enum conf_severity severity, const char *file,
    unsigned line, const char *format, ...) printf_like(5, 6);

/* "FILE:LINE: error: text". Returns `buffer`. */
const char *conf_message_format(const struct conf_message *message, char *buffer, size_t size);

/* Frees the content. */
void conf_messages_finish(struct conf_messages *messages);
