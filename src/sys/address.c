/* SPDX-License-Identifier: MIT */
#include "sys/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"

static const char expected[] = "expected PORT, ADDRESS:PORT, [ADDRESS]:PORT, /PATH or @NAME";

static int refuse(int error, const char *reason, const char **ret_reason) {
    *ret_reason = reason;
    return error;
}

static int parse_port(const char *text, in_port_t *ret_port, const char **ret_reason) {
    uint64_t port;
    int r = text_parse_u64(text, 1, UINT16_MAX, &port);

    if (r < 0)
        return refuse(r, r == -ERANGE ? "a port is from 1 to 65535" : expected, ret_reason);
    *ret_port = htons((uint16_t)port);
    return 0;
}

/* A path, or '@' and a name; both without a NUL, and the path with one behind it. */
static int parse_unix(const char *text, struct address *address, const char **ret_reason) {
    struct sockaddr_un *name = (struct sockaddr_un *)&address->room;
    size_t length = strlen(text);

    if (length < 2)
        return refuse(-EINVAL, expected, ret_reason);
    if (length >= sizeof(name->sun_path))
        return refuse(-ENAMETOOLONG, "the name of a unix socket has at most 107 bytes", ret_reason);
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, text, length);
    if (text[0] == '@')
        name->sun_path[0] = '\0';
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
    return 0;
}

static int parse_ipv4(const char *text, struct address *address, const char **ret_reason) {
    struct sockaddr_in *internet = (struct sockaddr_in *)&address->room;
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    size_t length = (size_t)(colon - text);

    if (length >= sizeof(host))
        return refuse(-EINVAL, "no IPv4 address; names are not looked up", ret_reason);
    memcpy(host, text, length);
    host[length] = '\0';
    if (inet_pton(AF_INET, host, &internet->sin_addr) != 1)
        return refuse(-EINVAL, "no IPv4 address; names are not looked up", ret_reason);
    internet->sin_family = AF_INET;
    address->size = sizeof(*internet);
    return parse_port(colon + 1, &internet->sin_port, ret_reason);
}

/* "[ADDRESS]:PORT", "[ADDRESS%INTERFACE]:PORT" with the interface's number. */
static int parse_ipv6(const char *text, struct address *address, const char **ret_reason) {
    struct sockaddr_in6 *internet = (struct sockaddr_in6 *)&address->room;
    const char *end = strchr(text, ']');
    char host[INET6_ADDRSTRLEN + 12], *interface;
    uint64_t scope = 0;

    if (!end || end[1] != ':' || (size_t)(end - text) > sizeof(host))
        return refuse(-EINVAL, expected, ret_reason);
    memcpy(host, text + 1, (size_t)(end - text) - 1);
    host[end - text - 1] = '\0';
    interface = strchr(host, '%');
    if (interface) {
        *interface++ = '\0';
        if (text_parse_u64(interface, 1, UINT32_MAX, &scope) < 0)
            return refuse(-EINVAL, "expected the number of an interface after '%'", ret_reason);
    }
    if (inet_pton(AF_INET6, host, &internet->sin6_addr) != 1)
        return refuse(-EINVAL, "no IPv6 address", ret_reason);
    internet->sin6_family = AF_INET6;
    internet->sin6_scope_id = (uint32_t)scope;
    address->size = sizeof(*internet);
    return parse_port(end + 2, &internet->sin6_port, ret_reason);
}

/* All of IPv6, where IPv4 comes in, too. */
static int parse_bare_port(const char *text, struct address *address, const char **ret_reason) {
    struct sockaddr_in6 *internet = (struct sockaddr_in6 *)&address->room;

    internet->sin6_family = AF_INET6;
    address->size = sizeof(*internet);
    return parse_port(text, &internet->sin6_port, ret_reason);
}

int address_parse(const char *text, struct address *ret_address, const char **ret_reason) {
    struct address address = {.size = 0};
    const char *unheard;
    int r;

    if (!ret_reason)
        ret_reason = &unheard;
    memset(&address.room, 0, sizeof(address.room));
    if (text[0] == '/' || text[0] == '@')
        r = parse_unix(text, &address, ret_reason);
    else if (strncmp(text, "vsock", 5) == 0)
        r = refuse(-EAFNOSUPPORT, "vsock is not known here", ret_reason);
    else if (text[0] == '[')
        r = parse_ipv6(text, &address, ret_reason);
    else if (strchr(text, ':'))
        r = parse_ipv4(text, &address, ret_reason);
    else
        r = parse_bare_port(text, &address, ret_reason);
    if (r == 0)
        *ret_address = address;
    return r;
}

static void format_ipv6(const struct sockaddr_in6 *internet, struct buffer *text) {
    char host[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, &internet->sin6_addr, host, sizeof(host));
    buffer_add_format(text, "[%s", host);
    if (internet->sin6_scope_id != 0)
        buffer_add_format(text, "%%%u", (unsigned)internet->sin6_scope_id);
    buffer_add_format(text, "]:%u", (unsigned)ntohs(internet->sin6_port));
}

const char *address_format(const struct address *address, char buffer[ADDRESS_TEXT_SIZE]) {
    const struct sockaddr_in *internet = (const struct sockaddr_in *)&address->room;
    const char *path = ((const struct sockaddr_un *)&address->room)->sun_path;
    struct buffer text = {.data = buffer, .size = ADDRESS_TEXT_SIZE};
    char host[INET_ADDRSTRLEN];

    *buffer = '\0';
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &internet->sin_addr, host, sizeof(host));
        buffer_add_format(&text, "%s:%u", host, (unsigned)ntohs(internet->sin_port));
        break;
    case AF_INET6:
        format_ipv6((const struct sockaddr_in6 *)&address->room, &text);
        break;
    case AF_UNIX:
        if (*path == '\0')
            buffer_add_text(&text, "@");
        buffer_add_text(&text, *path == '\0' ? path + 1 : path);
        break;
    default:
        break;
    }
    return buffer;
}

bool address_equal(const struct address *a, const struct address *b) {
    return a->size == b->size && memcmp(&a->room, &b->room, a->size) == 0;
}

const char *address_path(const struct address *address) {
    const struct sockaddr_un *name = (const struct sockaddr_un *)&address->room;

    return name->sun_family == AF_UNIX && name->sun_path[0] == '/' ? name->sun_path : NULL;
}

/* 1024 where nobody has changed it, and where it cannot be asked. */
static unsigned first_free_port(void) {
    char text[16];
    int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    uint64_t port = 1024;

    if (size > 0) {
        text[size - (text[size - 1] == '\n')] = '\0';
        text_parse_u64(text, 0, UINT16_MAX + 1, &port);
    }
    if (fd >= 0)
        close(fd);
    return (unsigned)port;
}

bool address_is_privileged(const struct address *address, unsigned *ret_first_free) {
    unsigned port;

    if (address->any.sa_family == AF_INET)
        port = ntohs(((const struct sockaddr_in *)&address->room)->sin_port);
    else if (address->any.sa_family == AF_INET6)
        port = ntohs(((const struct sockaddr_in6 *)&address->room)->sin6_port);
    else
        return false;
    *ret_first_free = first_free_port();
    return port < *ret_first_free;
}
