/* SPDX-License-Identifier: MIT */
#pragma once

/* How much a line of brood's own log matters. */

/* enumerator, name, severity of syslog(3); the gravest first */
#define LOG_LEVELS(X)                                                                              \
    X(ERROR, "error", 3)     /* failed for good, or lost */                                        \
    X(WARNING, "warning", 4) /* not as it should be; it goes on, or is tried again */              \
    X(INFO, "info", 6)       /* what happens */                                                    \
    X(DEBUG, "debug", 7)     /* and why */

enum log_level {
#define X(name, text, severity) LEVEL_##name,
    LOG_LEVELS(X)
#undef X
        LEVEL_MAX
};

const char *level_name(enum log_level level);
int level_severity(enum log_level level);

/* Also the words of syslog(3) and its numbers: "err", "notice", "4". -EINVAL. */
int level_parse(const char *text, enum log_level *ret_level);
