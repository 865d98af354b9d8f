/* SPDX-License-Identifier: MIT */

/*
 * The state machine under a shell that keeps the contract and nothing else: the bytes choose the
 * rules first, then events, with wrong generations and tokens among them.
 */

#include <errno.h>
#include <signal.h>

#include "core/worker.h"
#include "fuzz.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned take(struct input *input) {
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

struct world {
    struct worker worker;
    struct worker_rules rules;
    struct worker_ledger ledger;
    nsec_t now;
    bool live; /* a process was made, and its end has not been told */
    bool side; /* … and another one beside it */
    uint32_t side_token;
    pid_t pid;
};

static void choose_more(struct worker_rules *rules, struct input *input) {
    unsigned counts = take(input), tolerated = take(input), bits = take(input);

    rules->n_pre = counts % 4;
    rules->n_post = counts / 4 % 4;
    rules->n_stop_post = counts / 16 % 4;
    rules->n_reload = counts / 64;
    rules->pre_tolerated = rules->post_tolerated = rules->reload_tolerated = tolerated;
    rules->start_timeout = bits & 1 ? take(input) * NSEC_PER_SEC : NSEC_NEVER;
    rules->runtime_max = bits & 2 ? take(input) * NSEC_PER_SEC : NSEC_NEVER;
    rules->runtime_extra = bits & 4 ? NSEC_NEVER : 0;
    rules->recycle_after = bits & 8 ? take(input) * NSEC_PER_SEC : NSEC_NEVER;
    rules->recycle_jitter_permille = bits & 16 ? 1000 : 0;
    rules->watchdog = bits & 32 ? take(input) * NSEC_PER_SEC : 0;
    rules->send_kill = !(bits & 64);
    rules->oneshot = bits & 128;
}

static void choose_rules(struct worker_rules *rules, struct input *input) {
    unsigned bits = take(input);

    *rules = worker_rules_default();
    rules->restart.mode = (enum restart_mode)(bits % RESTART_MAX);
    if (bits & 4)
        rules->backoff.base = rules->backoff.max = 0;
    rules->max_restarts = bits & 8 ? take(input) : UINT64_MAX;
    rules->must_be_ready = bits & 128;
    rules->stop_timeout = bits & 16 ? take(input) * NSEC_PER_SEC : NSEC_NEVER;
    if (bits & 64)
        choose_more(rules, input);
    if (bits & 32)
        rules->start_limit = (struct start_limit_rules){.burst = 1 + take(input) % 8,
            .action = (enum limit_action)(take(input) % LIMIT_ACTION_MAX),
            .interval = 1 + take(input) * NSEC_PER_SEC};
}

static bool step(struct world *world, struct worker_event event) {
    struct outbox outbox;
    uint32_t total = 0;
    bool spawn = false;

    outbox.count = 0;
    event.now = world->now;
    uint32_t generation = world->worker.generation;
    if (event.kind == EVENT_EXITED && event.generation == generation)
        world->live = false;
    if (event.kind == EVENT_SIDE_EXITED && event.token == world->side_token)
        world->side = false;
    worker_step(&world->worker, &event, &world->rules, &world->ledger, &outbox);

    PROMISE(outbox.count <= WORKER_STEP_ACTIONS);
    for (uint32_t i = 0; i < outbox.count; i++) {
        const struct action *action = &outbox.actions[i];

        PROMISE(action->kind != ACTION_SIGNAL || world->live);
        PROMISE(action->kind != ACTION_KILL_SIDE || world->side);
        world->side &= action->kind != ACTION_KILL_SIDE;
        spawn |= action->kind == ACTION_SPAWN;
        if (action->kind == ACTION_SPAWN_SIDE) {
            PROMISE(world->live && !world->side);
            world->side = true;
            world->side_token = action->spawn.token;
        }
        if (action->kind == ACTION_REPORT && action->report.kind == REPORT_EXITED)
            PROMISE(world->pid != 0 && action->report.pid == world->pid);
    }
    PROMISE(world->worker.generation - generation <= spawn);
    PROMISE(!spawn || !world->live);
    PROMISE(!world->side || world->worker.state == WORKER_STARTING ||
            world->worker.state == WORKER_READY);
    for (int s = 0; s < WORKER_STATE_MAX; s++)
        total += world->ledger.states[s];
    PROMISE(total == 1 && world->ledger.states[world->worker.state] == 1);
    PROMISE(world->ledger.restarts <= world->rules.max_restarts);
    return spawn;
}

/* Answers to a spawn; a failed one may lead to the next. */
static bool answer(struct world *world, unsigned dice) {
    if (dice % 8 == 0)
        return step(world, (struct worker_event){.kind = EVENT_SPAWN_FAILED,
                               .cause = {.kind = CAUSE_SPAWN, .value = EAGAIN}});
    world->live = true;
    return step(world, (struct worker_event){.kind = EVENT_SPAWNED, .pid = ++world->pid});
}

static struct worker_event choose_event(const struct world *world, struct input *input) {
    static const enum worker_event_kind kinds[] = {EVENT_START, EVENT_STOP, EVENT_RESTART,
        EVENT_KILL, EVENT_READY, EVENT_EXITED, EVENT_TREE_GONE, EVENT_TIMER, EVENT_RELOAD,
        EVENT_RESET, EVENT_ALIVE, EVENT_WATCHDOG_SET, EVENT_WATCHDOG_TRIGGER, EVENT_EXTEND,
        EVENT_SIDE_EXITED, EVENT_EXITED};
    unsigned bits = take(input), cause = take(input);
    enum worker_event_kind kind = kinds[bits % 16];
    uint32_t token = kind == EVENT_SIDE_EXITED ? world->worker.side_token : world->worker.token;

    enum cause_kind end = (enum cause_kind)(CAUSE_EXIT + cause % 4);

    return (struct worker_event){
        .kind = kind,
        .value = cause * NSEC_PER_SEC / 8,
        .generation = world->worker.generation - (bits >> 4) % 4 / 3,
        .token = token - (bits >> 6) / 3,
        .cause = {.kind = end, .value = cause / 4 % 60 + (end != CAUSE_EXIT)},
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct world world = {.now = NSEC_PER_SEC};

    choose_rules(&world.rules, &input);
    worker_init(&world.worker, 0, 0, &world.ledger);
    while (input.size > 0) {
        world.now += take(&input) * 100 * NSEC_PER_MSEC;
        bool spawn = step(&world, choose_event(&world, &input));

        for (int i = 0; spawn; i++) {
            PROMISE(i < 16); /* each with its commands, and then it waits */
            spawn = answer(&world, take(&input));
        }
    }
    return 0;
}
