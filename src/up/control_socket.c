/* SPDX-License-Identifier: MIT */

/* The socket's file: made, found to be in use or left behind, and who is at the other end. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "up/control_internal.h"
#include "wire/endpoint.h"

#define BACKLOG 128

#define NOBODY ((gid_t)-1)

/* Whether others than our own user and root may connect. */
static bool has_groups(const struct control *control) {
    return control->options.read_group != NOBODY || control->options.change_group != NOBODY;
}

/*
 * Makes the directory if it is not there, and returns it opened and locked for the time of looking
 * and binding: of two who start at once, neither takes the other's new socket for an old one. -1:
 * it cannot be opened, and is not locked.
 */
static int lock_directory(const struct control *control, int *ret_fd) {
    const char *slash = strrchr(control->path, '/');
    char directory[sizeof(struct endpoint)] = ".";

    if (slash) {
        size_t length = slash == control->path ? 1 : (size_t)(slash - control->path);

        memcpy(directory, control->path, length);
        directory[length] = '\0';
    }
    if (mkdir(directory, 0700) == 0) {
        if (has_groups(control) && chmod(directory, 0711) < 0)
            return -errno;
    } else if (errno != EEXIST)
        return -errno;

    *ret_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd >= 0 && flock(*ret_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(*ret_fd);
        return -EAGAIN;
    }
    return 0;
}

/* 0: nobody listens there, and what lies there is a socket; -EADDRINUSE with who does. */
static int probe(const struct sockaddr_un *address, socklen_t length, pid_t *ret_pid) {
    struct ucred peer = {};
    socklen_t size = sizeof(peer);
    struct stat status;
    int r = 0;

    if (lstat(address->sun_path, &status) < 0)
        return -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, length) == 0) {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
            *ret_pid = peer.pid;
        r = -EADDRINUSE;
    } else if (errno == EAGAIN)
        r = -EADDRINUSE; /* its queue is full */
    else if (errno != ECONNREFUSED)
        r = -errno;
    close(fd);
    return r;
}

static int bind_path(struct control *control, int fd, pid_t *ret_pid) {
    struct endpoint path;
    struct sockaddr_un address;

    if (endpoint_choose(control->path, &path) < 0)
        return -ENAMETOOLONG;
    socklen_t length = endpoint_fill(&path, &address);
    if (bind(fd, (struct sockaddr *)&address, length) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    int r = probe(&address, length, ret_pid);
    if (r < 0)
        return r;
    if (unlink(control->path) < 0 || bind(fd, (struct sockaddr *)&address, length) < 0)
        return -errno;
    return 0;
}

/* A file has one group: with two that may connect everybody may, and is sent away again. */
static int open_to_groups(const struct control *control) {
    gid_t read = control->options.read_group, change = control->options.change_group;
    gid_t group = read == NOBODY ? change : read;

    if (!has_groups(control))
        return chmod(control->path, 0600) < 0 ? -errno : 0;
    if (read != change && read != NOBODY && change != NOBODY)
        return chmod(control->path, 0666) < 0 ? -errno : 0;
    if (chown(control->path, (uid_t)-1, group) < 0 || chmod(control->path, 0660) < 0)
        return -errno;
    return 0;
}

int control_set_groups(struct control *control, gid_t read_group, gid_t change_group) {
    control->options.read_group = read_group;
    control->options.change_group = change_group;
    return open_to_groups(control);
}

static int bind_and_listen(struct control *control, pid_t *ret_pid) {
    struct stat status;

    /* The file gets the mode of the socket, so there is no moment in which it is open to others. */
    if (fchmod(control->fd, 0600) < 0)
        return -errno;
    int r = bind_path(control, control->fd, ret_pid);
    if (r < 0)
        return r;
    if (stat(control->path, &status) < 0) {
        r = -errno;
        unlink(control->path);
        return r;
    }
    control->device = status.st_dev;
    control->inode = status.st_ino;
    r = open_to_groups(control);
    return r < 0 ? r : listen(control->fd, BACKLOG) < 0 ? -errno : 0;
}

int control_listen(struct control *control, pid_t *ret_pid) {
    struct endpoint path;
    int directory = -1;

    *ret_pid = 0;
    if (endpoint_choose(control->path, &path) < 0)
        return -ENAMETOOLONG;
    int r = lock_directory(control, &directory);
    if (r < 0)
        return r;
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    r = control->fd < 0 ? -errno : bind_and_listen(control, ret_pid);
    if (directory >= 0)
        close(directory);
    return r;
}

void control_unlink(const struct control *control) {
    struct stat status;

    if (control->inode != 0 && stat(control->path, &status) == 0 &&
        status.st_dev == control->device && status.st_ino == control->inode)
        unlink(control->path);
}

/* Its own group or a supplementary one, as they were when it connected. */
static bool peer_has_group(int fd, const struct ucred *peer, gid_t group) {
    gid_t few[64], *groups = few;
    socklen_t size = sizeof(few);
    bool found = group == peer->gid;

    if (group == NOBODY || found)
        return found;
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
    if (r < 0 && errno == ERANGE) {
        groups = malloc(size);
        r = groups ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) : -1;
    }
    for (size_t i = 0; r == 0 && i < size / sizeof(*groups); i++)
        found = found || groups[i] == group;
    if (groups != few)
        free(groups);
    return found;
}

enum control_right control_right_of(const struct control *control, int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return RIGHT_NONE;
    if (peer.uid == 0 || peer.uid == geteuid())
        return RIGHT_CHANGE;
    if (peer_has_group(fd, &peer, control->options.change_group))
        return RIGHT_CHANGE;
    return peer_has_group(fd, &peer, control->options.read_group) ? RIGHT_READ : RIGHT_NONE;
}
