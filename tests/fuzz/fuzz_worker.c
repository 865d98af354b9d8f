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
    pid_t pid;
};

static void choose_rules(struct worker_rules *rules, struct input *input) {
    unsigned bits = take(input);

    *rules = worker_rules_default();
    rules->restart.mode = (enum restart_mode)(bits % RESTART_MAX);
    if (bits & 4)
        rules->backoff.base = rules->backoff.max = 0;
    rules->max_restarts = bits & 8 ? take(input) : UINT64_MAX;
    rules->stop_timeout = bits & 16 ? take(input) * NSEC_PER_SEC : NSEC_NEVER;
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
    worker_step(&world->worker, &event, &world->rules, &world->ledger, &outbox);

    PROMISE(outbox.count <= WORKER_STEP_ACTIONS);
    for (uint32_t i = 0; i < outbox.count; i++) {
        const struct action *action = &outbox.actions[i];

        PROMISE(action->kind != ACTION_SIGNAL || world->live);
        spawn |= action->kind == ACTION_SPAWN;
        if (action->kind == ACTION_REPORT && action->report.kind == REPORT_EXITED) {
            PROMISE(world->live && action->report.pid == world->pid);
            world->live = false;
        }
    }
    PROMISE(world->worker.generation == generation + spawn);
    PROMISE(!spawn || !world->live);
    for (int s = 0; s < WORKER_STATE_MAX; s++)
        total += world->ledger.states[s];
    PROMISE(total == 1 && world->ledger.states[world->worker.state] == 1);
    PROMISE(world->ledger.restarts <= world->rules.max_restarts);
    return spawn;
}

static void answer(struct world *world, unsigned dice) {
    if (dice % 8 == 0) {
        step(world, (struct worker_event){.kind = EVENT_SPAWN_FAILED,
                        .cause = {.kind = CAUSE_SPAWN, .value = EAGAIN}});
        return;
    }
    world->live = true;
    step(world, (struct worker_event){.kind = EVENT_SPAWNED, .pid = ++world->pid});
}

static struct worker_event choose_event(const struct world *world, struct input *input) {
    static const enum worker_event_kind kinds[] = {EVENT_START, EVENT_STOP, EVENT_RESTART,
        EVENT_KILL, EVENT_READY, EVENT_EXITED, EVENT_TREE_GONE, EVENT_TIMER};
    unsigned bits = take(input), cause = take(input);

    return (struct worker_event){
        .kind = kinds[bits % 8],
        .generation = world->worker.generation - (bits >> 3) % 4 / 3,
        .token = world->worker.token - (bits >> 5) % 4 / 3,
        .cause = {.kind = (enum cause_kind)(CAUSE_EXIT + cause % 4), .value = cause / 4 % 60 + 1},
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct world world = {.now = NSEC_PER_SEC};

    choose_rules(&world.rules, &input);
    worker_init(&world.worker, 0, 0, &world.ledger);
    while (input.size > 0) {
        world.now += take(&input) * 100 * NSEC_PER_MSEC;
        if (step(&world, choose_event(&world, &input)))
            answer(&world, take(&input));
    }
    return 0;
}
