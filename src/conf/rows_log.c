/* SPDX-License-Identifier: MIT */

/* The table of directives: where output goes, and how what is captured is kept. */

#include "conf/rows.h"

#define EXPECTS_OUTPUT                                                                             \
    "log, inherit, null, file:PATH, append:PATH, truncate:PATH, journal or syslog"
#define EXPECTS_LIMIT "a size such as 64M, or infinity"

#define OUTPUT(stream)    WITH(value_output, outputs[stream])
#define LOG(read, member) PLAIN(read, pool.log.capture.member)

static const struct conf_directive rows[] = {
    {"StandardOutput", CONF_GROUP_LOG, DIRECTIVE_SPAWN, "WHERE", EXPECTS_OUTPUT, "log", NULL,
        "Where the output goes: log, captured and kept in files (LogDirectory=, 'brood logs'); "
        "journal and syslog, captured and handed on line by line; inherit, where brood's own goes; "
        "null, nowhere; into a file that the process writes itself.",
        OUTPUT(FRAME_OUT)},
    {"StandardError", CONF_GROUP_LOG, DIRECTIVE_SPAWN, "WHERE", EXPECTS_OUTPUT, "log", "inherit",
        "As StandardOutput=; in a .service file inherit means what StandardOutput= says.",
        OUTPUT(FRAME_ERR)},
    {"LogDirectory", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_TEXT, "DIR",
        "an absolute path, or -", NULL, NULL,
        "Where the files of StandardOutput=log are, made if missing; - is brood's own standard "
        "output, each line with time, worker, pid and stream. Default: /var/log/brood, or for "
        "others than root ~/.local/state/brood/log.",
        PLAIN(value_log_directory, pool.log.capture.file.directory)},
    {"LogFormat", CONF_GROUP_LOG, DIRECTIVE_OWN, "FORMAT", "text, json or raw", "text", NULL,
        "How lines are kept: text, after time, worker, pid and stream; json, an object a line; "
        "raw, the bytes alone, a file for each worker and stream.",
        LOG(value_log_format, file.format)},
    {"LogMaxSize", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "SIZE", EXPECTS_LIMIT, "64M",
        NULL, "A file is rotated before it gets larger than this.",
        LOG(value_bytes, file.max_size)},
    {"LogMaxAgeSec", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT,
        "infinity", NULL, "A file is rotated when it is older than this.",
        LOG(value_timeout, file.max_age)},
    {"LogKeep", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "N",
        "a whole number from 1 on, or infinity", "infinity", NULL,
        "How many rotated files of a log are kept; the oldest go first.",
        LOG(value_log_keep, file.max_files)},
    {"LogKeepSize", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "SIZE", EXPECTS_LIMIT, "1G",
        NULL, "How many bytes the rotated files of a log may have together.",
        LOG(value_bytes, file.max_total)},
    {"LogCompress", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "BOOL", EXPECTS_BOOL, "yes",
        NULL,
        "Rotated files are compressed, with zstd where it is installed, else with gzip, at the "
        "lowest priority.",
        LOG(value_bool, compress)},
    {"LogMode", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "MODE", EXPECTS_MODE, "0640", NULL,
        "The mode of files that are made.", LOG(value_mode, file.mode)},
    {"LogUser", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES | DIRECTIVE_TEXT, "USER", "a user",
        NULL, NULL, "Who owns files that are made. Default: whom brood runs as.",
        PLAIN(read_text, pool.log.user)},
    {"LogGroup", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES | DIRECTIVE_TEXT, "GROUP",
        "a group", NULL, NULL, "Their group. Default: that of LogUser=, or brood's.",
        PLAIN(read_text, pool.log.group)},
    {"LogOverflow", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "WHAT", "block or drop",
        "block", NULL,
        "When LogBuffer= is full, because a disk or a daemon is slow, full or away: block, this "
        "worker's writes wait; drop, lines are dropped, and how many is said where they are "
        "missing.",
        LOG(value_overflow, overflow)},
    {"LogBuffer", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "SIZE", "a size from 4K to 1G",
        "64K", NULL, "How many bytes of each stream of a worker may be on their way.",
        LOG(value_log_buffer, buffer)},
    {"LogLineMax", CONF_GROUP_LOG, DIRECTIVE_OWN | DIRECTIVE_RULES, "SIZE", "a size from 64 to 64K",
        "16K", NULL, "A longer line goes on in the next one, and is marked.",
        LOG(value_line_max, line_max)},
    {"LogRateLimitBurst", CONF_GROUP_LOG, DIRECTIVE_RULES, "N", EXPECTS_COUNT, "0", NULL,
        "So many lines of a worker are kept within LogRateLimitIntervalSec=; how many more there "
        "were is said. 0: no limit.",
        LOG(value_count, rate_burst)},
    {"LogRateLimitIntervalSec", CONF_GROUP_LOG, DIRECTIVE_RULES, "TIME", EXPECTS_TIMEOUT, "30s",
        NULL, "The time in which the lines are counted. 0: no limit.",
        LOG(read_duration, rate_interval)},
    {"SyslogIdentifier", CONF_GROUP_LOG, DIRECTIVE_TEXT, "NAME", EXPECTS_TEXT, NULL, NULL,
        "What syslog and the journal know the pool as. Default: its name.",
        LOG(read_text, label.identifier)},
    {"SyslogFacility", CONF_GROUP_LOG, 0, "FACILITY", "a facility such as daemon or local0",
        "daemon", NULL, "Under which facility syslog and the journal file the lines.",
        LOG(value_facility, label.facility)},
    {"SyslogLevel", CONF_GROUP_LOG, 0, "LEVEL", "a level such as info or warning", NULL, NULL,
        "Under which level. Default: info for standard output, warning for standard error.",
        LOG(value_level, label)},
};

const struct directive_rows rows_log = {rows, ELEMENTS(rows)};
