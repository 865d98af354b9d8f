/* SPDX-License-Identifier: MIT */
#include "core/notify.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

/* The kernel's own bounds: MAX_ERRNO and PID_MAX_LIMIT. */
#define ERRNO_MAX 4095
#define PID_MAX   4194304

bool notify_next(struct notify_cursor *cursor, struct notify_field *ret_field) {
    while (cursor->size > 0) {
        const char *line = cursor->data;
        const char *newline = memchr(line, '\n', cursor->size);
        size_t size = newline ? (size_t)(newline - line) : cursor->size;
        const char *equals = memchr(line, '=', size);

        cursor->data += size + (newline != NULL);
        cursor->size -= size + (newline != NULL);
        if (!equals || equals == line)
            continue;
        ret_field->key = line;
        ret_field->key_size = (size_t)(equals - line);
        ret_field->value = equals + 1;
        ret_field->value_size = size - ret_field->key_size - 1;
        return true;
    }
    return false;
}

static bool is_one(const struct notify_field *field) {
    return field->value_size == 1 && field->value[0] == '1';
}

/* A number from 1 to `max`, or 0 for anything else. */
static uint64_t value_number(const struct notify_field *field, uint64_t max) {
    char digits[24];
    uint64_t number;

    if (field->value_size >= sizeof(digits))
        return 0;
    memcpy(digits, field->value, field->value_size);
    digits[field->value_size] = '\0';
    return text_parse_u64(digits, 1, max, &number) < 0 ? 0 : number;
}

static void take_ready(struct notify_message *message, const struct notify_field *field) {
    message->ready |= is_one(field);
}

static void take_stopping(struct notify_message *message, const struct notify_field *field) {
    message->stopping |= is_one(field);
}

static void take_status(struct notify_message *message, const struct notify_field *field) {
    if (message->status)
        return;
    message->status = field->value;
    message->status_size = field->value_size;
}

static void take_error(struct notify_message *message, const struct notify_field *field) {
    if (message->error == 0)
        message->error = (int)value_number(field, ERRNO_MAX);
}

static void take_main_pid(struct notify_message *message, const struct notify_field *field) {
    if (message->main_pid == 0)
        message->main_pid = (pid_t)value_number(field, PID_MAX);
}

static const struct {
    const char *key;
    void (*take)(struct notify_message *message, const struct notify_field *field);
} keys[] = {
    {"READY", take_ready},
    {"STOPPING", take_stopping},
    {"STATUS", take_status},
    {"ERRNO", take_error},
    {"MAINPID", take_main_pid},
};

int notify_parse(const char *datagram, size_t size, struct notify_message *ret_message) {
    struct notify_cursor cursor = {.data = datagram, .size = size};
    struct notify_field field;

    if (size > NOTIFY_SIZE_MAX)
        return -EMSGSIZE;
    if (cursor.size > 0 && datagram[size - 1] == '\0')
        cursor.size--;
    if (cursor.size > 0 && memchr(datagram, '\0', cursor.size))
        return -EBADMSG;

    *ret_message = (struct notify_message){0};
    while (notify_next(&cursor, &field))
        for (size_t i = 0; i < ELEMENTS(keys); i++)
            if (strlen(keys[i].key) == field.key_size &&
                memcmp(keys[i].key, field.key, field.key_size) == 0)
                keys[i].take(ret_message, &field);
    return 0;
}
