/* SPDX-License-Identifier: MIT */
#pragma once

/* Signal names, as kill(1) and systemd write them. */

/* "TERM", "SIGTERM", "15", "RTMIN+3" → number; -EINVAL. */
int signame_parse(const char *text, int *ret_signal);

/* 15 → "SIGTERM", 37 → "SIGRTMIN+3"; "signal 99" for what has no name. Returns `buffer`. */
const char *signame_format(int signal, char buffer[24]);
