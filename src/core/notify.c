/* SPDX-License-Identifier: MIT */
#include "core/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

/* The kernel's own bounds: MAX_ERRNO and PID_MAX_LIMIT. */
#define ERRNO_MAX 4095
#define PID_MAX   4194304

/* How much of a status is said: a datagram holds everything else, too. */
#define STATUS_SAID 2048

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

bool notify_name_is_valid(const char *name, size_t size) {
    if (size > NOTIFY_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
            return false;
    return true;
}

static bool value_is(const struct notify_field *field, const char *text) {
    return field->value_size == strlen(text) && memcmp(field->value, text, field->value_size) == 0;
}

/* A number from `min` to `max`; false for anything else. */
static bool value_number(
    const struct notify_field *field, uint64_t min, uint64_t max, uint64_t *ret_number) {
    char digits[24];

    if (field->value_size >= sizeof(digits))
        return false;
    memcpy(digits, field->value, field->value_size);
    digits[field->value_size] = '\0';
    return text_parse_u64(digits, min, max, ret_number) == 0;
}

/* A time from `min` microseconds on. */
static bool value_time(const struct notify_field *field, uint64_t min, nsec_t *ret_time) {
    uint64_t usec;

    if (!value_number(field, min, UINT64_MAX, &usec))
        return false;
    *ret_time = usec > NSEC_NEVER / NSEC_PER_USEC ? NSEC_NEVER : usec * NSEC_PER_USEC;
    return true;
}

/* The fields that are one word: the key with that value sets a flag. */
static const struct {
    const char *key;
    const char *value;
    size_t offset;
    bool said; /* by notify_format(), too */
} flags[] = {
    {"READY", "1", offsetof(struct notify_message, ready), true},
    {"STOPPING", "1", offsetof(struct notify_message, stopping), true},
    {"RELOADING", "1", offsetof(struct notify_message, reloading), true},
    {"WATCHDOG", "1", offsetof(struct notify_message, alive), true},
    {"WATCHDOG", "trigger", offsetof(struct notify_message, watchdog_trigger), true},
    {"BARRIER", "1", offsetof(struct notify_message, barrier), false},
    {"FDSTORE", "1", offsetof(struct notify_message, fd_store), false},
    {"FDSTOREREMOVE", "1", offsetof(struct notify_message, fd_remove), false},
    {"FDPOLL", "0", offsetof(struct notify_message, fd_unwatched), false},
};

static void take_status(struct notify_message *message, const struct notify_field *field) {
    if (message->status)
        return;
    message->status = field->value;
    message->status_size = field->value_size;
}

static void take_fd_name(struct notify_message *message, const struct notify_field *field) {
    if (message->fd_name || !notify_name_is_valid(field->value, field->value_size))
        return;
    message->fd_name = field->value;
    message->fd_name_size = field->value_size;
}

static void take_error(struct notify_message *message, const struct notify_field *field) {
    uint64_t number;

    if (message->error == 0 && value_number(field, 1, ERRNO_MAX, &number))
        message->error = (int)number;
}

static void take_main_pid(struct notify_message *message, const struct notify_field *field) {
    uint64_t number;

    if (message->main_pid == 0 && value_number(field, 1, PID_MAX, &number))
        message->main_pid = (pid_t)number;
}

static void take_watchdog(struct notify_message *message, const struct notify_field *field) {
    if (!message->watchdog_set)
        message->watchdog_set = value_time(field, 0, &message->watchdog);
}

static void take_extend(struct notify_message *message, const struct notify_field *field) {
    if (message->extend == 0)
        value_time(field, 1, &message->extend);
}

static void take_said_at(struct notify_message *message, const struct notify_field *field) {
    if (message->said_at == 0)
        value_time(field, 1, &message->said_at);
}

static const struct {
    const char *key;
    void (*take)(struct notify_message *message, const struct notify_field *field);
} keys[] = {
    {"STATUS", take_status},
    {"FDNAME", take_fd_name},
    {"ERRNO", take_error},
    {"MAINPID", take_main_pid},
    {"WATCHDOG_USEC", take_watchdog},
    {"EXTEND_TIMEOUT_USEC", take_extend},
    {"MONOTONIC_USEC", take_said_at},
};

static bool key_is(const struct notify_field *field, const char *key) {
    return strlen(key) == field->key_size && memcmp(key, field->key, field->key_size) == 0;
}

static void take_field(struct notify_message *message, const struct notify_field *field) {
    for (size_t i = 0; i < ELEMENTS(flags); i++)
        if (key_is(field, flags[i].key) && value_is(field, flags[i].value))
            *(bool *)((char *)message + flags[i].offset) = true;
    for (size_t i = 0; i < ELEMENTS(keys); i++)
        if (key_is(field, keys[i].key))
            keys[i].take(message, field);
}

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
        take_field(ret_message, &field);
    return 0;
}

static void add_number(struct buffer *datagram, const char *key, uint64_t number) {
    if (number > 0)
        buffer_add_format(datagram, "%s=%" PRIu64 "\n", key, number);
}

/* The far end is the far end in any unit. */
static uint64_t in_usec(nsec_t time) {
    return time == NSEC_NEVER ? UINT64_MAX : time / NSEC_PER_USEC;
}

/* In one line, whatever is in it; cut so that what follows is not lost. */
static void add_status(struct buffer *datagram, const struct notify_message *message) {
    if (!message->status)
        return;
    buffer_add_text(datagram, "STATUS=");
    for (size_t i = 0; i < MIN(message->status_size, (size_t)STATUS_SAID); i++) {
        unsigned char c = (unsigned char)message->status[i];

        buffer_add(datagram, c < ' ' || c == 0x7f ? "?" : &message->status[i], 1);
    }
    buffer_add_text(datagram, "\n");
}

void notify_format(const struct notify_message *message, struct buffer *datagram) {
    for (size_t i = 0; i < ELEMENTS(flags); i++)
        if (flags[i].said && *(const bool *)((const char *)message + flags[i].offset))
            buffer_add_format(datagram, "%s=%s\n", flags[i].key, flags[i].value);
    add_number(datagram, "MONOTONIC_USEC", in_usec(message->said_at));
    if (message->watchdog_set)
        buffer_add_format(datagram, "WATCHDOG_USEC=%" PRIu64 "\n", in_usec(message->watchdog));
    add_number(datagram, "EXTEND_TIMEOUT_USEC", in_usec(message->extend));
    add_number(datagram, "MAINPID", (uint64_t)message->main_pid);
    add_number(datagram, "ERRNO", (uint64_t)message->error);
    add_status(datagram, message);
}
