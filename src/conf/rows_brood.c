/* SPDX-License-Identifier: MIT */

/* The table of directives: [Brood], the supervisor itself. */

#include "conf/rows.h"

static const struct conf_directive rows[] = {
    {"ReadGroup", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN | DIRECTIVE_TEXT, "GROUP",
        "a group", NULL, NULL,
        "Members may ask (brood status, events), not change, nor see what waits in memory for log "
        "files.",
        .read = read_text, .offset = IN_BROOD(read_group)},
    {"ChangeGroup", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN | DIRECTIVE_TEXT, "GROUP",
        "a group", NULL, NULL,
        "Members may ask and change, as root and the user whom brood runs as always may.",
        .read = read_text, .offset = IN_BROOD(change_group)},
    {"Slice", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_TEXT, "NAME", EXPECTS_TEXT, NULL, NULL,
        "The control group that the pools' groups are made in. Default: brood's own.",
        .read = read_text, .offset = IN_BROOD(slice)},
    {"Strict", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN, "BOOL", EXPECTS_BOOL, "no", NULL,
        "What cannot be enforced is an error, in all pools: as --strict.", .read = value_bool,
        .offset = IN_BROOD(strict)},
    {"ExitWhenDone", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN, "BOOL", EXPECTS_BOOL, "no",
        NULL, "brood ends when every pool has ended by itself.", .read = value_bool,
        .offset = IN_BROOD(exit_when_done)},
    {"LogLevel", CONF_GROUP_BROOD, DIRECTIVE_BROOD, "LEVEL", EXPECTS_LEVEL, "info", NULL,
        "What brood's own log tells: this, and what is graver. The words and numbers of syslog "
        "will "
        "do, too. A reload changes it. The command line wins.",
        .read = read_log_level, .offset = IN_BROOD(log.level)},
    {"LogFormat", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN, "FORMAT", "text or json", NULL,
        NULL,
        "How brood's own log is written: for people (the default), or one JSON object a line. The "
        "command line wins.",
        .read = read_log_format, .offset = IN_BROOD(log.format)},
    {"LogTarget", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_TEXT, "WHERE",
        "stderr, file:/PATH, journal, syslog or null", NULL, NULL,
        "Where brood's own log goes. Default: stderr. A file is opened anew by SIGUSR1. A change "
        "takes a new start of brood. The command line wins.",
        .read = value_log_target, .offset = IN_BROOD(log.target)},
    {"NotifySocket", CONF_GROUP_BROOD, DIRECTIVE_BROOD | DIRECTIVE_OWN | DIRECTIVE_TEXT, "WHERE",
        "an absolute path of a directory, or abstract", "abstract", NULL,
        "Where the sockets for READY=1 and its like are: in a directory, or without files.",
        .read = value_notify_socket, .offset = IN_BROOD(notify_socket)},
};

const struct directive_rows rows_brood = {rows, ELEMENTS(rows)};
