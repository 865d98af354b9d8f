/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The functions of run/engine.h that the control socket calls, over workers that are nothing but
 * numbers: a test says what becomes of them. A command is written down, and changes states as the
 * core does at once; what takes time, the test does.
 */

#include "run/capture.h"
#include "run/engine.h"
#include "run/peek.h"

#define FAKE_WORKERS 16

struct fake_worker {
    enum worker_state state;
    uint32_t generation;
    struct cause cause;
    const char *detail;
    const char *words;
    const char *status;
};

struct engine *fake_engine_new(struct loop *loop);
void fake_engine_free(struct engine *engine);

struct engine_pool *fake_add_pool(struct engine *engine, const char *name, uint32_t n_workers);
void fake_remove_pool(struct engine *engine, const char *name);

struct fake_worker *fake_worker(struct engine_pool *pool, uint32_t number);
/* The worker comes to a state, and that is reported as the core would. */
void fake_move(struct engine_pool *pool, uint32_t number, enum worker_state state);
void fake_report(struct engine_pool *pool, uint32_t number, enum report_kind kind);
/* The roll ends: REPORT_ROLL_DONE or _FAILED; REPORT_MAX: it is called off without a word. */
void fake_end_roll(struct engine_pool *pool, enum report_kind kind, uint32_t worker);
struct worker_rules *fake_rules(struct engine_pool *pool);

/* How its output is captured, and what has come of it; the settings are the test's. */
void fake_capture(
    struct engine_pool *pool, const struct capture_settings *settings, struct capture_facts facts);

/* Files of captured output: a look at them comes when the test says so, for each of them. */
void fake_add_file(struct engine *engine, const struct capture_file *file);
void fake_answer_looks(struct engine *engine);
/* Looks under way or to be read, and how often files were opened anew. */
bool fake_is_looked_at(const struct engine *engine);
unsigned fake_reopened(const struct engine *engine);

/* The last signal that was sent, and to how many. */
int fake_signal(const struct engine *engine, unsigned *ret_times);
