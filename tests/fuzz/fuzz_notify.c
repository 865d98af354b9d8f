/* SPDX-License-Identifier: MIT */

/* core/notify: a datagram from a process that nobody trusts. */

#include "core/notify.h"
#include "fuzz.h"

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
    return 0;
}
