/* SPDX-License-Identifier: MIT */
#pragma once

/* The commands of `brood`. Each takes its arguments without its own name; returns the status. */

/* Exit statuses of brood itself; the others belong to the command. */
enum status {
    STATUS_OK = 0,
    STATUS_UNCLEAN = 1,
    STATUS_USAGE = 2,
    STATUS_INTERNAL = 125,
};

int command_run(int argc, char **argv);
int command_daemonize(int argc, char **argv);
int command_pidfile(int argc, char **argv);
