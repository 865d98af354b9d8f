/* SPDX-License-Identifier: MIT */

/* What the options of every part of the library have in common. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "api/internal.h"
#include "base/macro.h"

static size_t size_of(const void *given) {
    size_t size;

    memcpy(&size, given, sizeof(size));
    return size;
}

int options_copy(void *options, size_t size, const void *given) {
    memset(options, 0, size);
    if (!given)
        return 0;

    size_t given_size = size_of(given);
    if (given_size < sizeof(size_t))
        return -EINVAL;
    for (size_t i = size; i < given_size; i++)
        if (((const char *)given)[i] != 0)
            return -E2BIG;
    memcpy(options, given, MIN(size, given_size));
    return 0;
}

int options_give(void *given, const void *filled, size_t size) {
    size_t given_size = size_of(given), head = sizeof(size_t);

    if (given_size < head)
        return -EINVAL;
    memcpy((char *)given + head, (const char *)filled + head, MIN(size, given_size) - head);
    return 0;
}

int options_stdio(
    const struct brood_stdio *given, bool input, enum stdio_kind standard, struct stdio_spec *ret) {
    static const enum stdio_kind kinds[] = {
        [BROOD_STDIO_INHERIT] = STDIO_INHERIT,
        [BROOD_STDIO_NULL] = STDIO_NULL,
        [BROOD_STDIO_FILE] = STDIO_FILE,
        [BROOD_STDIO_APPEND] = STDIO_APPEND,
        [BROOD_STDIO_TRUNCATE] = STDIO_TRUNCATE,
    };
    bool has_path = given->kind >= BROOD_STDIO_FILE;

    if (given->kind < 0 || given->kind >= (int)ELEMENTS(kinds) ||
        has_path != (given->path && *given->path) || (input && given->kind > BROOD_STDIO_FILE))
        return -EINVAL;
    *ret = (struct stdio_spec){
        .kind = given->kind == BROOD_STDIO_DEFAULT ? standard : kinds[given->kind],
        .path = given->path,
    };
    return 0;
}

int options_signal(int given, int standard) {
    if (given < 0 || given > SIGRTMAX)
        return -EINVAL;
    return given == 0 ? standard : given;
}
