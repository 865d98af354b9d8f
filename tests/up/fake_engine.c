/* SPDX-License-Identifier: MIT */
#include "fake_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_POOLS 8

struct engine_pool {
    struct engine *engine;
    char *name;
    bool up;
    struct pool core;
    uint32_t n_workers;
    struct fake_worker workers[FAKE_WORKERS];
    const struct capture_settings *capture;
    struct capture_facts captured;
    uint32_t retiring; /* of a scaling down: still there */
};

struct engine {
    struct loop *loop;
    struct engine_pool *pools[FAKE_POOLS];
    uint32_t n_pools;
    engine_report_fn report;
    void *report_data;
    int signal;
    unsigned signals;
    struct capture_file files[FAKE_POOLS];
    size_t n_files;
    uint64_t asked, answered; /* looks at files */
    void (*peeked)(void *data);
    void *peeked_data;
    unsigned reopened;
};

struct engine *fake_engine_new(struct loop *loop) {
    struct engine *engine = calloc(1, sizeof(*engine));

    engine->loop = loop;
    return engine;
}

static void pool_free(struct engine_pool *pool) {
    free(pool->name);
    free(pool);
}

void fake_engine_free(struct engine *engine) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        pool_free(engine->pools[i]);
    free(engine);
}

static bool is_up(enum worker_state state) {
    return state == WORKER_READY || state == WORKER_DONE;
}

/* What the core keeps count of. */
static void recount(struct engine_pool *pool) {
    memset(pool->core.ledger.states, 0, sizeof(pool->core.ledger.states));
    pool->core.n_ready = 0;
    for (uint32_t i = 0; i < pool->n_workers + pool->retiring; i++) {
        pool->core.ledger.states[pool->workers[i].state]++;
        pool->core.n_ready += i < pool->n_workers && is_up(pool->workers[i].state);
    }
}

struct engine_pool *fake_add_pool(struct engine *engine, const char *name, uint32_t n_workers) {
    struct engine_pool *pool = calloc(1, sizeof(*pool));

    pool->engine = engine;
    pool->name = strdup(name);
    pool->n_workers = n_workers;
    recount(pool);
    engine->pools[engine->n_pools++] = pool;
    return pool;
}

void fake_remove_pool(struct engine *engine, const char *name) {
    uint32_t i = 0;

    while (strcmp(engine->pools[i]->name, name) != 0)
        i++;
    pool_free(engine->pools[i]);
    memmove(&engine->pools[i], &engine->pools[i + 1],
        (--engine->n_pools - i) * sizeof(engine->pools[0]));
}

struct fake_worker *fake_worker(struct engine_pool *pool, uint32_t number) {
    return &pool->workers[number];
}

struct worker_rules *fake_rules(struct engine_pool *pool) {
    return &pool->core.rules;
}

void fake_report(struct engine_pool *pool, uint32_t number, enum report_kind kind) {
    const struct fake_worker *worker = &pool->workers[number];
    struct report report = {
        .kind = kind,
        .worker = number,
        .generation = worker->generation,
        .cause = worker->cause,
    };

    if (pool->engine->report)
        pool->engine->report(pool->engine->report_data, &(struct engine_report){
                                                            .from = pool,
                                                            .pool = pool->name,
                                                            .report = &report,
                                                            .detail = worker->detail,
                                                            .words = worker->words,
                                                        });
}

void fake_move(struct engine_pool *pool, uint32_t number, enum worker_state state) {
    static const enum report_kind kinds[WORKER_STATE_MAX] = {
        [WORKER_STOPPED] = REPORT_STOPPED,
        [WORKER_STARTING] = REPORT_STARTED,
        [WORKER_READY] = REPORT_READY,
        [WORKER_STOPPING] = REPORT_STOPPING,
        [WORKER_BACKOFF] = REPORT_BACKOFF,
        [WORKER_DONE] = REPORT_DONE,
        [WORKER_FAILED] = REPORT_GIVEN_UP,
    };

    pool->workers[number].generation += state == WORKER_STARTING;
    pool->workers[number].state = state;
    if (number >= pool->n_workers && !worker_state_is_alive(state))
        pool->retiring--;
    recount(pool);
    fake_report(pool, number, kinds[state]);
}

void fake_end_roll(struct engine_pool *pool, enum report_kind kind, uint32_t worker) {
    pool->core.rolling = false;
    if (kind != REPORT_MAX)
        fake_report(pool, worker, kind);
}

int fake_signal(const struct engine *engine, unsigned *ret_times) {
    *ret_times = engine->signals;
    return engine->signal;
}

/* --- run/engine.h */

struct loop *engine_loop(struct engine *engine) {
    return engine->loop;
}

int engine_watch(struct engine *engine, engine_report_fn fn, void *data) {
    engine->report = fn;
    engine->report_data = data;
    return 0;
}

void engine_unwatch(struct engine *engine, engine_report_fn fn, void *data) {
    (void)fn, (void)data;
    engine->report = NULL;
}

uint32_t engine_pools(const struct engine *engine) {
    return engine->n_pools;
}

struct engine_pool *engine_pool_at(const struct engine *engine, uint32_t number) {
    return engine->pools[number];
}

struct engine_pool *engine_find_pool(const struct engine *engine, const char *name) {
    for (uint32_t i = 0; i < engine->n_pools; i++)
        if (strcmp(engine->pools[i]->name, name) == 0)
            return engine->pools[i];
    return NULL;
}

const char *engine_pool_name(const struct engine_pool *pool) {
    return pool->name;
}

const struct pool *engine_pool_core(const struct engine_pool *pool) {
    return &pool->core;
}

uint32_t engine_pool_workers(const struct engine_pool *pool) {
    return pool->n_workers;
}

bool engine_pool_is_up(const struct engine_pool *pool) {
    return pool->up;
}

int engine_worker_command(struct engine_pool *pool, uint32_t number, enum worker_event_kind event) {
    enum worker_state state = pool->workers[number].state;
    bool alive = worker_state_is_alive(state);

    if (event == EVENT_START && (!alive || state == WORKER_BACKOFF))
        fake_move(pool, number, WORKER_STARTING);
    else if (event == EVENT_STOP && alive)
        fake_move(pool, number, WORKER_STOPPING);
    else if (event == EVENT_RESTART)
        fake_move(pool, number, alive ? WORKER_STOPPING : WORKER_STARTING);
    else if (event == EVENT_RESET && !alive)
        fake_move(pool, number, WORKER_STOPPED);
    return 0;
}

void engine_pool_command(struct engine_pool *pool, enum worker_event_kind event) {
    if (event == EVENT_START || event == EVENT_RESTART)
        pool->up = true;
    if (event == EVENT_STOP)
        pool->up = false;
    for (uint32_t i = 0; i < pool->n_workers; i++)
        engine_worker_command(pool, i, event);
}

void engine_pool_signal(struct engine_pool *pool, int signal) {
    pool->engine->signal = signal;
    pool->engine->signals += pool->n_workers;
}

int engine_worker_signal(struct engine_pool *pool, uint32_t number, int signal) {
    if (!worker_state_is_alive(pool->workers[number].state))
        return -ESRCH;
    pool->engine->signal = signal;
    pool->engine->signals++;
    return 0;
}

int engine_pool_roll(struct engine_pool *pool) {
    pool->core.rolling = true;
    fake_report(pool, 0, REPORT_ROLLING);
    return 0;
}

int engine_pool_scale(struct engine_pool *pool, uint32_t n_workers) {
    if (n_workers > FAKE_WORKERS)
        return -ENOMEM;
    uint32_t before = pool->n_workers;

    pool->n_workers = n_workers;
    pool->retiring = pool->up && before > n_workers ? before - n_workers : 0;
    for (uint32_t i = before; pool->up && i < n_workers; i++)
        fake_move(pool, i, WORKER_STARTING);
    for (uint32_t i = n_workers; pool->up && i < before; i++)
        fake_move(pool, i, WORKER_STOPPING);
    recount(pool);
    fake_report(pool, 0, REPORT_SCALED);
    return 0;
}

static struct worker_facts facts_of(const struct engine_pool *pool, uint32_t number) {
    const struct fake_worker *worker = &pool->workers[number];

    return (struct worker_facts){
        .number = number,
        .role = number < pool->n_workers ? "holder" : "retiring",
        .state = worker_state_name(worker->state),
        .alive = worker_state_is_alive(worker->state),
        .generation = worker->generation,
        .pid = worker_state_is_alive(worker->state) ? (pid_t)(1000 + number) : 0,
        .since = 1,
        .started = 1,
        .cause = worker->cause,
        .detail = worker->detail,
        .words = worker->words,
        .status = worker->status,
    };
}

int engine_worker(const struct engine_pool *pool, uint32_t number, struct worker_facts *ret_facts) {
    if (number >= pool->n_workers)
        return -ENOENT;
    *ret_facts = facts_of(pool, number);
    return 0;
}

int engine_visit_workers(const struct engine_pool *pool, engine_worker_fn fn, void *data) {
    for (uint32_t i = 0; i < pool->n_workers + pool->retiring; i++) {
        struct worker_facts facts = facts_of(pool, i);

        fn(data, &facts);
    }
    return 0;
}

/* --- output: the engine stands for its capture, too */

void fake_capture(
    struct engine_pool *pool, const struct capture_settings *settings, struct capture_facts facts) {
    pool->capture = settings;
    pool->captured = facts;
}

void fake_add_file(struct engine *engine, const struct capture_file *file) {
    engine->files[engine->n_files++] = *file;
}

void fake_answer_looks(struct engine *engine) {
    engine->answered = engine->asked;
    if (engine->peeked)
        engine->peeked(engine->peeked_data);
}

bool fake_is_looked_at(const struct engine *engine) {
    return engine->peeked;
}

unsigned fake_reopened(const struct engine *engine) {
    return engine->reopened;
}

struct capture *engine_capture(const struct engine *engine) {
    return (struct capture *)engine;
}

void engine_pool_captured(const struct engine_pool *pool, struct capture_facts *ret_facts) {
    *ret_facts = pool->captured;
}

const struct capture_settings *engine_pool_capture(const struct engine_pool *pool) {
    return pool->capture;
}

void engine_reopen_output(struct engine *engine) {
    engine->reopened++;
}

uint64_t capture_peek(struct capture *capture, void (*fn)(void *data), void *data) {
    struct engine *engine = (struct engine *)capture;

    engine->peeked = fn;
    engine->peeked_data = data;
    return ++engine->asked;
}

bool capture_has_peeked(const struct capture *capture, uint64_t ticket) {
    const struct engine *engine = (const struct engine *)capture;

    return engine->n_files == 0 || engine->answered >= ticket;
}

void capture_visit_files(const struct capture *capture, uint64_t ticket,
    void (*fn)(void *data, const struct capture_file *file), void *data) {
    const struct engine *engine = (const struct engine *)capture;

    for (size_t i = 0; i < engine->n_files; i++) {
        struct capture_file file = engine->files[i];

        if (engine->answered < ticket)
            file.peek = NULL;
        fn(data, &file);
    }
}

void capture_forget_peeks(struct capture *capture) {
    ((struct engine *)capture)->peeked = NULL;
}
