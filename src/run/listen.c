/* SPDX-License-Identifier: MIT */
#include "run/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/listen_internal.h"
#include "sys/descriptors.h"
#include "sys/socket.h"

void listen_spec_init(struct listen_spec *ret_spec) {
    *ret_spec = (struct listen_spec){
        .type = SOCK_STREAM,
        .backlog = LISTEN_BACKLOG,
        .mode = 0666,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
        .directory_mode = 0755,
    };
}

static const struct {
    const char *directive;
    int type;
} directives[] = {
    {"ListenStream", SOCK_STREAM},
    {"ListenDatagram", SOCK_DGRAM},
    {"ListenSequentialPacket", SOCK_SEQPACKET},
};

int listen_parse(
    const char *directive, const char *value, struct listen_spec *spec, const char **ret_reason) {
    int type = 0, r;

    for (size_t i = 0; i < ELEMENTS(directives); i++)
        if (strcmp(directives[i].directive, directive) == 0)
            type = directives[i].type;
    if (type == 0)
        return -EINVAL;
    r = address_parse(value, &spec->address, ret_reason);
    if (r < 0)
        return r;
    if (type == SOCK_SEQPACKET && spec->address.any.sa_family != AF_UNIX) {
        if (ret_reason)
            *ret_reason = "sequential packets are for unix sockets: expected /PATH or @NAME";
        return -EPROTONOSUPPORT;
    }
    spec->type = type;
    return 0;
}

/* One socket option: on what kind of socket, whether it is asked for, and its value. */
struct option {
    bool applies;
    bool is_asked;
    int level, name, value;
    const char *directive;
};

static int set_option(int fd, const struct option *option, struct reason *reason) {
    if (!option->applies || !option->is_asked)
        return 0;
    if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) == 0)
        return 0;
    reason->what = option->directive;
    return -errno;
}

/* The size that was asked for, above the system's limit if we may. */
static int set_buffer(
    int fd, int forced, int name, uint32_t size, const char *directive, struct reason *reason) {
    const int value = (int)MIN(size, (uint32_t)INT32_MAX);
    const struct option limited = {true, true, SOL_SOCKET, name, value, directive};

    if (size == 0 || setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) == 0)
        return 0;
    return set_option(fd, &limited, reason);
}

/* What can be set at any time. */
static int tune(int fd, const struct listen_spec *spec, struct reason *reason) {
    bool is_inet = spec->address.any.sa_family != AF_UNIX;
    bool is_tcp = is_inet && spec->type == SOCK_STREAM;
    const struct option options[] = {
        {is_inet, true, SOL_SOCKET, SO_REUSEPORT, spec->reuse_port, "ReusePort="},
        {is_tcp, true, IPPROTO_TCP, TCP_NODELAY, spec->no_delay, "NoDelay="},
        {is_tcp, true, SOL_SOCKET, SO_KEEPALIVE, spec->keep_alive, "KeepAlive="},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTS(options); i++)
        r = set_option(fd, &options[i], reason);
    if (r == 0)
        r = set_buffer(
            fd, SO_RCVBUFFORCE, SO_RCVBUF, spec->receive_buffer, "ReceiveBuffer=", reason);
    if (r == 0)
        r = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, spec->send_buffer, "SendBuffer=", reason);
    return r;
}

/* Once and for all: those who have it share the flag, and who has set it may be about to accept. */
static int set_blocking(int fd, const struct listen_spec *spec, struct reason *reason) {
    if (!spec->non_blocking || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
        return 0;
    reason->what = "NonBlocking=";
    return -errno;
}

/* What must be set before the socket gets its address. */
static int prepare(int fd, const struct listen_spec *spec, struct reason *reason) {
    int family = spec->address.any.sa_family;
    const struct option options[] = {
        {family != AF_UNIX && spec->type == SOCK_STREAM, true, SOL_SOCKET, SO_REUSEADDR, 1,
            "SO_REUSEADDR"},
        {family == AF_INET6, spec->ipv6_only != LISTEN_IPV6_DEFAULT, IPPROTO_IPV6, IPV6_V6ONLY,
            spec->ipv6_only == LISTEN_IPV6_ONLY, "BindIPv6Only="},
        {family == AF_INET6, spec->free_bind, IPPROTO_IPV6, IPV6_FREEBIND, 1, "FreeBind="},
        {family == AF_INET, spec->free_bind, IPPROTO_IP, IP_FREEBIND, 1, "FreeBind="},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTS(options); i++)
        r = set_option(fd, &options[i], reason);
    if (r == 0)
        r = set_blocking(fd, spec, reason);
    return r < 0 ? r : tune(fd, spec, reason);
}

/* The directories above the path that are not there. */
static int make_directories(const char *path, mode_t mode) {
    char directory[sizeof(((struct address *)NULL)->room)];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
        if (mkdir(directory, mode) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* The owner and mode of a socket in the file system. */
static int grant(const struct listen_spec *spec, struct reason *reason) {
    const char *path = address_path(&spec->address);

    if (!path)
        return 0;
    if ((spec->uid != (uid_t)-1 || spec->gid != (gid_t)-1) &&
        lchown(path, spec->uid, spec->gid) < 0) {
        reason->what = "SocketUser=, SocketGroup=";
        return -errno;
    }
    if (chmod(path, spec->mode) < 0) {
        reason->what = "SocketMode=";
        return -errno;
    }
    return 0;
}

static int put_in_place(int fd, const struct listen_spec *spec) {
    const char *path = address_path(&spec->address);
    int r;

    /* The mode it is born with: at no time may more people connect than are to. */
    if (path && fchmod(fd, spec->mode & 0700) < 0)
        return -errno;
    r = socket_bind(fd, &spec->address);
    if (r != -ENOENT || !path)
        return r;
    r = make_directories(path, spec->directory_mode);
    return r < 0 ? r : socket_bind(fd, &spec->address);
}

/* The rest, for a socket that has its address. */
static int complete(int fd, const struct listen_spec *spec, struct reason *reason) {
    int r = grant(spec, reason);

    if (r == 0 && spec->type != SOCK_DGRAM && listen(fd, (int)spec->backlog) < 0)
        r = -errno;
    return r;
}

int listen_change(int fd, const struct listen_spec *spec, struct reason *reason) {
    int r = tune(fd, spec, reason);

    return r < 0 ? r : complete(fd, spec, reason);
}

static int open_on(const struct listen_spec *spec, struct reason *reason) {
    const char *path = address_path(&spec->address);
    int fd = descriptors_move_up_consume(
        socket(spec->address.any.sa_family, spec->type | SOCK_CLOEXEC, 0));
    int r;

    if (fd < 0)
        return fd;
    r = prepare(fd, spec, reason);
    if (r == 0)
        r = put_in_place(fd, spec);
    if (r == 0) {
        r = complete(fd, spec, reason);
        if (r < 0 && path)
            unlink(path);
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

/* A system without IPv6: what was all of both is all of IPv4. */
static bool fall_back(const struct listen_spec *spec, struct listen_spec *ret_spec) {
    const struct sockaddr_in6 *wide = (const struct sockaddr_in6 *)&spec->address.room;
    struct sockaddr_in *narrow = (struct sockaddr_in *)&ret_spec->address.room;

    if (wide->sin6_family != AF_INET6 || spec->ipv6_only == LISTEN_IPV6_ONLY ||
        !IN6_IS_ADDR_UNSPECIFIED(&wide->sin6_addr))
        return false;
    *ret_spec = *spec;
    memset(&ret_spec->address, 0, sizeof(ret_spec->address));
    narrow->sin_family = AF_INET;
    narrow->sin_port = wide->sin6_port;
    ret_spec->address.size = sizeof(*narrow);
    return true;
}

/* Why, and what can be done: of the errors that have something to be done about. */
static void advise(const struct listen_spec *spec, int error, struct buffer *text) {
    unsigned first_free;

    if (error == -EADDRINUSE)
        buffer_add_text(text, ": another process listens there");
    else if (error == -EACCES && address_is_privileged(&spec->address, &first_free))
        buffer_add_format(text, ": ports below %u are for root", first_free);
    else if (error == -EEXIST)
        buffer_add_text(text, ": what lies there is no socket, and is left alone");
    else if (error == -EADDRNOTAVAIL)
        buffer_add_text(text, ": no interface has that address (FreeBind=yes does not ask)");
    else if (error == -EMFILE)
        buffer_add_text(text, ": raise the limit (ulimit -n)");
}

void listen_explain(const struct listen_spec *spec, int error, const struct reason *reason,
    char text[LISTEN_TEXT_SIZE]) {
    struct buffer line = {.data = text, .size = LISTEN_TEXT_SIZE};
    char address[ADDRESS_TEXT_SIZE];

    *text = '\0';
    buffer_add_text(&line, "listen on ");
    buffer_add_visible(&line, address_format(&spec->address, address));
    if (reason->what)
        buffer_add_format(&line, ": %s", reason->what);
    buffer_add_format(&line, ": %s", strerror(-error));
    advise(spec, error, &line);
}

int listen_open(const struct listen_spec *spec, int *ret_fd, char reason[LISTEN_TEXT_SIZE]) {
    struct reason why = {NULL};
    struct listen_spec narrow;
    int fd = open_on(spec, &why);

    if (fd == -EAFNOSUPPORT && fall_back(spec, &narrow))
        fd = open_on(&narrow, &why);
    if (fd < 0) {
        listen_explain(spec, fd, &why, reason);
        return fd;
    }
    *ret_fd = fd;
    return 0;
}
