/* SPDX-License-Identifier: MIT */
#pragma once

/* From the kernel's words for the end of a process to the core's. */

#include "core/cause.h"
#include "sys/process.h"

/* A zeroed end (somebody else took the status) is CAUSE_LOST. */
struct cause end_cause(struct process_end end);
