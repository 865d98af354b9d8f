/* SPDX-License-Identifier: MIT */
#include "sys/socket.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int try_bind(int fd, const struct address *address) {
    return bind(fd, &address->any, address->size) < 0 ? -errno : 0;
}

/*
 * Whether nobody has the socket under this name: then, and only then, a connection is refused. A
 * socket of another type or with a full queue is somebody's.
 */
static bool is_abandoned(int type, const struct address *address) {
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused;

    if (fd < 0)
        return false;
    refused = connect(fd, &address->any, address->size) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

int socket_bind(int fd, const struct address *address) {
    const char *path = address_path(address);
    struct stat status;
    int type, r = try_bind(fd, address);
    socklen_t size = sizeof(type);

    if (r != -EADDRINUSE || !path)
        return r;
    if (lstat(path, &status) < 0)
        return errno == ENOENT ? try_bind(fd, address) : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || !is_abandoned(type, address))
        return r;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    return try_bind(fd, address);
}
