/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often what nobody tells of is looked at. */
#define MOMENT (5 * NSEC_PER_MSEC)

static void on_report(void *data, const struct engine_report *told) {
    struct stage *stage = data;
    const struct report *report = told->report;

    cr_assert_lt(stage->n_said, ELEMENTS(stage->said));
    stage->said[stage->n_said++] = (struct said){
        .kind = report->kind,
        .role = report->role,
        .worker = report->worker,
        .generation = report->generation,
        .pid = report->pid,
        .cause = report->cause,
        .has_usage = told->usage != NULL,
    };
    if (told->words)
        snprintf(
            stage->said[stage->n_said - 1].words, sizeof(stage->said->words), "%s", told->words);
}

void stage_open(struct stage *stage) {
    struct engine_options options = {.subreaper = false};
    const char *name = getenv("BROOD_LOOP");

    *stage = (struct stage){.directory = "/tmp/brood-stage-XXXXXX"};
    cr_assert(mkdtemp(stage->directory));
    cr_assert_eq(loop_backend_parse(name ? name : "auto", &options.backend), 0);
    int r = engine_new(&options, &stage->engine);
    if (r < 0 && options.backend == LOOP_URING)
        cr_skip_test("io_uring is refused here: %s", strerror(-r));
    cr_assert_eq(r, 0);
    cr_assert_eq(engine_reserve_timers(stage->engine, 1), 0);
    cr_assert_eq(engine_watch(stage->engine, on_report, stage), 0);
}

struct capture_settings stage_capture(struct stage *stage) {
    struct capture_options options = {0};
    struct capture *capture;

    cr_assert_eq(capture_new(engine_loop(stage->engine), &options, &capture), 0);
    engine_use_capture_take(stage->engine, capture);
    return (struct capture_settings){
        .targets = {CAPTURE_FILE, CAPTURE_FILE},
        .file = {.directory = stage->directory, .uid = (uid_t)-1, .gid = (gid_t)-1},
    };
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void stage_close(struct stage *stage) {
    stage_stop(stage);
    cr_assert_eq(engine_finish_output(stage->engine, 5 * NSEC_PER_SEC), 0);
    engine_free(stage->engine);
    nftw(stage->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct plan *stage_plan(const struct stage *stage, const char *script) {
    char variable[96];
    const char *variables[] = {variable};
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct plan_spec spec = {
        .pool = "stage",
        .n_workers = 1,
        .argv = argv,
        .literal = true,
        .set_environment = {variables, 1},
    };
    struct plan_error error;
    struct plan *plan = NULL;

    snprintf(variable, sizeof(variable), "D=%s", stage->directory);
    cr_assert_eq(plan_new(&spec, &plan, &error), 0, "%s", error.text);
    return plan;
}

struct version *stage_version(const struct stage *stage, const char *script) {
    struct version *version;

    cr_assert_eq(version_new_take(stage_plan(stage, script), &version), 0);
    return version;
}

void stage_add(const struct stage *stage, struct version *version, enum step_role role,
    const char *script, bool tolerated) {
    cr_assert_eq(version_add_take(version, role, stage_plan(stage, script), tolerated), 0);
}

struct pool_settings stage_settings(struct version *version) {
    return (struct pool_settings){
        .name = "stage",
        .n_workers = 1,
        .version = version,
        .rules = worker_rules_default(),
        .seed = 1,
    };
}

struct engine_pool *stage_pool(struct stage *stage, const struct pool_settings *settings) {
    struct engine_pool *pool;

    cr_assert_eq(engine_add_pool_take(stage->engine, settings, &pool), 0);
    return pool;
}

void stage_start(struct stage *stage, struct engine_pool *pool) {
    (void)stage;
    engine_pool_command(pool, EVENT_START);
}

const struct said *stage_await(struct stage *stage, enum report_kind kind, uint32_t worker) {
    for (;;) {
        while (stage->n_read < stage->n_said) {
            const struct said *said = &stage->said[stage->n_read++];

            if (said->kind == kind && (worker == ENGINE_EVERY_WORKER || said->worker == worker))
                return said;
        }
        cr_assert_geq(engine_turn(stage->engine, true), 0);
    }
}

unsigned stage_count(const struct stage *stage, enum report_kind kind) {
    unsigned count = 0;

    for (unsigned i = 0; i < stage->n_said; i++)
        count += stage->said[i].kind == kind;
    return count;
}

void stage_stop(struct stage *stage) {
    engine_command_all(stage->engine, EVENT_STOP);
    while (!engine_ended(stage->engine))
        cr_assert_geq(engine_turn(stage->engine, true), 0);
}

const char *stage_text(const struct stage *stage, const char *name) {
    static char text[4096];
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", stage->directory, name);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        fclose(file);
    text[length] = '\0';
    return text;
}

static void on_moment(void *data, uint64_t value, nsec_t now) {
    (void)data, (void)value, (void)now;
}

void stage_turn(struct stage *stage) {
    struct loop_timer moment = {.fn = on_moment};
    struct loop *loop = engine_loop(stage->engine);

    loop_timer_set(loop, &moment, nsec_add(loop_clock(), MOMENT));
    cr_assert_geq(engine_turn(stage->engine, true), 0);
    loop_timer_set(loop, &moment, NSEC_NEVER);
}

void stage_await_text(struct stage *stage, const char *name, const char *text) {
    while (!strstr(stage_text(stage, name), text))
        stage_turn(stage);
}
