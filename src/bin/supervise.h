/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Supervising from the command line: signals in, log lines and an exit status out. Takes over the
 * process: the calling thread becomes the reaper of strangers, a second one runs the engine.
 */

#include <stdbool.h>
#include <stdint.h>

#include "run/daemonize.h"
#include "run/engine.h"
#include "run/report.h"

struct supervise_options {
    enum loop_backend backend;
    enum report_format format;
    bool quiet;
    uint64_t forwarded; /* a mask of signals that go to every worker */
    int stop_signal;    /* for what is left below us at the very end */
    nsec_t stop_timeout;
    struct daemon *daemon; /* told when every worker runs, or NULL */
};

/* Runs until every worker has ended and nothing is left below; returns brood's exit status. */
int supervise_take(const struct supervise_options *options, const struct pool_settings *settings);
