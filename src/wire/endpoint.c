/* SPDX-License-Identifier: MIT */
#include "wire/endpoint.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set(struct endpoint *address, const char *directory, const char *name) {
    int n = snprintf(address->path, sizeof(address->path), "%s%s", directory, name);

    return n >= 0 && (size_t)n < sizeof(address->path) ? 0 : -ENAMETOOLONG;
}

int endpoint_choose(const char *option, struct endpoint *ret_address) {
    const char *variable = getenv("BROOD_SOCKET"), *runtime = getenv("XDG_RUNTIME_DIR");
    const char *named = option ? option : variable && *variable ? variable : NULL;

    if (named)
        return set(ret_address, named, "") < 0 ? -ENAMETOOLONG : 1;
    if (runtime && *runtime)
        return set(ret_address, runtime, "/brood/control.sock");
    return set(ret_address, ENDPOINT_SYSTEM, "");
}

socklen_t endpoint_fill(const struct endpoint *address, struct sockaddr_un *ret_address) {
    size_t length = strlen(address->path);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, address->path, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}
