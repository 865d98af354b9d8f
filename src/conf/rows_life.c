/* SPDX-License-Identifier: MIT */

/*
 * The table of directives: pool, commands, readiness. A row: name, heading, flags, what its
 * argument is called, what it expects, the default in a pool and in a .service file where that
 * differs, what it is for; the reader and the field.
 */

#include "conf/rows.h"

static const struct conf_directive rows[] = {
    {"Workers", CONF_GROUP_POOL, DIRECTIVE_COUNT | DIRECTIVE_OWN, "N",
        "a whole number from 1 to 1000000, or auto", "1", NULL,
        "How many workers. auto: one for each CPU that brood may use.",
        PLAIN(value_workers, pool.workers)},
    {"Instances", CONF_GROUP_POOL, DIRECTIVE_LIST | DIRECTIVE_OWN, "NAME…", EXPECTS_NAMES, NULL,
        NULL,
        "In a template, [Pool web@] or web@.service: the instances to make of it, web@NAME for "
        "each. [Pool web@NAME] makes one, too, and may add to it.",
        WITH(value_words, instances)},
    {"Description", CONF_GROUP_POOL, DIRECTIVE_UNIT | DIRECTIVE_RULES | DIRECTIVE_TEXT, "TEXT",
        "a text", NULL, NULL, "What the pool is, for people.", PLAIN(read_text, pool.description)},
    {"Type", CONF_GROUP_COMMANDS, 0, "TYPE", "simple, exec, notify or oneshot", "exec", "simple",
        "When a worker is ready: simple and exec, once its program runs; notify, when it says so "
        "with READY=1 (sd_notify) or on NotifyDescriptor=; oneshot, never: it is done when it has "
        "ended.",
        WITH(value_type, pool.type)},
    {"ExecStart", CONF_GROUP_COMMANDS, DIRECTIVE_LIST | DIRECTIVE_SPAWN, "COMMAND", EXPECTS_COMMAND,
        NULL, NULL,
        "The program and its arguments. $VAR and ${VAR} stand for variables, %i for the worker's "
        "number, %w for how many there are, %p for the pool. Before it: - (a failure counts as "
        "success), @ (the next word is argv[0]), : (no variables), + (with brood's own rights).",
        WITH(value_commands, starts)},
    {"ExecStartPre", CONF_GROUP_COMMANDS, DIRECTIVE_LIST | DIRECTIVE_SPAWN, "COMMAND",
        EXPECTS_COMMAND, NULL, NULL,
        "Runs before ExecStart=, one after another; one that fails fails the start (unless it "
        "begins with -).",
        WITH(value_commands, pool.pre)},
    {"ExecStartPost", CONF_GROUP_COMMANDS, DIRECTIVE_LIST | DIRECTIVE_SPAWN, "COMMAND",
        EXPECTS_COMMAND, NULL, NULL, "Runs once the worker is ready; $MAINPID is its pid.",
        WITH(value_commands, pool.post)},
    {"ExecReload", CONF_GROUP_COMMANDS, DIRECTIVE_LIST | DIRECTIVE_SPAWN, "COMMAND",
        EXPECTS_COMMAND, NULL, NULL,
        "What `brood reload POOL` runs for each worker; $MAINPID is its pid.",
        WITH(value_commands, pool.reload)},
    {"ExecStopPost", CONF_GROUP_COMMANDS, DIRECTIVE_LIST | DIRECTIVE_SPAWN, "COMMAND",
        EXPECTS_COMMAND, NULL, NULL,
        "Runs after each end of a worker, also after a failed start, with $SERVICE_RESULT, "
        "$EXIT_CODE and $EXIT_STATUS. Its own end does not matter.",
        WITH(value_commands, pool.stop_post)},
    {"TimeoutStartSec", CONF_GROUP_READINESS, DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT, NULL, NULL,
        "How long a start may take, ExecStartPre= included; then it has failed. Default 90s; for "
        "Type=oneshot, whose start is its whole run, infinity. 0 is infinity, too.",
        PLAIN(value_given_time, start_timeout)},
    {"NotifyAccess", CONF_GROUP_READINESS, 0, "WHO", "none, main, exec or all", "none", NULL,
        "Whose messages are listened to: nobody's, those of the worker's own process, or those of "
        "its whole tree. Type=notify and WatchdogSec= make none into main.",
        PLAIN(value_notify_access, pool.notify_access)},
    {"NotifyDescriptor", CONF_GROUP_READINESS, DIRECTIVE_OWN, "N", "a descriptor from 3 to 1023",
        NULL, NULL,
        "The worker is ready when it writes a line to this descriptor, as programs made for s6 do.",
        PLAIN(value_descriptor, pool.notify_descriptor)},
    {"WatchdogSec", CONF_GROUP_READINESS, 0, "TIME", EXPECTS_TIMEOUT, "0", NULL,
        "The worker has to say WATCHDOG=1 at least this often, or it is ended and judged as "
        "failed. It finds the time in $WATCHDOG_USEC. 0: no watchdog.",
        PLAIN(read_duration, pool.rules.watchdog)},
    {"WatchdogSignal", CONF_GROUP_READINESS, DIRECTIVE_RULES, "SIGNAL", EXPECTS_SIGNAL, "SIGABRT",
        NULL, "What a worker gets when its watchdog has expired; SIGKILL after TimeoutStopSec=.",
        PLAIN(value_signal, pool.rules.watchdog_signal)},
    {"RuntimeMaxSec", CONF_GROUP_READINESS, DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT, "infinity",
        NULL,
        "How long a worker may run; then it is stopped, and that counts as a failure. For a change "
        "without one, see RecycleAfterSec=.",
        PLAIN(value_timeout, pool.rules.runtime_max)},
    {"RuntimeRandomizedExtraSec", CONF_GROUP_READINESS, DIRECTIVE_RULES, "TIME", EXPECTS_TIME, "0",
        NULL, "A random part of this is added to RuntimeMaxSec=, for each process anew.",
        PLAIN(read_duration, pool.rules.runtime_extra)},
    {"FileDescriptorStoreMax", CONF_GROUP_READINESS, 0, "N", EXPECTS_COUNT, "0", NULL,
        "How many descriptors a worker may leave with brood (FDSTORE=1) to get them back after a "
        "restart.",
        PLAIN(value_count, pool.descriptor_store_max)},
};

const struct directive_rows rows_life = {rows, ELEMENTS(rows)};
