/* SPDX-License-Identifier: MIT */
#pragma once

/* What sockets of every kind share. */

#include "sys/address.h"

/*
 * bind(2). A unix socket that was left in the file system by somebody who is gone is replaced.
 * -EADDRINUSE: somebody has it; -EEXIST: what lies there is no socket.
 */
int socket_bind(int fd, const struct address *address);
