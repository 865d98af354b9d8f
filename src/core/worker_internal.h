/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the worker: worker.c, worker_end.c. */

#include "core/worker.h"

struct step {
    struct worker *worker;
    const struct worker_event *event;
    const struct worker_rules *rules;
    struct worker_ledger *ledger;
    struct outbox *outbox;
};

/* How long a SIGKILL may take before what it did not end is called unkillable. */
#define KILL_PATIENCE (10 * NSEC_PER_SEC)

/* worker.c: what leaves a step, and the beginning of processes. */
struct action *worker_act(struct step *s, enum action_kind kind);
struct report *worker_report(struct step *s, enum report_kind kind);

/* The one place where a state changes; NSEC_NEVER: it does not wait for a time. */
void worker_enter(struct step *s, enum worker_state state, nsec_t until);
void worker_set_timer(struct step *s, nsec_t when);
void worker_begin_step(struct step *s, enum step_role role, uint32_t step, bool fresh);
void worker_spawn(struct step *s, bool fresh);

/* By hand: counts as nobody's failure and forgets those before. */
void worker_spawn_fresh(struct step *s);

/* It has served, or done what it was for, at least once. */
void worker_count_up(struct step *s);

/* Whether the command with that number may fail. */
bool worker_tolerates(uint64_t tolerated, uint32_t step);

/* worker_end.c: handlers of the table. */
void worker_on_prepared(struct step *s);
void worker_on_unasked_exit(struct step *s);
void worker_on_asked_exit(struct step *s);
void worker_on_late_exit(struct step *s);
void worker_on_cleaned(struct step *s);
void worker_on_drained(struct step *s);
void worker_on_spawn_failed(struct step *s);
void worker_on_clean_up_failed(struct step *s);
void worker_on_stop(struct step *s);
void worker_on_restart(struct step *s);
void worker_on_kill(struct step *s);
void worker_on_want_up(struct step *s);
void worker_on_want_down(struct step *s);
void worker_on_stop_in_backoff(struct step *s);
void worker_on_kill_in_backoff(struct step *s);
void worker_on_stop_in_cleaning(struct step *s);
void worker_on_kill_in_cleaning(struct step *s);
void worker_on_kill_in_draining(struct step *s);
void worker_on_stop_timeout(struct step *s);
void worker_on_drain_timeout(struct step *s);
void worker_on_unkillable(struct step *s);

/* Ends the process for a reason that is not somebody's wish; the policy will judge it. */
void worker_doom(struct step *s, struct cause doom, int signal, const char *reason);
