/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A stage for the engine: one engine on the backend under test, its reports written down, and a
 * directory for what the processes write. Waiting is for events, bounded by the suite's timeout.
 */

#include <stdbool.h>

#include "run/capture.h"
#include "run/engine.h"

#define STAGE_TIMEOUT 60

struct said {
    enum report_kind kind;
    enum step_role role;
    uint32_t worker;
    uint32_t generation;
    pid_t pid;
    struct cause cause;
    bool has_usage;
    char words[64]; /* "": none */
};

struct stage {
    struct engine *engine;
    char directory[64];
    struct said said[256];
    unsigned n_said;
    unsigned n_read; /* stage_await() goes on from here */
};

/* Skips the test where the kernel refuses the backend. */
void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/* From now on pools may be captured. Returns settings for files in text in the directory. */
struct capture_settings stage_capture(struct stage *stage);

/* A plan of `sh -c script`, where $D is the stage's directory. */
struct plan *stage_plan(const struct stage *stage, const char *script);

/* A version with this main script. */
struct version *stage_version(const struct stage *stage, const char *script);
void stage_add(const struct stage *stage, struct version *version, enum step_role role,
    const char *script, bool tolerated);

/* Settings for one worker that is never restarted and is stopped by SIGTERM. */
struct pool_settings stage_settings(struct version *version);

struct engine_pool *stage_pool(struct stage *stage, const struct pool_settings *settings);

/* Turns until the next report of that kind (and worker; ENGINE_EVERY_WORKER: any) has come. */
const struct said *stage_await(struct stage *stage, enum report_kind kind, uint32_t worker);
unsigned stage_count(const struct stage *stage, enum report_kind kind);

void stage_start(struct stage *stage, struct engine_pool *pool);

/* Stops all and turns until nobody is left. */
void stage_stop(struct stage *stage);

/* What was written to a file of the directory, "" where it is not there. */
const char *stage_text(const struct stage *stage, const char *name);

/* Turns until the file holds `text` somewhere. */
void stage_await_text(struct stage *stage, const char *name, const char *text);

/* Turns without waiting longer than a moment: for what is told by nobody. */
void stage_turn(struct stage *stage);
