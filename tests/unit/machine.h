/* SPDX-License-Identifier: MIT */
#pragma once

/* One worker with everything that it needs, in virtual time, for the tests of the state machine. */

#include "core/worker.h"

struct machine {
    struct worker worker;
    struct worker_rules rules;
    struct worker_ledger ledger;
    struct outbox outbox;
    nsec_t now;
};

/* Stopped; on-failure, default backoff without jitter, stop timeout 10 s, no limits. */
struct machine machine_new(void);

/* The actions of the last step as one text, in their order: "exited timer=off spawn". */
const char *machine_said(const struct machine *m);

/* The report of that kind in the last step; there must be one. */
const struct report *machine_reported(const struct machine *m, enum report_kind kind);

void machine_step(struct machine *m, struct worker_event event);

/* An event as a sound shell would send it now; exits have status 1. */
struct worker_event machine_event(const struct machine *m, enum worker_event_kind kind);
void machine_feed(struct machine *m, enum worker_event_kind kind);
void machine_exit(struct machine *m, enum cause_kind kind, int value);

/* By hand, until it is ready. */
void machine_start(struct machine *m);

/* The process ends with status 1, and its replacement, if it comes at once, is made. */
void machine_crash(struct machine *m);

/* A machine brought to a state by the events that lead there; FAILED: unkillable. */
struct machine machine_in(enum worker_state state);
