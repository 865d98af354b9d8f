/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *event_name(enum worker_event_kind kind) {
    static const char *const names[EVENT_MAX] = {"start", "stop", "restart", "kill", "reload",
        "reset", "spawned", "spawn-failed", "ready", "alive", "watchdog-set", "watchdog-trigger",
        "extend", "exited", "side-exited", "tree-gone", "timer"};

    return names[kind];
}

static void print_trace(const struct world *world) {
    uint64_t first = world->steps > TRACE_LENGTH ? world->steps - TRACE_LENGTH : 0;

    for (uint64_t i = first; i < world->steps; i++) {
        const struct trace_entry *entry = &world->trace[i % TRACE_LENGTH];
        char cause[80];

        printf("#   %12.6f worker %u %-12s generation %u token %u %s: %s -> %s\n",
            (double)entry->now / 1e9, entry->worker, event_name(entry->event.kind),
            entry->event.generation, entry->event.token, cause_format(entry->event.cause, cause),
            worker_state_name(entry->before), worker_state_name(entry->after));
    }
}

void world_fail(const struct world *world, const char *format, ...) {
    va_list arguments;

    printf("not ok - seed %" PRIu64 ", event %" PRIu64 ", episode %" PRIu64 ": ", world->seed,
        world->steps, world->episodes);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n# replay: sim --seed %" PRIu64 " --events %" PRIu64 "\n# the last events:\n",
        world->seed, world->steps);
    print_trace(world);
    exit(1);
}

static bool chance(struct world *world, unsigned permille) {
    return random_below(&world->random, 1000) < permille;
}

static nsec_t within(struct world *world, nsec_t span) {
    return random_below(&world->random, span + 1);
}

/* Now and then the same news comes again, later: the world is full of echoes. */
static void later(struct world *world, nsec_t delay, uint32_t worker, struct worker_event event) {
    struct future future = {.when = nsec_add(world->now, delay), .worker = worker, .event = event};

    futures_push(&world->futures, &future);
    if (chance(world, world->manners.echoes)) {
        future.when = nsec_add(future.when, within(world, 3 * NSEC_PER_SEC));
        futures_push(&world->futures, &future);
    }
}

static void exit_later(
    struct world *world, nsec_t delay, uint32_t worker, enum cause_kind kind, int value) {
    later(world, delay, worker,
        (struct worker_event){
            .kind = EVENT_EXITED,
            .generation = world->bodies[worker].generation,
            .cause = {.kind = kind, .value = value},
        });
}

static void gone_later(struct world *world, nsec_t delay, uint32_t worker) {
    later(world, delay, worker,
        (struct worker_event){
            .kind = EVENT_TREE_GONE, .generation = world->bodies[worker].generation});
}

static void random_exit(struct world *world, nsec_t delay, uint32_t worker) {
    static const int signals[] = {SIGSEGV, SIGKILL, SIGABRT, SIGTERM};
    static const int statuses[] = {0, 0, 1, 2, 75, 143, 255};
    uint64_t dice = random_below(&world->random, 10);

    if (dice < 6)
        exit_later(world, delay, worker, CAUSE_EXIT,
            statuses[random_below(&world->random, ELEMENTS(statuses))]);
    else if (dice < 8)
        exit_later(world, delay, worker, CAUSE_SIGNAL,
            signals[random_below(&world->random, ELEMENTS(signals))]);
    else if (dice < 9)
        exit_later(world, delay, worker, CAUSE_CORE, SIGSEGV);
    else
        exit_later(world, delay, worker, CAUSE_LOST, 0);
}

static void feed(struct world *world, uint32_t number, struct worker_event event);
static void apply(struct world *world, const struct outbox *outbox);

static void command_all(struct world *world, enum worker_event_kind kind) {
    if (kind == EVENT_STOP || kind == EVENT_KILL) {
        struct outbox outbox;

        outbox.count = 0;
        pool_roll_cancel(&world->pool, &outbox);
        apply(world, &outbox);
        world->rolling = world->roll_owed = false;
    }
    for (uint32_t i = 0; i < world->pool.n_places; i++)
        feed(world, i, (struct worker_event){.kind = kind});
}

/* A process is born, and what will become of it is decided. */
static bool give_birth(struct world *world, uint32_t number) {
    struct body *body = &world->bodies[number];
    const struct manners *manners = &world->manners;

    if (!world->calm && chance(world, manners->spawn_fails))
        return false;
    body->live = true;
    body->pid = ++world->last_pid;
    world->made++;
    if (!world->calm && chance(world, manners->exec_fails)) {
        exit_later(world, within(world, NSEC_PER_MSEC), number, CAUSE_EXEC, ENOENT);
        return true;
    }
    if (world->calm || !chance(world, manners->never_ready))
        later(world, within(world, manners->ready_within), number,
            (struct worker_event){.kind = EVENT_READY, .generation = body->generation});
    if (!world->calm && !chance(world, manners->never_exits))
        random_exit(world, within(world, manners->lives), number);
    return true;
}

static void on_signal(struct world *world, uint32_t number) {
    const struct manners *manners = &world->manners;

    CLAIM(
        world, world->bodies[number].live, "a signal for worker %u, which has no process", number);
    if (!world->calm && chance(world, manners->deaf))
        return;
    if (chance(world, 300))
        random_exit(world, within(world, manners->obeys_within), number);
    else
        exit_later(world, within(world, manners->obeys_within), number, CAUSE_SIGNAL,
            world->pool.rules.stop_signal);
}

/* The tree of a living process cannot be gone; to say so all the same must not matter. */
static void on_tree(struct world *world, uint32_t number, bool kill) {
    bool bad = !world->calm && chance(world, world->manners.unkillable);

    world->bodies[number].killed |= kill;
    if (world->bodies[number].live) {
        CLAIM(world, kill, "worker %u: the tree is checked while the process lives", number);
        if (!bad)
            exit_later(world, within(world, 30 * NSEC_PER_MSEC), number, CAUSE_SIGNAL, SIGKILL);
        else if (chance(world, 500))
            exit_later(world, within(world, 3 * KILL_PATIENCE), number, CAUSE_SIGNAL, SIGKILL);
        if (chance(world, 300))
            gone_later(world, 0, number);
        return;
    }
    if (world->calm || !chance(world, world->manners.lingers))
        gone_later(world, within(world, 2 * NSEC_PER_MSEC), number);
    else if (chance(world, 500))
        gone_later(world, within(world, 2 * KILL_PATIENCE), number);
}

static void on_timer(struct world *world, uint32_t number, nsec_t when, uint32_t token) {
    struct body *body = &world->bodies[number];

    body->armed = when != NSEC_NEVER;
    body->token = token;
    if (!body->armed)
        return;
    later(world, nsec_add(nsec_sub(when, world->now), within(world, LATENESS)), number,
        (struct worker_event){.kind = EVENT_TIMER, .token = token});
}

/* A roll goes on when its worker serves again, or will not, and never sooner. */
static void on_roll_next(struct world *world, uint32_t number) {
    const struct worker *last = &world->seats[world->roll_target].worker;

    CLAIM(world, world->rolling, "a restart of worker %u by a roll that does not exist", number);
    if (world->roll_has_target)
        CLAIM(world,
            number > world->roll_target &&
                (!last->wanted || last->state == WORKER_DONE ||
                    (last->state == WORKER_READY && last->generation > world->roll_generation)),
            "the roll goes on to worker %u while worker %u is %s", number, world->roll_target,
            worker_state_name(last->state));
    world->roll_has_target = true;
    world->roll_target = number;
    world->roll_generation = world->seats[number].worker.generation;
    feed(world, number, (struct worker_event){.kind = EVENT_RESTART});
}

static void on_report(struct world *world, const struct report *report) {
    world->coverage.reports[report->kind]++;
    if (report->kind == REPORT_ROLLING) {
        CLAIM(world, !world->rolling, "two rolls at once");
        world->rolling = true;
        world->roll_due = world->roll_has_target = false;
    } else if (report->kind == REPORT_ROLL_DONE || report->kind == REPORT_ROLL_FAILED) {
        CLAIM(world, world->rolling, "the end of a roll that never began");
        world->roll_due = world->roll_owed && report->kind == REPORT_ROLL_DONE;
        world->rolling = world->roll_owed = false;
    }
}

static void apply_one(struct world *world, const struct action *action) {
    switch (action->kind) {
    case ACTION_SIGNAL:
        on_signal(world, action->worker);
        break;
    case ACTION_KILL_TREE:
        on_tree(world, action->worker, true);
        break;
    case ACTION_CHECK_TREE:
        on_tree(world, action->worker, false);
        break;
    case ACTION_SET_TIMER: /* these two are facts of the step, and noted with it */
    case ACTION_REPORT:
        break;
    case ACTION_BROADCAST:
        command_all(world, (enum worker_event_kind)action->event);
        break;
    case ACTION_FEED:
        on_roll_next(world, action->worker);
        break;
    case ACTION_SHUT_DOWN:
        command_all(world, EVENT_STOP);
        break;
    case ACTION_SPAWN:
    case ACTION_SPAWN_SIDE:
    case ACTION_KILL_SIDE:
    case ACTION_ROLL_ON:
    case ACTION_ENDED:
        break;
    }
}

static void answer(struct world *world, uint32_t number, bool born) {
    struct worker_event answer = {.kind = EVENT_SPAWNED, .pid = world->bodies[number].pid};

    if (!born)
        answer = (struct worker_event){
            .kind = EVENT_SPAWN_FAILED, .cause = {.kind = CAUSE_SPAWN, .value = EAGAIN}};
    feed(world, number, answer);
}

static void note_actions(struct world *world, const struct outbox *outbox);

static void roll_on(struct world *world) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_on(&world->pool, &outbox);
    note_actions(world, &outbox);
    apply(world, &outbox);
}

/* As the engine does it: the spawn before everything else, its answer after everything else. */
static void apply(struct world *world, const struct outbox *outbox) {
    const struct action *spawn = NULL;
    bool born = false;

    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_SPAWN) {
            spawn = &outbox->actions[i];
            born = give_birth(world, spawn->worker);
        }
    for (uint32_t i = 0; i < outbox->count; i++)
        apply_one(world, &outbox->actions[i]);
    if (spawn)
        answer(world, spawn->worker, born);
    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_ROLL_ON)
            roll_on(world);
}

static void note_actions(struct world *world, const struct outbox *outbox) {
    for (uint32_t i = 0; i < outbox->count; i++) {
        const struct action *action = &outbox->actions[i];

        if (action->kind == ACTION_SET_TIMER)
            on_timer(world, action->worker, action->timer.when, action->timer.token);
        else if (action->kind == ACTION_REPORT)
            on_report(world, &action->report);
    }
    CLAIM(world, !world->roll_due, "a roll that was asked for in the middle of another is lost");
}

static void note(struct world *world, const struct observation *seen) {
    enum worker_state before = seen->before.state, after = world->seats[seen->number].worker.state;

    world->trace[world->steps % TRACE_LENGTH] =
        (struct trace_entry){world->now, seen->number, *seen->event, before, after};
    world->steps++;
    world->coverage.events[before][seen->event->kind]++;
    world->coverage.changes[before][after]++;
}

static void feed(struct world *world, uint32_t number, struct worker_event event) {
    struct outbox outbox;

    outbox.count = 0;
    event.now = world->now;
    struct observation seen = {
        .number = number,
        .event = &event,
        .outbox = &outbox,
        .before = world->seats[number].worker,
        .restarts_before = world->pool.ledger.restarts,
        .ended_before = world->pool.ended,
        .exhausted_before = world->pool.ledger.exhausted,
    };
    pool_step(&world->pool, number, &event, &outbox);
    note(world, &seen);
    oracle_check(world, &seen);
    note_actions(world, &outbox);
    apply(world, &outbox);
}

static void roll(struct world *world) {
    struct outbox outbox;

    outbox.count = 0;
    world->roll_owed = world->rolling;
    if (pool_roll(&world->pool, &outbox) < 0)
        pool_roll_again(&world->pool);
    note_actions(world, &outbox);
    apply(world, &outbox);
}

/* Something that never was, or is long over. */
static void noise(struct world *world, uint32_t number) {
    static const enum worker_event_kind kinds[] = {
        EVENT_READY, EVENT_EXITED, EVENT_TREE_GONE, EVENT_TIMER};
    const struct body *body = &world->bodies[number];
    struct worker_event event = {
        .kind = kinds[random_below(&world->random, ELEMENTS(kinds))],
        .generation = body->generation - 1 - (uint32_t)random_below(&world->random, 3),
        .token = body->token - 1 - (uint32_t)random_below(&world->random, 3),
        .cause = {.kind = CAUSE_EXIT, .value = 1},
    };

    if (event.kind == EVENT_EXITED && !body->live && chance(world, 500))
        event.generation = body->generation;
    feed(world, number, event);
}

static void command(struct world *world) {
    static const enum worker_event_kind kinds[] = {
        EVENT_START, EVENT_START, EVENT_STOP, EVENT_RESTART, EVENT_RESTART, EVENT_KILL};
    enum worker_event_kind kind = kinds[random_below(&world->random, ELEMENTS(kinds))];
    uint32_t number = (uint32_t)random_below(&world->random, world->pool.n_places);
    uint64_t dice = random_below(&world->random, 1000);

    if (dice < world->manners.commands_to_all)
        command_all(world, kind);
    else if (dice < 150)
        roll(world);
    else if (dice < 500)
        noise(world, number);
    else
        feed(world, number, (struct worker_event){.kind = kind});
    futures_push(
        &world->futures, &(struct future){
                             .when = nsec_add(world->now, within(world, world->manners.pause)),
                             .kind = FUTURE_COMMAND,
                         });
}

/* A disarmed timer does not fire in a sound shell; here one in four does. */
static void happen(struct world *world, const struct future *future) {
    struct body *body = &world->bodies[future->worker];

    world->now = future->when;
    if (future->kind == FUTURE_COMMAND) {
        if (!world->closing)
            command(world);
        return;
    }
    if (future->event.kind == EVENT_TIMER && !oracle_is_news(body, &future->event) &&
        !chance(world, 250))
        return;
    feed(world, future->worker, future->event);
    CLAIM(world, world->rolling == world->pool.rolling, "the roll's end was not reported");
}

static void run_steps(struct world *world, uint64_t steps) {
    uint64_t end = world->steps + steps;
    struct future future;

    while (world->steps < end && futures_pop(&world->futures, &future))
        happen(world, &future);
}

/* Runs until the pool has ended, or `deadline`. */
static void run_to_end(struct world *world, nsec_t deadline) {
    struct future future;

    while (!world->pool.ended && futures_pop(&world->futures, &future)) {
        if (future.when > deadline) {
            futures_push(&world->futures, &future);
            return;
        }
        happen(world, &future);
    }
}

/* In a world where every process serves and obeys, a roll must come to its end. */
static void close_with_roll(struct world *world) {
    nsec_t patience = nsec_add(2 * KILL_PATIENCE + NSEC_PER_SEC, world->manners.ready_within);
    nsec_t each = nsec_add(patience, world->manners.obeys_within);
    struct future future;

    world->calm = world->closing = true;
    world->manners.echoes = 0;
    for (uint32_t i = 0; i < world->pool.n_places; i++) {
        struct body *body = &world->bodies[i];

        if (world->seats[i].worker.state == WORKER_STARTING)
            feed(world, i,
                (struct worker_event){.kind = EVENT_READY, .generation = body->generation});
        if (world->seats[i].worker.state == WORKER_STOPPING)
            exit_later(world, 0, i, CAUSE_EXIT, 0);
        if (world->seats[i].worker.state == WORKER_DRAINING)
            gone_later(world, 0, i);
    }
    roll(world);
    nsec_t deadline = nsec_add(world->now, 2 * (world->pool.n_places + 1) * each);
    while (world->rolling && futures_pop(&world->futures, &future) && future.when <= deadline)
        happen(world, &future);
    CLAIM(world, !world->rolling, "the roll does not end: worker %u is %s", world->roll_target,
        worker_state_name(world->seats[world->roll_target].worker.state));
}

/* Stop always ends, and what comes late brings nobody back. */
static void close_down(struct world *world) {
    nsec_t timeout = world->pool.rules.stop_timeout;
    nsec_t patience = 2 * KILL_PATIENCE + 4 * LATENESS;
    struct future future;

    world->closing = true;
    command_all(world, EVENT_STOP);
    run_to_end(world,
        nsec_add(world->now, timeout == NSEC_NEVER ? NSEC_PER_SEC : nsec_add(timeout, patience)));
    if (timeout == NSEC_NEVER && !world->pool.ended) {
        command_all(world, EVENT_KILL);
        run_to_end(world, nsec_add(world->now, patience));
    }
    CLAIM(world, world->pool.ended, "the pool does not end: %u workers are alive",
        pool_alive(&world->pool));
    for (int i = 0; i < 1000 && futures_pop(&world->futures, &future); i++) {
        happen(world, &future);
        CLAIM(world, world->pool.ended, "a pool that had ended came back");
    }
    uint64_t left = 0;
    for (uint32_t i = 0; i < world->pool.n_places; i++)
        left += world->bodies[i].live;
    CLAIM(world, world->made == world->ended + left,
        "%" PRIu64 " processes were made, %" PRIu64 " ended and %" PRIu64 " live", world->made,
        world->ended, left);
}

static unsigned often(struct world *world, unsigned permille) {
    return chance(world, 500) ? 0 : (unsigned)random_below(&world->random, permille + 1);
}

static nsec_t span(struct world *world) {
    static const nsec_t spans[] = {0, NSEC_PER_MSEC, 50 * NSEC_PER_MSEC, NSEC_PER_SEC,
        5 * NSEC_PER_SEC, 20 * NSEC_PER_SEC, 100 * NSEC_PER_SEC};

    return spans[random_below(&world->random, ELEMENTS(spans))];
}

static void choose_manners(struct world *world) {
    world->manners = (struct manners){
        .spawn_fails = often(world, 300),
        .exec_fails = often(world, 300),
        .never_ready = often(world, 500),
        .never_exits = (unsigned)random_below(&world->random, 800),
        .deaf = often(world, 800),
        .unkillable = often(world, 500),
        .lingers = often(world, 700),
        .echoes = often(world, 300),
        .commands_to_all = often(world, 100),
        .ready_within = span(world),
        .lives = span(world),
        .obeys_within = span(world),
        .pause = span(world) + NSEC_PER_MSEC,
    };
}

static void choose_limits(struct world *world, struct worker_rules *rules) {
    static const nsec_t timeouts[] = {
        0, 100 * NSEC_PER_MSEC, NSEC_PER_SEC, 10 * NSEC_PER_SEC, NSEC_NEVER};
    struct random *random = &world->random;

    rules->stop_timeout = timeouts[random_below(random, ELEMENTS(timeouts))];
    rules->stop_signal = SIGTERM;
    rules->max_restarts = chance(world, 300) ? random_below(random, 40) : UINT64_MAX;
    if (chance(world, 300))
        rules->start_limit = (struct start_limit_rules){
            .burst = 1 + (uint32_t)random_below(random, 8),
            .action = (enum limit_action)random_below(random, LIMIT_ACTION_MAX),
            .interval = 1 + within(world, 20 * NSEC_PER_SEC),
        };
}

static void choose_rules(struct world *world, struct worker_rules *rules) {
    struct random *random = &world->random;

    *rules = worker_rules_default();
    rules->restart.mode = (enum restart_mode)random_below(random, RESTART_MAX);
    world->success = (struct cause){0};
    world->prevent = (struct cause){0};
    if (chance(world, 300)) {
        world->success = (struct cause){.kind = CAUSE_EXIT, .value = 75};
        exit_set_add_status(&rules->restart.success, 75);
    }
    if (chance(world, 300)) {
        world->prevent = (struct cause){.kind = CAUSE_SIGNAL, .value = SIGABRT};
        exit_set_add_signal(&rules->restart.prevent, SIGABRT);
    }
    if (chance(world, 200))
        rules->backoff.base = rules->backoff.max = 0;
    else if (chance(world, 500))
        rules->backoff = (struct backoff_rules){
            .base = NSEC_PER_MSEC * (1 + random_below(random, 500)),
            .max = NSEC_PER_SEC * (1 + random_below(random, 30)),
            .reset = within(world, 5 * NSEC_PER_SEC),
            .factor_permille = 1000 + (unsigned)random_below(random, 3000),
            .jitter_permille = (unsigned)random_below(random, 1001),
        };
    choose_limits(world, rules);
}

static uint32_t choose_size(struct world *world) {
    uint64_t dice = random_below(&world->random, 100);

    if (dice < 30)
        return 1;
    return 2 + (uint32_t)random_below(&world->random, dice < 75 ? 3 : dice < 97 ? 14 : 62);
}

static void begin(struct world *world) {
    struct worker_rules rules;
    uint32_t n = choose_size(world);

    choose_manners(world);
    choose_rules(world, &rules);
    memset(world->bodies, 0, sizeof(world->bodies));
    futures_clear(&world->futures);
    world->now = within(world, UINT64_C(1) << 50);
    world->proven = world->calm = world->closing = false;
    world->rolling = world->roll_owed = world->roll_due = world->roll_has_target = false;
    world->made = world->ended = 0;
    world->exhausted = 0;
    world->forgotten = 0;
    pool_init(&world->pool, &rules, 0, random_next(&world->random));
    memset(world->seats, 0, sizeof(world->seats));
    for (uint32_t i = 0; i < n; i++)
        world->pointers[i] = &world->seats[i];
    pool_give(&world->pool, world->pointers, n, world->places);
    pool_resize(&world->pool, n);
    futures_push(&world->futures, &(struct future){.when = world->now, .kind = FUTURE_COMMAND});
}

void world_episode(struct world *world, uint64_t steps) {
    begin(world);
    command_all(world, EVENT_START);
    run_steps(world, steps);
    if (chance(world, 500))
        close_with_roll(world);
    close_down(world);
    world->episodes++;
}
