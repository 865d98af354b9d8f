/* SPDX-License-Identifier: MIT */
#pragma once

/* Where the control socket is: the same rules for the server and for its clients. */

#include <linux/limits.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ENDPOINT_SYSTEM "/run/brood/control.sock"

struct endpoint {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/*
 * `option` (of --socket, or NULL), else $BROOD_SOCKET, else brood/control.sock in $XDG_RUNTIME_DIR,
 * else ENDPOINT_SYSTEM. Returns 1 when it was named by the option or $BROOD_SOCKET, 0 when it is a
 * default (a client may then try ENDPOINT_SYSTEM as well), -ENAMETOOLONG when a socket's path
 * cannot be that long.
 */
int endpoint_choose(const char *option, struct endpoint *ret_address);

/*
 * What tells the supervisor with this socket from others: the socket's absolute path, with its
 * directory resolved, in `buffer`. NULL: it is the one that everybody means who names none.
 */
const char *endpoint_identity(const struct endpoint *address, char buffer[PATH_MAX]);

/* The path as the system calls want it; returns its length. */
socklen_t endpoint_fill(const struct endpoint *address, struct sockaddr_un *ret_address);
