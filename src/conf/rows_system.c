/* SPDX-License-Identifier: MIT */

/* The table of directives: sockets that brood opens. */

#include "conf/rows.h"

static const struct conf_directive rows[] = {
    {"ListenStream", CONF_GROUP_SOCKETS, DIRECTIVE_LIST | DIRECTIVE_SOCKETS | DIRECTIVE_TEXT,
        "ADDRESS", "an address: PORT, IPV4:PORT, [IPV6]:PORT, /PATH or @NAME", NULL, NULL,
        "A TCP or unix stream socket that brood opens once and hands to each worker (LISTEN_FDS). "
        "It stays open over restarts and reloads, so no connection is refused.",
        WITH(value_listen, pool.listens)},
    {"ListenDatagram", CONF_GROUP_SOCKETS, DIRECTIVE_LIST | DIRECTIVE_SOCKETS | DIRECTIVE_TEXT,
        "ADDRESS", "an address: PORT, IPV4:PORT, [IPV6]:PORT, /PATH or @NAME", NULL, NULL,
        "The same for UDP and unix datagrams.", WITH(value_listen, pool.listens)},
    {"ListenSequentialPacket", CONF_GROUP_SOCKETS,
        DIRECTIVE_LIST | DIRECTIVE_SOCKETS | DIRECTIVE_TEXT, "ADDRESS", "/PATH or @NAME", NULL,
        NULL, "The same for unix sockets that keep messages apart.",
        WITH(value_listen, pool.listens)},
    {"Backlog", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS, "N", EXPECTS_COUNT, "4096", NULL,
        "How many connections may wait to be accepted.", PLAIN(value_count, pool.listens.backlog)},
    {"ReusePort", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS, "BOOL", EXPECTS_BOOL, "no", NULL,
        "Each worker has a socket of its own on the same port, and the kernel spreads connections.",
        PLAIN(value_bool, pool.listens.reuse_port)},
    {"FileDescriptorName", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS | DIRECTIVE_TEXT, "NAME",
        EXPECTS_TEXT, NULL, NULL, "The name of the sockets in LISTEN_FDNAMES. Default: the pool's.",
        PLAIN(read_text, pool.listens.name)},
    {"SocketMode", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS, "MODE", EXPECTS_MODE, "0666", NULL,
        "The mode of unix sockets.", PLAIN(value_mode, pool.listens.mode)},
    {"SocketUser", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS | DIRECTIVE_TEXT, "USER", "a user", NULL,
        NULL, "Who owns unix sockets. Default: whom brood runs as.",
        PLAIN(read_text, pool.listens.user)},
    {"SocketGroup", CONF_GROUP_SOCKETS, DIRECTIVE_SOCKETS | DIRECTIVE_TEXT, "GROUP", "a group",
        NULL, NULL, "The group of unix sockets.", PLAIN(read_text, pool.listens.group)},
    {"OnDemand", CONF_GROUP_SOCKETS, DIRECTIVE_OWN | DIRECTIVE_RULES, "BOOL", EXPECTS_BOOL, "no",
        NULL, "The pool starts with the first connection to one of its sockets, not before.",
        PLAIN(value_bool, pool.on_demand)},
};

const struct directive_rows rows_system = {rows, ELEMENTS(rows)};
