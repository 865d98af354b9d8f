/* SPDX-License-Identifier: MIT */
#pragma once

/* What a supervisor refuses, in words and as an exit status. */

#include "ctl/ctl.h"
#include "wire/varlink.h"

/* Tells why, on standard error; returns the status. */
int explain_error(const struct ctl_call *call, const struct varlink_reply *reply);
