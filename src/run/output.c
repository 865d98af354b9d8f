/* SPDX-License-Identifier: MIT */

/*
 * What becomes of a process's output. It follows the life of a task: pipes before the spawn, the
 * pid after it, our ends of the child's closed when it has its own; and when its exit has been
 * taken and its replacement started, what is left in the pipes, and its last words.
 */

#include <unistd.h>

#include "run/capture.h"
#include "run/engine_internal.h"

/* --- pools */

int output_open_pool(
    struct engine *engine, const struct pool_settings *settings, const struct version *before) {
    uid_t user = settings->version->main->identity.uid;

    if (!settings->capture || !engine->capture)
        return 0;
    struct capture_settings capture = *settings->capture;

    capture.pool = settings->name;
    capture.last_words = ENGINE_WORDS;
    capture.reader = user == (uid_t)-1 ? 0 : user;
    return capture_pool_change(
        engine->capture, before ? before->capture : NULL, &capture, &settings->version->capture);
}

/* --- processes */

int output_open(struct task *task) {
    const struct worker *worker = &task->seat->core.worker;

    if (!task->version->capture)
        return 0;
    return capture_process_prepare(
        task->version->capture, worker->number, worker->generation, &task->output);
}

size_t output_add_descriptors(const struct task *task, struct child_descriptor *descriptors) {
    size_t n = 0;

    for (int i = 0; task->output && i < FRAME_STREAM_MAX; i++) {
        int fd = capture_process_fd(task->output, (enum frame_stream)i);

        if (fd >= 0)
            descriptors[n++] = (struct child_descriptor){fd, STDOUT_FILENO + i};
    }
    return n;
}

void output_started(const struct task *task) {
    if (task->output)
        capture_process_started(task->output, task->pid);
}

void output_settled(const struct task *task) {
    if (task->output)
        capture_process_settled(task->output);
}

void output_drop(struct task *task) {
    task->output = capture_process_ended(task->output, NULL);
}

const char *output_end(struct engine *engine, char words[ENGINE_WORDS + 1]) {
    struct buffer buffer = {.data = words, .size = ENGINE_WORDS + 1};

    engine->ending = capture_process_ended(engine->ending, &buffer);
    return buffer.length > 0 ? words : NULL;
}

/* --- the engine */

void engine_use_capture_take(struct engine *engine, struct capture *capture) {
    engine->capture = capture;
}

struct capture *engine_capture(const struct engine *engine) {
    return engine->capture;
}

const struct capture_settings *engine_pool_capture(const struct engine_pool *pool) {
    const struct capture_pool *capture = pool->version->capture;

    return capture ? capture_pool_settings(capture) : NULL;
}

void engine_pool_captured(const struct engine_pool *pool, struct capture_facts *ret_facts) {
    const struct capture_pool *capture = pool->version->capture;

    *ret_facts = capture ? capture_pool_facts(capture) : (struct capture_facts){0};
}

void engine_reopen_output(struct engine *engine) {
    if (engine->capture)
        capture_reopen(engine->capture);
}

static void forget_version(struct version *version) {
    if (version)
        version->capture = capture_pool_free(version->capture);
}

static void forget_task(struct task *task) {
    output_drop(task);
    forget_version(task->version);
}

int engine_finish_output(struct engine *engine, nsec_t patience) {
    for (uint32_t p = 0; p < engine->n_pools; p++) {
        struct engine_pool *pool = engine->pools[p];

        forget_version(pool->version);
        forget_version(pool->former.version);
        for (uint32_t i = 0; i < pool->core.n_seats; i++) {
            forget_task(&pool_seat(pool, i)->task);
            forget_version(pool_seat(pool, i)->version);
        }
    }
    for (struct side *side = engine->sides; side; side = side->next)
        forget_task(&side->task);
    return capture_free(TAKE(engine->capture), patience);
}
