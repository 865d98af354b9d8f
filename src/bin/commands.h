/* SPDX-License-Identifier: MIT */
#pragma once

/* The commands of `brood`. Each takes its arguments without its own name; returns the status. */

#include <stddef.h>

/* Exit statuses of brood itself; the others belong to the command. */
enum status {
    STATUS_OK = 0,
    STATUS_UNCLEAN = 1,
    STATUS_USAGE = 2,
    STATUS_NO_SUCH_POOL = 4,
    STATUS_INTERNAL = 125,
};

/* What a command is for, in half a sentence. */
const char *command_brief(const char *name);

/* The name of the index-th command; NULL after the last one. */
const char *command_name(size_t index);

/* Lets a command speak of itself: `option` is "--help", or that with a format. */
int command_explain(const char *name, const char *option);

int command_run(int argc, char **argv);
int command_up(int argc, char **argv);
int command_daemonize(int argc, char **argv);
int command_pidfile(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_check(int argc, char **argv);
int command_config(int argc, char **argv);
int command_completion(int argc, char **argv);

/* Those that ask a running supervisor. */
#define CLIENT_COMMANDS(X)                                                                         \
    X(status)                                                                                      \
    X(start)                                                                                       \
    X(stop)                                                                                        \
    X(restart)                                                                                     \
    X(reload)                                                                                      \
    X(reset)                                                                                       \
    X(scale)                                                                                       \
    X(signal)                                                                                      \
    X(wait)                                                                                        \
    X(events)                                                                                      \
    X(top)                                                                                         \
    X(shutdown)

#define X(name) int command_##name(int argc, char **argv);
CLIENT_COMMANDS(X)
#undef X
