/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The process round an engine: signals in, log lines and an exit status out. It takes over the
 * process: the calling thread becomes the reaper of strangers, a second one runs the engine. What
 * is supervised (one pool of `brood run`, the pools of a configuration) comes as a set of hooks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "run/daemonize.h"
#include "run/engine.h"
#include "run/log_settings.h"
#include "run/report.h"

struct supervisor;

struct supervisor_options {
    const char *command; /* "brood run": begins each message to people */
    enum loop_backend backend;
    struct log_choice asked; /* of the log, on the command line: wins over a configuration */
    struct log_settings log; /* what it begins with */
    bool terminal;           /* standard error is one that is to be coloured */
    uint64_t forwarded;      /* a mask of signals that go to every worker */
    bool captures;           /* pools may be captured; SIGUSR1 opens their files anew, and ours */
    int stop_signal;         /* for what is left below us at the very end */
    nsec_t stop_timeout;
    const char *notify_directory; /* as in struct engine_options */
    struct daemon *daemon;        /* told when all is up, or NULL */
};

enum supervised_start {
    START_UNDER_WAY,
    START_DONE,
    START_FAILED, /* for good; supervisor_fault() says why */
};

/* All hooks are called in the engine's thread, with `data`. */
struct supervised {
    void *data;
    /* The engine is there: adds pools and starts them. Returns 0, or the exit status to end with
     * after supervisor_fail(). */
    int (*begin)(void *data, struct supervisor *supervisor);
    void (*reload)(void *data); /* SIGHUP */
    void (*turned)(void *data); /* after each turn; may be NULL */
    enum supervised_start (*started)(void *data);
    bool (*ended)(void *data);  /* every worker has ended, and nobody wants another */
    int (*status)(void *data);  /* the exit status, once it has ended */
    void (*finish)(void *data); /* the engine is about to go; may be NULL */
};

/* Runs until it has ended and nothing is left below; returns brood's exit status. */
int supervise(const struct supervisor_options *options, const struct supervised *supervised);

struct engine *supervisor_engine(const struct supervisor *supervisor);
const struct supervisor_options *supervisor_options(const struct supervisor *supervisor);

/* A line in the log that is about brood itself. */
void supervisor_note(struct supervisor *supervisor, enum report_note note, const char *text);

/*
 * A configuration that was read again has this to say about the log. -EBUSY: also that it goes to
 * another target, which takes a new start; the rest is taken over.
 */
int supervisor_relog(struct supervisor *supervisor, const struct log_choice *configured);

/* What cannot be begun: a line for the user, and for who started us. Returns `status`. */
int supervisor_fail(struct supervisor *supervisor, int status, const char *format, ...)
    printf_like(3, 4);

/* As by SIGTERM: gracefully at first, at once when asked again. */
void supervisor_stop(struct supervisor *supervisor);
bool supervisor_is_stopping(const struct supervisor *supervisor);
