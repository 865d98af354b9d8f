/* SPDX-License-Identifier: MIT */
#include "conf/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static bool same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_known(const struct conf_messages *messages, const struct conf_message *message) {
    for (size_t i = messages->count; i-- > 0;)
        if (messages->list[i].line == message->line &&
            same(messages->list[i].file, message->file) &&
            same(messages->list[i].text, message->text))
            return true;
    return false;
}

/* One allocation for both strings. */
static int copy_strings(struct conf_message *message, const char *file, const char *text) {
    size_t length = file ? strlen(file) + 1 : 0;
    char *copy = malloc(length + strlen(text) + 1);

    if (!copy)
        return -ENOMEM;
    strcpy(copy, text);
    message->text = copy;
    message->file = file ? strcpy(copy + strlen(text) + 1, file) : NULL;
    return 0;
}

int conf_message_add(struct conf_messages *messages, enum conf_severity severity, const char *file,
    unsigned line, const char *format, ...) {
    struct conf_message message = {severity, file, line, NULL};
    char raw[512], text[1024];
    struct buffer visible = BUFFER(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    buffer_add_visible(&visible, raw);
    message.text = text;
    /* A template's mistakes are found again in each of its instances. */
    if (is_known(messages, &message))
        return 0;
    struct conf_message *grown =
        reallocarray(messages->list, messages->count + 1, sizeof(*messages->list));
    if (!grown)
        return -ENOMEM;
    messages->list = grown;
    if (copy_strings(&message, file, text) < 0)
        return -ENOMEM;
    messages->list[messages->count++] = message;
    messages->n_errors += severity == CONF_ERROR;
    return 0;
}

const char *conf_message_format(const struct conf_message *message, char *buffer, size_t size) {
    struct buffer out = {.data = buffer, .size = size};

    if (message->file)
        buffer_add_visible(&out, message->file);
    if (message->file && message->line > 0)
        buffer_add_format(&out, ":%u", message->line);
    buffer_add_format(&out, "%s%s: %s", message->file ? ": " : "",
        message->severity == CONF_ERROR ? "error" : "warning", message->text);
    return buffer;
}

void conf_messages_finish(struct conf_messages *messages) {
    for (size_t i = 0; i < messages->count; i++)
        free((char *)messages->list[i].text);
    free(messages->list);
    *messages = (struct conf_messages){0};
}
