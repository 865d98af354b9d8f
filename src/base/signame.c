/* SPDX-License-Identifier: MIT */
#include "base/signame.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* The kernel's first real-time signal that the C library leaves to programs. */
#define FIRST_REALTIME 34
#define LAST_SIGNAL    64

int signame_parse(const char *text, int *ret_signal) {
    uint64_t number;

    if (text_parse_u64(text, 1, LAST_SIGNAL, &number) == 0) {
        *ret_signal = (int)number;
        return 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    if (strncasecmp(text, "RTMIN", 5) == 0) {
        number = 0;
        if (text[5] != '\0' && (text[5] != '+' || text_parse_u64(text + 6, 0,
                                                      LAST_SIGNAL - FIRST_REALTIME, &number) < 0))
            return -EINVAL;
        *ret_signal = FIRST_REALTIME + (int)number;
        return 0;
    }
    for (int signal = 1; signal < FIRST_REALTIME; signal++) {
        const char *name = sigabbrev_np(signal);

        if (name && strcasecmp(name, text) == 0) {
            *ret_signal = signal;
            return 0;
        }
    }
    return -EINVAL;
}

const char *signame_format(int signal, char buffer[24]) {
    const char *name = sigabbrev_np(signal);

    if (name)
        snprintf(buffer, 24, "SIG%s", name);
    else if (signal == FIRST_REALTIME)
        snprintf(buffer, 24, "SIGRTMIN");
    else if (signal > FIRST_REALTIME && signal <= LAST_SIGNAL)
        snprintf(buffer, 24, "SIGRTMIN+%d", signal - FIRST_REALTIME);
    else
        snprintf(buffer, 24, "signal %d", signal);
    return buffer;
}
