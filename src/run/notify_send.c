/* SPDX-License-Identifier: MIT */
#include "run/notify_send.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/descriptors.h"

static void stop(struct notify_sender *sender) {
    if (sender->fd < 0)
        return;
    loop_remove(sender->loop, sender->source);
    close(sender->fd);
    sender->fd = -1;
    sender->source = 0;
}

static int reconnect(const struct notify_sender *sender) {
    return connect(sender->fd, &sender->address.any, sender->address.size) < 0 ? -errno : 0;
}

static int send_once(const struct notify_sender *sender, const struct buffer *datagram) {
    ssize_t size = send(sender->fd, datagram->data, datagram->length, MSG_NOSIGNAL | MSG_DONTWAIT);

    return size < 0 ? -errno : 0;
}

/* 1: sent; 0: there is no room now; negative: nobody is there. */
static int send_pending(const struct notify_sender *sender) {
    char text[NOTIFY_SIZE_MAX] = "";
    struct buffer datagram = BUFFER(text);
    int r;

    notify_format(&sender->pending, &datagram);
    r = datagram.length > 0 ? send_once(sender, &datagram) : 0;
    /* The other side was started anew: its name is the same, its socket is not. */
    if ((r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET) && reconnect(sender) == 0)
        r = send_once(sender, &datagram);
    if (r == 0)
        return 1;
    return r == -EAGAIN || r == -ENOBUFS || r == -EINTR ? 0 : r;
}

static void flush(struct notify_sender *sender) {
    int r = send_pending(sender);

    if (r != 0) {
        sender->pending = (struct notify_message){0};
        sender->is_pending = false;
    }
    loop_modify(sender->loop, sender->source, r == 0 ? LOOP_OUT : 0);
}

static void on_writable(void *data, uint64_t value, int fd, unsigned events) {
    (void)value, (void)fd, (void)events;
    flush(data);
}

int notify_sender_init(struct notify_sender *sender, struct loop *loop, const char *address) {
    struct loop_watch watch = {.priority = LOOP_PRIORITY_LOG, .fn = on_writable, .data = sender};
    int r;

    *sender = (struct notify_sender){.loop = loop, .fd = -1};
    if (!address)
        return 0;
    r = address_parse(address, &sender->address, NULL);
    if (r == 0 && sender->address.any.sa_family != AF_UNIX)
        r = -EINVAL;
    if (r < 0)
        return r;
    sender->fd = descriptors_move_up_consume(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (sender->fd < 0) {
        r = sender->fd;
        sender->fd = -1;
        return r;
    }
    r = reconnect(sender);
    watch.fd = sender->fd;
    if (r == 0)
        r = loop_add(loop, &watch, &sender->source);
    if (r < 0)
        stop(sender);
    return r;
}

void notify_sender_finish(struct notify_sender *sender) {
    if (sender->fd >= 0 && sender->is_pending)
        send_pending(sender);
    stop(sender);
}

static void keep_status(struct notify_sender *sender, const struct notify_message *message) {
    size_t size = MIN(message->status_size, sizeof(sender->status));

    memcpy(sender->status, message->status, size);
    sender->pending.status = sender->status;
    sender->pending.status_size = size;
}

/* What is newer takes the place of what is older of its kind; what was not said stays. */
static void merge(struct notify_message *pending, const struct notify_message *news) {
    /* Of these three states the last one counts. */
    if (news->ready || news->reloading || news->stopping) {
        pending->ready = news->ready;
        pending->reloading = news->reloading;
        pending->stopping = news->stopping;
        pending->said_at = news->reloading && news->said_at == 0 ? loop_clock() : news->said_at;
    }
    pending->alive |= news->alive;
    pending->watchdog_trigger |= news->watchdog_trigger;
    if (news->watchdog_set) {
        pending->watchdog_set = true;
        pending->watchdog = news->watchdog;
    }
    if (news->extend > 0)
        pending->extend = news->extend;
    if (news->main_pid > 0)
        pending->main_pid = news->main_pid;
    if (news->error > 0)
        pending->error = news->error;
}

void notify_sender_say(struct notify_sender *sender, const struct notify_message *message) {
    if (sender->fd < 0)
        return;
    merge(&sender->pending, message);
    if (message->status)
        keep_status(sender, message);
    sender->is_pending = true;
    flush(sender);
}

void notify_sender_say_status(struct notify_sender *sender, const char *format, ...) {
    char text[sizeof(sender->status)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    notify_sender_say(
        sender, &(struct notify_message){.status = text, .status_size = strlen(text)});
}
