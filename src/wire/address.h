/* SPDX-License-Identifier: MIT */
#pragma once

/* Where the control socket is: the same rules for the server and for its clients. */

#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_SYSTEM "/run/brood/control.sock"

struct address {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/*
 * `option` (of --socket, or NULL), else $BROOD_SOCKET, else brood/control.sock in $XDG_RUNTIME_DIR,
 * else ADDRESS_SYSTEM. Returns 1 when it was named by the option or $BROOD_SOCKET, 0 when it is a
 * default (a client may then try ADDRESS_SYSTEM as well), -ENAMETOOLONG when a socket's path
 * cannot be that long.
 */
int address_choose(const char *option, struct address *ret_address);

/* The path as the system calls want it; returns its length. */
socklen_t address_fill(const struct address *address, struct sockaddr_un *ret_address);
