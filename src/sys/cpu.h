/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How many CPUs this process may really use: those of its affinity mask, and no more than the
 * tightest CPU quota of the cgroups above it, rounded up (v2 cpu.max, v1 cpu.cfs_quota_us). At
 * least 1.
 */
unsigned cpu_usable(void);
