/* SPDX-License-Identifier: MIT */
#pragma once

/* What the commands that read a configuration share. */

#include "conf/conf.h"

#define CONF_DEFAULT_DIRECTORY "/etc/brood"

/* "FILE:LINE: error: text" to standard error. */
void conf_print_messages(const struct conf_messages *messages);

/* A JSON object a line to standard output. */
void conf_print_json(const struct conf_messages *messages);

/* Says why, and returns the exit status. */
int conf_fail(const char *command, int error);
