/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the library. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/nsec.h"
#include "brood.h"
#include "core/outbox.h"
#include "core/verdict.h"
#include "core/worker.h"
#include "run/engine.h"
#include "run/plan.h"

/*
 * Copies a caller's option struct, whose first field is its size, into ours of `size` bytes; what
 * the caller's is shorter is zero. NULL is all zero. -EINVAL: shorter than its own size field;
 * -E2BIG: longer, and what we do not know of it is not zero.
 */
int options_copy(void *options, size_t size, const void *given);

/* Fills a caller's struct that begins with its size, as far as it goes. -EINVAL as above. */
int options_give(void *given, const void *filled, size_t size);

/* A standard stream as the plan has it; `standard` is what the default means. -EINVAL. */
int options_stdio(
    const struct brood_stdio *given, bool input, enum stdio_kind standard, struct stdio_spec *ret);

/* 0 or a signal's number → the number, 0 being `standard`; -EINVAL. */
int options_signal(int given, int standard);

/* More than one thread lives in this process. */
bool process_has_threads(void);

/* The kernel discards exit statuses: SIGCHLD is ignored, or has SA_NOCLDWAIT. */
bool process_discards_exits(void);

/* Tells the callback about a report. `detail` as in struct engine_report. */
void event_tell(
    brood_event_fn fn, void *data, unsigned pool_number, const struct engine_report *told);
