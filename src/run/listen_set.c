/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/listen_internal.h"

struct listen_socket {
    struct listen_spec spec;
    int *fds; /* one, or one for each place */
    uint32_t n_fds;
    uint32_t n_kept;                 /* so many of them are those of `old`, while a set changes */
    const struct listen_socket *old; /* … whose successor it is */
    dev_t device;                    /* of its file, if it has one: whether that is still ours */
    ino_t inode;
};

static int out_of_memory(char text[LISTEN_TEXT_SIZE]) {
    struct buffer line = {.data = text, .size = LISTEN_TEXT_SIZE};

    buffer_add_format(&line, "listen: %s", strerror(ENOMEM));
    return -ENOMEM;
}

static bool is_per_place(const struct listen_spec *spec) {
    return spec->reuse_port && spec->address.any.sa_family != AF_UNIX;
}

static bool is_same_place(const struct listen_spec *a, const struct listen_spec *b) {
    return a->type == b->type && address_equal(&a->address, &b->address);
}

static const struct listen_socket *find(
    const struct listen_set *set, const struct listen_spec *spec) {
    for (size_t i = 0; i < set->count; i++)
        if (is_same_place(&set->sockets[i].spec, spec))
            return &set->sockets[i];
    return NULL;
}

static void remember_file(struct listen_socket *socket) {
    const char *path = address_path(&socket->spec.address);
    struct stat status;

    if (!path || stat(path, &status) < 0)
        return;
    socket->device = status.st_dev;
    socket->inode = status.st_ino;
}

static void remove_file(const struct listen_socket *socket) {
    const char *path = address_path(&socket->spec.address);
    struct stat status;

    if (path && lstat(path, &status) == 0 && status.st_dev == socket->device &&
        status.st_ino == socket->inode)
        unlink(path);
}

static void close_from(const struct listen_socket *socket, uint32_t first) {
    for (uint32_t i = first; i < socket->n_fds; i++)
        close(socket->fds[i]);
}

/* All descriptors that are kept get these options. */
static int change_kept(
    const struct listen_socket *socket, const struct listen_spec *spec, struct reason *reason) {
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < socket->n_kept; i++)
        r = listen_change(socket->fds[i], spec, reason);
    return r;
}

/* Takes over what is open already. */
static int adopt(struct listen_socket *socket, const struct listen_socket *old, uint32_t n_wanted,
    char text[LISTEN_TEXT_SIZE]) {
    struct reason reason = {NULL};
    int r;

    if (!old)
        return 0;
    socket->old = old;
    socket->device = old->device;
    socket->inode = old->inode;
    socket->n_fds = socket->n_kept = MIN(old->n_fds, n_wanted);
    memcpy(socket->fds, old->fds, socket->n_kept * sizeof(int));
    r = change_kept(socket, &socket->spec, &reason);
    if (r < 0)
        listen_explain(&socket->spec, r, &reason, text);
    return r;
}

static int prepare(struct listen_socket *socket, const struct listen_set *set, uint32_t n_places,
    char text[LISTEN_TEXT_SIZE]) {
    uint32_t n_wanted = is_per_place(&socket->spec) ? MAX(n_places, 1U) : 1;
    int r;

    socket->fds = calloc(n_wanted, sizeof(int));
    if (!socket->fds)
        return out_of_memory(text);
    r = adopt(socket, find(set, &socket->spec), n_wanted, text);
    while (r == 0 && socket->n_fds < n_wanted) {
        r = listen_open(&socket->spec, &socket->fds[socket->n_fds], text);
        socket->n_fds += r == 0;
    }
    if (r == 0 && !socket->old)
        remember_file(socket);
    return r;
}

/* Nothing has happened: what is new goes, what was there is as before. */
static void undo(struct listen_socket *sockets, size_t count) {
    struct reason reason;

    for (size_t i = 0; i < count; i++) {
        close_from(&sockets[i], sockets[i].n_kept);
        if (sockets[i].old)
            change_kept(&sockets[i], &sockets[i].old->spec, &reason);
        else
            remove_file(&sockets[i]);
        free(sockets[i].fds);
    }
    free(sockets);
}

/* The successors have what they keep; the rest of the old ones goes. */
static void commit(struct listen_set *set, struct listen_socket *sockets, size_t count) {
    for (size_t i = 0; i < set->count; i++) {
        const struct listen_socket *old = &set->sockets[i], *heir = NULL;

        for (size_t k = 0; k < count && !heir; k++)
            if (sockets[k].old == old)
                heir = &sockets[k];
        close_from(old, heir ? heir->n_kept : 0);
        if (!heir)
            remove_file(old);
        free(old->fds);
    }
    free(set->sockets);
    for (size_t k = 0; k < count; k++)
        sockets[k].old = NULL;
    set->sockets = sockets;
    set->count = count;
}

static int find_twins(
    const struct listen_spec *specs, size_t n_specs, char text[LISTEN_TEXT_SIZE]) {
    struct buffer line = {.data = text, .size = LISTEN_TEXT_SIZE};
    char address[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < n_specs; i++)
        for (size_t k = 0; k < i; k++)
            if (is_same_place(&specs[i], &specs[k])) {
                buffer_add_format(&line, "listen on %s: it is asked for twice",
                    address_format(&specs[i].address, address));
                return -EINVAL;
            }
    return 0;
}

int listen_set_change(struct listen_set *set, const struct listen_spec *specs, size_t n_specs,
    uint32_t n_places, char reason[LISTEN_TEXT_SIZE]) {
    struct listen_socket *sockets;
    int r = find_twins(specs, n_specs, reason);

    if (r < 0)
        return r;
    sockets = calloc(MAX(n_specs, (size_t)1), sizeof(*sockets));
    if (!sockets)
        return out_of_memory(reason);
    for (size_t i = 0; i < n_specs; i++) {
        sockets[i].spec = specs[i];
        r = prepare(&sockets[i], set, n_places, reason);
        if (r < 0) {
            undo(sockets, i + 1);
            return r;
        }
    }
    commit(set, sockets, n_specs);
    set->n_places = n_places;
    return 0;
}

int listen_set_scale(struct listen_set *set, uint32_t n_places, char reason[LISTEN_TEXT_SIZE]) {
    struct listen_spec *specs;
    int r;

    if (set->count == 0) {
        set->n_places = n_places;
        return 0;
    }
    specs = calloc(set->count, sizeof(*specs));
    if (!specs)
        return out_of_memory(reason);
    for (size_t i = 0; i < set->count; i++)
        specs[i] = set->sockets[i].spec;
    r = listen_set_change(set, specs, set->count, n_places, reason);
    free(specs);
    return r;
}

int listen_set_fd(const struct listen_set *set, size_t index, uint32_t place) {
    const struct listen_socket *socket = &set->sockets[index];

    if (!is_per_place(&socket->spec))
        return socket->fds[0];
    return place < socket->n_fds ? socket->fds[place] : -1;
}

const char *listen_set_name(const struct listen_set *set, size_t index) {
    return set->sockets[index].spec.name;
}

const char *listen_set_address(
    const struct listen_set *set, size_t index, char buffer[ADDRESS_TEXT_SIZE]) {
    return address_format(&set->sockets[index].spec.address, buffer);
}

void listen_set_finish(struct listen_set *set) {
    commit(set, NULL, 0);
    set->n_places = 0;
}
