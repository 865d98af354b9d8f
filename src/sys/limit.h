/* SPDX-License-Identifier: MIT */
#pragma once

/* Resource limits by the names that systemd.exec(5) and ulimit know: NOFILE, CORE, AS, … */

/* "NOFILE", "LimitNOFILE" or "RLIMIT_NOFILE" → RLIMIT_NOFILE; -EINVAL. */
int limit_find(const char *name);

/* RLIMIT_NOFILE → "NOFILE". */
const char *limit_name(int resource);
