/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/visible.h"

void *ctl_must(void *pointer) {
    static const char text[] = "brood: out of memory\n";

    if (pointer)
        return pointer;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(CTL_INTERNAL);
    _exit(CTL_INTERNAL);
}

void ctl_say(const struct ctl_call *call, const char *format, ...) {
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        ctl_must(NULL);
    va_end(arguments);
    char *visible = visible_take(text);
    fprintf(stderr, "%s%s%s\n", call ? call->command : "", call ? ": " : "", visible);
    free(visible);
}
