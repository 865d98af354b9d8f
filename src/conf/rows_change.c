/* SPDX-License-Identifier: MIT */

/* The table of directives: restarting, stopping, changing. */

#include "conf/rows.h"

static const struct conf_directive rows[] = {
    {"Restart", CONF_GROUP_RESTART, DIRECTIVE_RULES, "WHEN",
        "no, on-success, on-failure, on-abnormal, on-watchdog, on-abort or always", "on-failure",
        "no", "After which ends a worker is started again. A stop by hand is none of them.",
        PLAIN(value_restart_mode, pool.rules.restart.mode)},
    {"RestartSec", CONF_GROUP_RESTART, DIRECTIVE_RULES, "TIME", EXPECTS_TIME, NULL, NULL,
        "The delay before a restart. Not given, the first one is at once, the second failure in a "
        "row waits 100ms, and each further one twice as long, up to RestartMaxDelaySec=.",
        PLAIN(value_given_time, restart_delay)},
    {"RestartSteps", CONF_GROUP_RESTART, DIRECTIVE_RULES, "N", EXPECTS_COUNT, "0", NULL,
        "In how many restarts the delay grows to RestartMaxDelaySec=. 0: it doubles.",
        PLAIN(value_count, restart_steps)},
    {"RestartMaxDelaySec", CONF_GROUP_RESTART, DIRECTIVE_RULES, "TIME", EXPECTS_TIME, NULL, NULL,
        "The longest delay (10s where RestartSec= is not given, which otherwise stays as it is).",
        PLAIN(value_given_time, restart_max_delay)},
    {"RestartJitter", CONF_GROUP_RESTART, DIRECTIVE_OWN | DIRECTIVE_RULES, "PERCENT",
        EXPECTS_PERMILLE, "10%", "0%",
        "A random part of the delay, to either side, so that a pool does not come back in step.",
        PLAIN(value_permille, restart_jitter_permille)},
    {"RestartResetSec", CONF_GROUP_RESTART, DIRECTIVE_OWN | DIRECTIVE_RULES, "TIME", EXPECTS_TIME,
        "1s", NULL,
        "A worker that has run this long is stable: its next failure is the first one again.",
        PLAIN(read_duration, restart_reset)},
    {"SuccessExitStatus", CONF_GROUP_RESTART, DIRECTIVE_LIST | DIRECTIVE_RULES, "LIST",
        EXPECTS_EXITS, NULL, NULL,
        "Ends that count as clean besides status 0 (in a .service file also SIGHUP, SIGINT, "
        "SIGTERM and SIGPIPE): statuses by number or by name (TEMPFAIL), signals by name.",
        PLAIN(value_exits, pool.rules.restart.success)},
    {"RestartPreventExitStatus", CONF_GROUP_RESTART, DIRECTIVE_LIST | DIRECTIVE_RULES, "LIST",
        EXPECTS_EXITS, NULL, NULL, "Ends after which there is no restart, whatever Restart= says.",
        PLAIN(value_exits, pool.rules.restart.prevent)},
    {"RestartForceExitStatus", CONF_GROUP_RESTART, DIRECTIVE_LIST | DIRECTIVE_RULES, "LIST",
        EXPECTS_EXITS, NULL, NULL, "Ends after which there is a restart, whatever Restart= says.",
        PLAIN(value_exits, pool.rules.restart.force)},
    {"MaxRestarts", CONF_GROUP_RESTART, DIRECTIVE_OWN | DIRECTIVE_RULES, "N",
        "a whole number from 0 on, or infinity", "infinity", NULL,
        "How many automatic restarts the whole pool has; then it is stopped.",
        PLAIN(value_restarts, pool.rules.max_restarts)},
    {"StartLimitBurst", CONF_GROUP_RESTART, DIRECTIVE_UNIT | DIRECTIVE_RULES, "N", EXPECTS_COUNT,
        "0", "5", "At most so many starts of a worker within StartLimitIntervalSec=. 0: no limit.",
        PLAIN(value_count, pool.rules.start_limit.burst)},
    {"StartLimitIntervalSec", CONF_GROUP_RESTART, DIRECTIVE_UNIT | DIRECTIVE_RULES, "TIME",
        EXPECTS_TIMEOUT, "10s", NULL, "The time in which the starts are counted. 0: no limit.",
        PLAIN(read_duration, pool.rules.start_limit.interval)},
    {"StartLimitAction", CONF_GROUP_RESTART, DIRECTIVE_UNIT | DIRECTIVE_RULES, "WHAT",
        "give-up, stop or exit", "give-up", NULL,
        "What happens at the limit: give-up ends this worker (systemd's word for it is none), stop "
        "the pool, exit stops everything and ends brood.",
        PLAIN(value_limit_action, pool.rules.start_limit.action)},
    {"KillSignal", CONF_GROUP_STOP, DIRECTIVE_RULES, "SIGNAL", EXPECTS_SIGNAL, "SIGTERM", NULL,
        "How a worker is asked to stop.", PLAIN(value_signal, pool.rules.stop_signal)},
    {"TimeoutStopSec", CONF_GROUP_STOP, DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT, "10s", "90s",
        "How long a stop may take; then SIGKILL follows. 0 is infinity, as in systemd.",
        PLAIN(value_timeout, pool.rules.stop_timeout)},
    {"KillMode", CONF_GROUP_STOP, DIRECTIVE_RULES, "MODE", "control-group, mixed, process or none",
        "control-group", NULL,
        "Who gets the signals of a stop: control-group, the worker's whole tree; mixed, first its "
        "own process, at the end the tree; process, its own process alone; none, nobody.",
        PLAIN(value_kill_mode, pool.kill_mode)},
    {"EndLeftovers", CONF_GROUP_STOP, DIRECTIVE_OWN | DIRECTIVE_RULES, "BOOL", EXPECTS_BOOL, "no",
        "yes",
        "What a worker leaves behind that has ended unasked: with no it runs on beside the "
        "replacement, which starts at once, until the worker is stopped; with yes it gets the "
        "signals of a stop, and the replacement starts when it has gone: it may hold a port or a "
        "lock. KillMode=process and none leave it alone.",
        PLAIN(value_bool, pool.ends_leftovers)},
    {"FinalKillSignal", CONF_GROUP_STOP, DIRECTIVE_RULES, "SIGNAL", EXPECTS_SIGNAL, "SIGKILL", NULL,
        "What follows when TimeoutStopSec= is over.", PLAIN(value_signal, pool.final_signal)},
    {"SendSIGKILL", CONF_GROUP_STOP, DIRECTIVE_RULES, "BOOL", EXPECTS_BOOL, "yes", NULL,
        "With no, what has not stopped in time is named and left alone.",
        PLAIN(value_bool, pool.rules.send_kill)},
    {"RollingSurge", CONF_GROUP_CHANGE, DIRECTIVE_OWN | DIRECTIVE_RULES, "N", EXPECTS_COUNT, "1",
        NULL,
        "In a rolling restart, at most so many new workers beside the old ones, each ready before "
        "the one it replaces is asked to stop. 0: each is stopped first, then started.",
        PLAIN(value_count, pool.surge)},
    {"RecycleAfterSec", CONF_GROUP_CHANGE, DIRECTIVE_OWN | DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT,
        "infinity", NULL,
        "A worker that has been ready this long is replaced as in a rolling restart. This is no "
        "failure.",
        PLAIN(value_timeout, pool.rules.recycle_after)},
    {"RecycleJitter", CONF_GROUP_CHANGE, DIRECTIVE_OWN | DIRECTIVE_RULES, "PERCENT",
        EXPECTS_PERMILLE, "10%", NULL,
        "A random part of RecycleAfterSec=, to either side, so that not all come due at once.",
        PLAIN(value_permille, pool.rules.recycle_jitter_permille)},
    {"RecycleMemory", CONF_GROUP_CHANGE, DIRECTIVE_OWN | DIRECTIVE_RULES, "SIZE", EXPECTS_SIZE,
        "infinity", NULL,
        "A worker whose tree holds more memory than this is replaced as in a rolling restart.",
        PLAIN(value_bytes, pool.recycle_memory)},
};

const struct directive_rows rows_change = {rows, ELEMENTS(rows)};
