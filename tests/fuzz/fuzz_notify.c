/* SPDX-License-Identifier: MIT */

/* core/notify: a datagram from a process that nobody trusts. */

#include "core/notify.h"
#include "fuzz.h"

/* What we would say in our turn reads back the same. */
static void says_what_it_has_heard(const struct notify_message *message) {
    char text[NOTIFY_SIZE_MAX] = "";
    struct buffer datagram = BUFFER(text);
    struct notify_message again;

    notify_format(message, &datagram);
    PROMISE(!datagram.cut);
    PROMISE(notify_parse(text, datagram.length, &again) == 0);
    PROMISE(again.ready == message->ready && again.alive == message->alive);
    PROMISE(again.main_pid == message->main_pid && again.error == message->error);
    PROMISE(again.extend == message->extend && again.said_at == message->said_at);
    PROMISE(again.watchdog == message->watchdog && !again.fd_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *begin = (const char *)data;
    struct notify_message message;

    if (notify_parse(begin, size, &message) < 0)
        return 0;
    PROMISE(size <= NOTIFY_SIZE_MAX);
    PROMISE(message.error >= 0 && message.main_pid >= 0);
    if (message.status) {
        PROMISE(message.status >= begin && message.status + message.status_size <= begin + size);
        PROMISE(message.status_size == 0 || !memchr(message.status, '\n', message.status_size));
    }
    if (message.fd_name) {
        PROMISE(message.fd_name >= begin);
        PROMISE(message.fd_name + message.fd_name_size <= begin + size);
        PROMISE(notify_name_is_valid(message.fd_name, message.fd_name_size));
    }
    says_what_it_has_heard(&message);
    return 0;
}
