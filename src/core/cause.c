/* SPDX-License-Identifier: MIT */
#include "core/cause.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/signame.h"

struct cause cause_unready(struct cause end) {
    if (end.kind == CAUSE_EXIT)
        return (struct cause){.kind = CAUSE_PROTOCOL, .value = end.value};
    return (struct cause){.kind = CAUSE_PROTOCOL, .status = (unsigned)end.value & 0xff};
}

struct cause cause_unready_end(struct cause cause) {
    if (cause.status == 0)
        return (struct cause){.kind = CAUSE_EXIT, .value = cause.value};
    return (struct cause){.kind = CAUSE_SIGNAL, .value = (int)cause.status};
}

const char *cause_kind_name(enum cause_kind kind) {
    static const char *const names[] = {
#define X(name, text) [CAUSE_##name] = text,
        CAUSE_KINDS(X)
#undef X
    };

    return kind < CAUSE_MAX ? names[kind] : "unknown";
}

int cause_exit_status(struct cause cause) {
    switch (cause.kind) {
    case CAUSE_EXIT:
        return cause.value;
    case CAUSE_SIGNAL:
    case CAUSE_CORE:
        return 128 + cause.value;
    case CAUSE_EXEC:
        return cause.status;
    case CAUSE_SPAWN:
        return 126;
    case CAUSE_LOST:
        return 125;
    case CAUSE_PROTOCOL:
        return cause_exit_status(cause_unready_end(cause)) ?: 1;
    case CAUSE_START_TIMEOUT:
    case CAUSE_WATCHDOG:
    case CAUSE_RUNTIME:
    case CAUSE_OOM:
        return cause.value > 0 ? 128 + cause.value : 1;
    case CAUSE_NONE:
    case CAUSE_MAX:
        break;
    }
    return 0;
}

/* "start timeout (killed by SIGKILL)" */
static void format_doom(const char *what, struct cause cause, char buffer[80]) {
    char name[24];

    if (cause.value == 0)
        snprintf(buffer, 80, "%s", what);
    else
        snprintf(buffer, 80, "%s (%s %s)", what, cause.status ? "dumped core on" : "killed by",
            signame_format(cause.value, name));
}

const char *cause_format(struct cause cause, char buffer[80]) {
    char name[24];

    switch (cause.kind) {
    case CAUSE_EXIT:
        snprintf(buffer, 80, "exit status %d", cause.value);
        return buffer;
    case CAUSE_SIGNAL:
        snprintf(buffer, 80, "killed by %s", signame_format(cause.value, name));
        return buffer;
    case CAUSE_CORE:
        snprintf(buffer, 80, "dumped core on %s", signame_format(cause.value, name));
        return buffer;
    case CAUSE_EXEC:
    case CAUSE_SPAWN:
        snprintf(buffer, 80, "%s", strerrordesc_np(cause.value) ?: "unknown error");
        return buffer;
    case CAUSE_LOST:
        snprintf(buffer, 80, "exit status taken by another wait");
        return buffer;
    case CAUSE_PROTOCOL:
        cause_format(cause_unready_end(cause), buffer);
        strncat(buffer, " before it was ready", 80 - strlen(buffer) - 1);
        return buffer;
    case CAUSE_START_TIMEOUT:
        format_doom("start timeout", cause, buffer);
        return buffer;
    case CAUSE_WATCHDOG:
        format_doom("watchdog: no sign of life", cause, buffer);
        return buffer;
    case CAUSE_RUNTIME:
        format_doom("ran for its longest time", cause, buffer);
        return buffer;
    case CAUSE_OOM:
        format_doom("out of memory", cause, buffer);
        return buffer;
    case CAUSE_NONE:
    case CAUSE_MAX:
        break;
    }
    snprintf(buffer, 80, "no cause");
    return buffer;
}

bool cause_can_heal(struct cause cause) {
    static const int passing[] = {
        EAGAIN, EBUSY, EDQUOT, EINTR, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, ETXTBSY};

    if (cause.kind != CAUSE_EXEC)
        return true;
    for (size_t i = 0; i < ELEMENTS(passing); i++)
        if (cause.value == passing[i])
            return true;
    return false;
}
