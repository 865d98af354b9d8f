/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where a socket listens, as ListenStream= of systemd.socket(5) writes it. Reading it asks nobody:
 * no names are looked up.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    };
    socklen_t size;
};

/* Longer ones than any that can be written. */
#define ADDRESS_TEXT_SIZE 160

/*
 * "8080" (a port: [::], so IPv4, too, unless the system says otherwise), "127.0.0.1:80",
 * "[::1]:80", "[fe80::1%3]:80" (with the number of an interface), "/run/x.sock", "@abstract".
 * -EINVAL: it is none of these; -ERANGE: the port is not from 1 to 65535; -ENAMETOOLONG: a path or
 * abstract name that no socket can have (107 bytes); -EAFNOSUPPORT: one of systemd's that
 * is not known here (vsock:…). `ret_reason` (also NULL) says what was expected.
 */
int address_parse(const char *text, struct address *ret_address, const char **ret_reason);

/* The same way back. Returns `buffer`. */
const char *address_format(const struct address *address, char buffer[ADDRESS_TEXT_SIZE]);

bool address_equal(const struct address *a, const struct address *b);

/* The path of a unix socket in the file system; else NULL. */
const char *address_path(const struct address *address);

/*
 * Whether it has a port that only root may listen on here; `ret_first_free` is the first that
 * others may.
 */
bool address_is_privileged(const struct address *address, unsigned *ret_first_free);
