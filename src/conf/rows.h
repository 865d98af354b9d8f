/* SPDX-License-Identifier: MIT */
#pragma once

/* How a row of the table is written: see rows_life.c. */

#include "conf/readers.h"
#include "conf/values.h"

#define AT(member)       offsetof(struct draft, member)
#define IN_BROOD(member) offsetof(struct conf_brood, member)

/* The fields of a row after its flags, by what they are. */
#define PLAIN(function, member) .read = (function), .offset = AT(member)
#define WITH(function, member)  .read_with = (function), .offset = AT(member)

/* What several rows expect. */
#define EXPECTS_BOOL     "yes or no"
#define EXPECTS_TIME     "a duration such as 10s, 500ms or 1min 30s"
#define EXPECTS_TIMEOUT  "a duration such as 10s, 500ms or infinity"
#define EXPECTS_SIGNAL   "a signal name or number"
#define EXPECTS_COMMAND  "a command line"
#define EXPECTS_EXITS    "a list of exit statuses (0 to 255) and signal names"
#define EXPECTS_COUNT    "a whole number from 0 on"
#define EXPECTS_PERMILLE "a percentage such as 10%"
#define EXPECTS_MODE     "an octal mode such as 0755"
#define EXPECTS_SIZE     "a size such as 64M, infinity, or a percentage of the memory"
#define EXPECTS_NAMES    "a list of names"
#define EXPECTS_TEXT     "a name"
#define EXPECTS_LEVEL    "error, warning, info or debug"
