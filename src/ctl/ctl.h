/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The client: commands that ask a running supervisor over its control socket and show what it says.
 * Each command takes a struct ctl_call and returns an exit status, after its words on the standard
 * streams. It blocks as it likes, but not longer than it was told to.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/nsec.h"

enum ctl_status {
    CTL_OK = 0,
    CTL_FAILED = 1, /* it was done, and what came of it is a failure */
    CTL_USAGE = 2,
    CTL_UNKNOWN = 4,      /* no such pool or worker */
    CTL_DENIED = 5,       /* not allowed to */
    CTL_ABSENT = 6,       /* nothing listens */
    CTL_TIMED_OUT = 7,    /* what was begun goes on */
    CTL_NOT_POSSIBLE = 8, /* busy, or not in this state */
    CTL_INTERNAL = 125,
};

struct ctl_call {
    const char *command; /* "brood status": messages begin with it */
    const char *const *words;
    size_t n_words;

    const char *socket;    /* NULL: where it usually is */
    const char *condition; /* of wait */
    const char *signal;    /* of signal; NULL: the last word */
    nsec_t timeout;        /* NSEC_NEVER: none */
    nsec_t patience;       /* with what is answered at once; 0: CONNECTION_ANSWER */
    bool may_be_absent;    /* that nothing listens need not be said */
    int help;              /* enum help_format */
    bool all;
    bool no_wait;
    bool rolling;
    bool follow;
    bool json;
};

int ctl_status(const struct ctl_call *call);
int ctl_start(const struct ctl_call *call);
int ctl_stop(const struct ctl_call *call);
int ctl_restart(const struct ctl_call *call);
int ctl_reload(const struct ctl_call *call);
int ctl_reset(const struct ctl_call *call);
int ctl_scale(const struct ctl_call *call);
int ctl_signal(const struct ctl_call *call);
int ctl_wait(const struct ctl_call *call);
int ctl_events(const struct ctl_call *call);
int ctl_top(const struct ctl_call *call);
int ctl_shutdown(const struct ctl_call *call);

/*
 * Calls `fn` with the name of each pool that the supervisor has, or of each worker of one pool, and
 * half a sentence about it.
 */
typedef void (*ctl_name_fn)(void *data, const char *name, const char *about);
void ctl_names(const struct ctl_call *call, const char *pool, ctl_name_fn fn, void *data);

/* One line on standard error, after the command's name; what is not for terminals made visible. */
void ctl_say(const struct ctl_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The pointer, or the end of this process with a word: a client has nobody to keep alive. */
void *ctl_must(void *pointer);
