/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Sockets that brood listens on and its workers accept from. They are opened once and stay open
 * over restarts, rolls and reloads, so that a connection is never refused.
 *
 * What is asked for is a `struct listen_spec` for each Listen…= line; a `struct listen_set` holds
 * the open sockets of one pool. With ReusePort= each place has a socket of its own, the same one
 * for every process of that place; without, all share one.
 *
 * The sockets are close-on-exec, and blocking unless NonBlocking= is asked for, as systemd passes
 * them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "core/notify.h"
#include "sys/address.h"

/* systemd's; the kernel cuts it to net.core.somaxconn. */
#define LISTEN_BACKLOG 4096

#define LISTEN_TEXT_SIZE 512

enum listen_ipv6_only { LISTEN_IPV6_DEFAULT, LISTEN_IPV6_BOTH, LISTEN_IPV6_ONLY };

struct listen_spec {
    int type; /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
    struct address address;
    char name[NOTIFY_NAME_MAX + 1]; /* FileDescriptorName= */
    unsigned backlog;
    enum listen_ipv6_only ipv6_only;
    bool reuse_port;
    bool free_bind;
    bool no_delay;
    bool keep_alive;
    bool non_blocking;
    uint32_t receive_buffer; /* bytes; 0: the system's */
    uint32_t send_buffer;
    mode_t mode;           /* of a socket in the file system, SocketMode= */
    uid_t uid;             /* … its owner; -1: ours */
    gid_t gid;             /* … its group; -1: ours */
    mode_t directory_mode; /* of the directories made on the way to it */
};

/* systemd's defaults for all but type and address. */
void listen_spec_init(struct listen_spec *ret_spec);

/*
 * Reads a line such as ListenStream=8080 into a spec that has been initialised: type and address.
 * Pure. `directive` is "ListenStream", "ListenDatagram" or "ListenSequentialPacket". Errors are
 * those of address_parse(), and -EPROTONOSUPPORT: sequential packets are for unix sockets only.
 */
int listen_parse(
    const char *directive, const char *value, struct listen_spec *spec, const char **ret_reason);

/*
 * Opens and, but for datagrams, listens. A unix socket that was left in the file system and that
 * nobody listens on is replaced. On failure `reason` is a text for people: what failed, on which
 * address, why, and what can be done.
 */
int listen_open(const struct listen_spec *spec, int *ret_fd, char reason[LISTEN_TEXT_SIZE]);

struct listen_socket;

/* {0} is an empty one. */
struct listen_set {
    struct listen_socket *sockets;
    size_t count;
    uint32_t n_places;
};

/*
 * Makes the set what is asked for: a socket that is open already, with the same type and address,
 * stays the very same and gets the new options
 * (but for BindIPv6Only= and FreeBind=, which count from the next opening); new ones are opened;
 * those no longer asked for are closed, and so are those of places that are no more. On failure
 * (the reason as listen_open() has it; "…, twice" when two specs ask for one address) the set is
 * what it was before.
 */
int listen_set_change(struct listen_set *set, const struct listen_spec *specs, size_t n_specs,
    uint32_t n_places, char reason[LISTEN_TEXT_SIZE]);

/* Only the number of places: for a scale up or down. */
int listen_set_scale(struct listen_set *set, uint32_t n_places, char reason[LISTEN_TEXT_SIZE]);

/* The socket that `place` is to have as number `index` (0 … count − 1), in the order of the specs.
 */
int listen_set_fd(const struct listen_set *set, size_t index, uint32_t place);

/* How they are named and where they are: for LISTEN_FDNAMES, for people. */
const char *listen_set_name(const struct listen_set *set, size_t index);
const char *listen_set_address(
    const struct listen_set *set, size_t index, char buffer[ADDRESS_TEXT_SIZE]);

/* Closes all, and removes the unix sockets from the file system that are still ours. */
void listen_set_finish(struct listen_set *set);
