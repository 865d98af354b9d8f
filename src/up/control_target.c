/* SPDX-License-Identifier: MIT */
#include "up/control_target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is said */

struct outcome {
    const struct target *target;
    int64_t worker;
    bool ok;
    const char *state;
    const char *text;
};

static void write_outcome(struct buffer *buffer, const void *data) {
    const struct outcome *outcome = data;
    const struct target *target = outcome->target;

    buffer_add_text(buffer, "{");
    buffer_add_json_text(buffer, "pool", target->pool);
    if (target->change)
        buffer_add_json_text(buffer, "what", target->change);
    else if (outcome->worker == EVERY_WORKER) {
        buffer_add_json_key(buffer, "worker");
        buffer_add_text(buffer, "null");
    } else
        buffer_add_json_integer(buffer, "worker", outcome->worker);
    buffer_add_json_key(buffer, "ok");
    buffer_add_text(buffer, outcome->ok ? "true" : "false");
    if (!target->change)
        buffer_add_json_text(buffer, "state", outcome->state);
    buffer_add_json_text(buffer, "text", outcome->text);
    buffer_add_text(buffer, "}");
}

static void add_outcome(struct queue *outcomes, const struct outcome *outcome) {
    if (outcomes->length > 0)
        queue_add_text(outcomes, ",");
    queue_write(outcomes, write_outcome, outcome);
}

/* The target is settled, and this is what came of all of it. */
void target_settle(struct queue *outcomes, struct target *target, const struct engine_pool *pool,
    bool ok, const char *text) {
    const char *state = pool ? status_state_name(status_of(pool).state) : "removed";
    struct worker_facts facts;

    if (pool && target->worker != EVERY_WORKER &&
        engine_worker(pool, (uint32_t)target->worker, &facts) == 0)
        state = facts.state;
    add_outcome(outcomes, &(struct outcome){target, target->worker, ok, state, text});
    target->settled = true;
}

static void fail_worker(struct queue *outcomes, struct target *target, uint32_t number,
    const char *state, const char *text) {
    if (number >= target->n_marks || target->marks[number].failed)
        return;
    /* A change has one outcome, which names the first worker. */
    bool first = !target->failed;
    target->failed = target->marks[number].failed = true;
    if (target->change && !first)
        return;
    if (!target->change) {
        add_outcome(outcomes, &(struct outcome){target, number, false, state, text});
        return;
    }
    char line[512];
    struct buffer buffer = BUFFER(line);
    buffer_add_format(&buffer, "worker %u: %s", number, text);
    add_outcome(outcomes, &(struct outcome){target, EVERY_WORKER, false, state, line});
}

/* --- looking */

enum judgement {
    JUDGED_PENDING,
    JUDGED_WELL,
    JUDGED_FAILED,
};

struct look {
    struct queue *outcomes;
    struct target *target;
    const struct engine_pool *pool;
    uint32_t pending, well, failed;
};

static bool ends_down(const struct target *target) {
    return target->kind == WAIT_DOWN || target->kind == WAIT_STOPPED;
}

/* Why the worker is not as it should be. */
static void describe_failure(
    const struct look *look, const struct worker_facts *facts, struct buffer *buffer) {
    char cause[80];

    if (look->target->kind == WAIT_STOPPED) {
        buffer_add_text(buffer, "it was started again meanwhile");
        return;
    }
    if (facts->cause.kind == CAUSE_NONE)
        buffer_add_text(buffer, facts->state);
    else
        buffer_add_text(buffer, facts->detail ? facts->detail : cause_format(facts->cause, cause));
    if (status_worker_state(facts) == WORKER_BACKOFF)
        buffer_add_text(buffer, "; it is going to be tried again");
    else if (status_worker_state(facts) == WORKER_STOPPED)
        buffer_add_text(buffer, "; it was stopped");
}

static bool is_up(enum worker_state state) {
    return state == WORKER_READY || state == WORKER_DONE;
}

static bool is_down(enum worker_state state) {
    return state == WORKER_FAILED || state == WORKER_STOPPED || state == WORKER_BACKOFF;
}

static enum judgement judge_up(enum worker_state state) {
    return is_up(state) ? JUDGED_WELL : is_down(state) ? JUDGED_FAILED : JUDGED_PENDING;
}

/* A number that went and came back meanwhile begins with the first generation again. */
static bool is_another(const struct worker_facts *facts, const struct mark *mark) {
    return facts->generation != mark->generation || (facts->pid != mark->pid && facts->pid != 0);
}

static enum judgement judge_new(const struct worker_facts *facts, const struct mark *mark) {
    enum worker_state state = status_worker_state(facts);

    if (is_another(facts, mark))
        return judge_up(state);
    return is_down(state) || state == WORKER_DONE ? JUDGED_FAILED : JUDGED_PENDING;
}

static enum judgement judge_reload(const struct worker_facts *facts, const struct mark *mark) {
    if (!mark->reloading)
        return JUDGED_WELL;
    if (facts->generation != mark->generation || status_worker_state(facts) != WORKER_READY)
        return JUDGED_FAILED;
    return JUDGED_PENDING;
}

/* Who was told to stop is on its way down, or somebody else has told it otherwise. */
static enum judgement judge_stopped(const struct worker_facts *facts) {
    enum worker_state state = status_worker_state(facts);
    bool is_back = state == WORKER_PREPARING || state == WORKER_STARTING || state == WORKER_READY ||
                   state == WORKER_BACKOFF;

    return !facts->alive ? JUDGED_WELL : is_back ? JUDGED_FAILED : JUDGED_PENDING;
}

/* What a worker means to the target. */
static enum judgement judge(
    const struct look *look, const struct worker_facts *facts, const struct mark *mark) {
    enum worker_state state = status_worker_state(facts);
    bool holds = strcmp(facts->role, "holder") == 0;

    if (look->target->kind == WAIT_DOWN)
        return facts->alive ? JUDGED_PENDING : JUDGED_WELL;
    if (look->target->kind == WAIT_STOPPED)
        return judge_stopped(facts);
    if (!holds)
        return look->target->kind == WAIT_SCALE && facts->alive ? JUDGED_PENDING : JUDGED_WELL;

    switch (look->target->kind) {
    case WAIT_UP:
        return judge_up(state);
    case WAIT_NEW:
        return judge_new(facts, mark);
    case WAIT_SCALE:
        return engine_pool_is_up(look->pool) && state != WORKER_STOPPED ? judge_up(state)
                                                                        : JUDGED_WELL;
    case WAIT_READY:
        return is_up(state) ? JUDGED_WELL : state == WORKER_FAILED ? JUDGED_FAILED : JUDGED_PENDING;
    case WAIT_FAILED:
        return state == WORKER_FAILED ? JUDGED_WELL : JUDGED_PENDING;
    case WAIT_RELOAD:
        return judge_reload(facts, mark);
    case WAIT_NOTHING:
    case WAIT_DOWN:
    case WAIT_STOPPED:
    case WAIT_ROLL:
    case WAIT_GONE:
        break;
    }
    return JUDGED_WELL;
}

static void look_at_worker(void *data, const struct worker_facts *facts) {
    static const struct mark nothing;
    struct look *look = data;
    struct target *target = look->target;
    const struct mark *mark =
        facts->number < target->n_marks ? &target->marks[facts->number] : &nothing;
    char line[512];
    struct buffer text = BUFFER(line);

    if (target->worker != EVERY_WORKER && facts->number != target->worker)
        return;
    /* Who came later is not what was asked about, but has to end like all others. */
    if (facts->number >= target->n_marks && !ends_down(target) && target->kind != WAIT_SCALE)
        return;
    if (mark->failed) {
        look->failed++;
        return;
    }
    switch (judge(look, facts, mark)) {
    case JUDGED_PENDING:
        look->pending++;
        break;
    case JUDGED_WELL:
        look->well++;
        break;
    case JUDGED_FAILED:
        look->failed++;
        describe_failure(look, facts, &text);
        fail_worker(look->outcomes, target, facts->number, facts->state, line);
        break;
    }
}

static const char *describe_success(
    const struct target *target, const struct engine_pool *pool, char line[80]) {
    struct pool_summary summary = status_of(pool);
    struct worker_facts facts;

    if (target->text && *target->text)
        return target->text;
    if (target->kind == WAIT_RELOAD)
        return "reloaded";
    if (target->worker != EVERY_WORKER &&
        engine_worker(pool, (uint32_t)target->worker, &facts) == 0)
        return facts.state;
    if (ends_down(target))
        return "stopped";
    if (target->kind == WAIT_FAILED)
        return "failed";
    snprintf(line, 80, "%u of %u %s ready", summary.ready, summary.workers,
        summary.workers == 1 ? "worker" : "workers");
    return line;
}

static void look_at_workers(
    struct queue *outcomes, struct target *target, const struct engine_pool *pool) {
    struct look look = {.outcomes = outcomes, .target = target, .pool = pool};
    char line[80];

    if (target->kind == WAIT_SCALE && engine_pool_workers(pool) != target->n_marks) {
        target_settle(outcomes, target, pool, false, "it was scaled again meanwhile");
        return;
    }
    /* Without memory to look: with the next report. */
    if (engine_visit_workers(pool, look_at_worker, &look) < 0) {
        target->changed = true;
        return;
    }
    if (target->kind == WAIT_FAILED ? look.well == 0 : look.pending > 0)
        return;
    if (target->worker != EVERY_WORKER && look.well + look.failed == 0)
        target_settle(
            outcomes, target, pool, ends_down(target), "there is no such worker any more");
    else if (look.failed > 0)
        target->settled = true;
    else
        target_settle(outcomes, target, pool, true, describe_success(target, pool, line));
}

static void look_at_roll(
    struct queue *outcomes, struct target *target, const struct engine_pool *pool) {
    char line[80];

    if (target->roll == REPORT_ROLL_DONE)
        target_settle(outcomes, target, pool, true, describe_success(target, pool, line));
    else if (target->roll == REPORT_ROLL_FAILED && target->failed)
        target->settled = true;
    else if (target->roll == REPORT_ROLL_FAILED)
        target_settle(outcomes, target, pool, false, "the roll failed");
    else if (!status_is_rolling(pool))
        target_settle(outcomes, target, pool, false, "the roll was called off");
}

void target_look(struct target *target, const struct engine *engine, struct queue *outcomes) {
    const struct engine_pool *pool = engine_find_pool(engine, target->pool);

    target->changed = false;
    if (!pool)
        target_settle(outcomes, target, NULL, target->kind == WAIT_GONE || ends_down(target),
            target->text && *target->text ? target->text : "the pool was removed");
    else if (target->kind == WAIT_NOTHING)
        target_settle(outcomes, target, pool, true, target->text ? target->text : "");
    else if (target->kind == WAIT_ROLL)
        look_at_roll(outcomes, target, pool);
    else if (target->kind != WAIT_GONE)
        look_at_workers(outcomes, target, pool);
}

/* --- begun, told of, ended */

static void note_worker(void *data, const struct worker_facts *facts) {
    struct target *target = data;

    if (facts->number < target->n_marks && strcmp(facts->role, "holder") == 0)
        target->marks[facts->number] = (struct mark){
            .generation = facts->generation,
            .pid = facts->pid,
            .reloading = status_worker_state(facts) == WORKER_READY,
        };
}

int target_init(struct target *target, const struct target *what, const struct engine *engine) {
    const struct engine_pool *pool = engine_find_pool(engine, what->pool);

    *target = *what;
    target->roll = REPORT_ROLLING;
    /* A roll that was begun before may have ended already. */
    if (what->change && pool && !status_is_rolling(pool))
        target->roll = pool_roll_result(engine_pool_core(pool)) == ROLL_FAILED ? REPORT_ROLL_FAILED
                                                                               : REPORT_ROLL_DONE;
    target->n_marks = pool ? engine_pool_workers(pool) : 0;
    target->pool = strdup(what->pool);
    target->text = what->text ? strdup(what->text) : NULL;
    target->marks = calloc(MAX(target->n_marks, 1u), sizeof(*target->marks));
    if (!target->pool || (what->text && !target->text) || !target->marks ||
        (pool && engine_visit_workers(pool, note_worker, target) < 0)) {
        target_finish(target);
        return -ENOMEM;
    }
    return 0;
}

void target_finish(struct target *target) {
    free((char *)target->pool);
    free((char *)target->text);
    free(target->marks);
    free(target->why);
}

static const char *cause_of(const struct engine_report *told, char buffer[80]) {
    if (told->detail)
        return told->detail;
    return told->report->cause.kind == CAUSE_NONE ? told->report->reason
                                                  : cause_format(told->report->cause, buffer);
}

/* Why a process of the roll did not come up is told before the roll has failed. */
static void note_failure(struct target *target, const struct engine_report *told) {
    char cause[80];
    const char *why = cause_of(told, cause);

    free(target->why);
    target->why = why ? strdup(why) : NULL;
    target->why_of = told->report->worker;
}

/* The roll has failed: by the first worker that did not come up. */
static void fail_roll(
    struct target *target, const struct engine_report *told, struct queue *outcomes) {
    char line[512];
    struct buffer text = BUFFER(line);

    target->roll = REPORT_ROLL_FAILED;
    buffer_add_text(&text, "its new process did not come up");
    if (target->why && target->why_of == told->report->worker) {
        buffer_add_text(&text, ": ");
        buffer_add_text(&text, target->why);
    }
    buffer_add_text(&text, "; those that were not replaced yet were left alone");
    fail_worker(outcomes, target, told->report->worker, "failed", line);
}

static void fail_reported(struct target *target, const struct engine_report *told,
    const char *state, const char *what, struct queue *outcomes) {
    char line[512], cause[80];
    const char *why = cause_of(told, cause);
    struct buffer text = BUFFER(line);

    buffer_add_text(&text, what);
    buffer_add_text(&text, why ? why : "it failed");
    fail_worker(outcomes, target, told->report->worker, state, line);
}

/* The reload commands of a worker have ended. */
static void end_reload(
    struct target *target, const struct engine_report *told, struct queue *outcomes) {
    uint32_t number = told->report->worker;

    if (number < target->n_marks)
        target->marks[number].reloading = false;
    if (told->report->kind == REPORT_RELOAD_FAILED)
        fail_reported(target, told, "ready", "reloading failed: ", outcomes);
}

void target_on_report(
    struct target *target, const struct engine_report *told, struct queue *outcomes) {
    enum report_kind kind = told->report->kind;
    bool ours = target->worker == EVERY_WORKER || target->worker == told->report->worker;

    target->changed = true;
    if (kind == REPORT_ROLL_DONE)
        target->roll = REPORT_ROLL_DONE;
    else if ((kind == REPORT_EXITED || kind == REPORT_SPAWN_FAILED) && target->kind == WAIT_ROLL)
        note_failure(target, told);
    else if (kind == REPORT_ROLL_FAILED && target->kind == WAIT_ROLL)
        fail_roll(target, told, outcomes);
    else if (kind == REPORT_LEFTOVER && ours && (ends_down(target) || target->kind == WAIT_NEW))
        fail_reported(target, told, "stopped", "SIGKILL did not end ", outcomes);
    else if ((kind == REPORT_RELOADED || kind == REPORT_RELOAD_FAILED) && ours &&
             target->kind == WAIT_RELOAD)
        end_reload(target, told, outcomes);
}
