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

static int set_default(struct endpoint *address) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (runtime && *runtime)
        return set(address, runtime, "/brood/control.sock");
    return set(address, ENDPOINT_SYSTEM, "");
}

int endpoint_choose(const char *option, struct endpoint *ret_address) {
    const char *variable = getenv("BROOD_SOCKET");
    const char *named = option ? option : variable && *variable ? variable : NULL;

    if (named)
        return set(ret_address, named, "") < 0 ? -ENAMETOOLONG : 1;
    return set_default(ret_address);
}

/* What is there of the path is resolved; the rest is going to be made as it is written. */
static void resolve(const char *path, char resolved[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    char prefix[PATH_MAX], real[PATH_MAX];

    for (; slash; slash = memrchr(path, '/', (size_t)(slash - path))) {
        snprintf(prefix, sizeof(prefix), "%.*s/", (int)(slash - path), path);
        if (realpath(prefix, real))
            break;
    }
    if (!slash && !realpath(".", real))
        strcpy(real, ".");
    if (snprintf(resolved, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
            slash ? slash + 1 : path) >= PATH_MAX)
        strcpy(resolved, path);
}

const char *endpoint_identity(const struct endpoint *address, char buffer[PATH_MAX]) {
    struct endpoint usual;
    char other[PATH_MAX];

    resolve(address->path, buffer);
    if (strcmp(buffer, ENDPOINT_SYSTEM) == 0)
        return NULL;
    if (set_default(&usual) < 0)
        return buffer;
    resolve(usual.path, other);
    return strcmp(buffer, other) == 0 ? NULL : buffer;
}

socklen_t endpoint_fill(const struct endpoint *address, struct sockaddr_un *ret_address) {
    size_t length = strlen(address->path);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, address->path, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}
