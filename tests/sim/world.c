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

static void feed(struct world *world, uint32_t number, struct worker_event event);
static void apply(struct world *world, const struct outbox *outbox);

static void command_all(struct world *world, enum worker_event_kind kind) {
    if (kind == EVENT_STOP || kind == EVENT_KILL) {
        struct outbox outbox;

        outbox.count = 0;
        pool_roll_cancel(&world->pool, &outbox);
        apply(world, &outbox);
        world->rolling = world->roll_owed = world->has_target = false;
    }
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        feed(world, i, (struct worker_event){.kind = kind});
}

/* In place: the next one when the last one serves again, or will not, and never sooner. */
static void on_restart_in_place(struct world *world, uint32_t seat) {
    const struct worker *last = &world->seats[world->target].worker;

    CLAIM(world, world->pool.surge == 0 || world->pool.rules.oneshot,
        "seat %u is restarted in place, with a surge", seat);
    CLAIM(world, world->seats[seat].role == SEAT_HOLDER, "seat %u holds nothing", seat);
    CLAIM(world, !world->has_target, "seat %u is restarted while seat %u is %s", seat,
        world->target, worker_state_name(last->state));
    world->has_target = true;
    world->target = seat;
    world->target_generation = world->seats[seat].worker.generation;
}

/* What the pool itself tells a seat to do. */
static void on_feed(struct world *world, uint32_t seat, enum worker_event_kind kind) {
    enum seat_role role = world->seats[seat].role;

    if (kind == EVENT_RESTART)
        on_restart_in_place(world, seat);
    else if (kind == EVENT_START)
        CLAIM(world, role != SEAT_HOLDER, "seat %u is started by the pool", seat);
    else
        CLAIM(world, kind == EVENT_STOP && role == SEAT_RETIRING, "seat %u is told %d", seat, kind);
    feed(world, seat, (struct worker_event){.kind = kind});
}

static void on_report(struct world *world, const struct report *report) {
    world->coverage.reports[report->kind]++;
    if (report->kind == REPORT_ROLLING) {
        CLAIM(world, !world->rolling, "two rolls at once");
        world->rolling = true;
        world->roll_due = false;
    } else if (report->kind == REPORT_ROLL_DONE || report->kind == REPORT_ROLL_FAILED) {
        CLAIM(world, world->rolling, "the end of a roll that never began");
        world->roll_due = world->roll_owed && report->kind == REPORT_ROLL_DONE;
        world->rolling = world->roll_owed = world->has_target = false;
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
    case ACTION_SPAWN_SIDE:
        on_spawn_side(world, action);
        break;
    case ACTION_KILL_SIDE: /* noted with the step, too */
        break;
    case ACTION_BROADCAST:
        command_all(world, (enum worker_event_kind)action->event);
        break;
    case ACTION_FEED:
        on_feed(world, action->worker, (enum worker_event_kind)action->event);
        break;
    case ACTION_SHUT_DOWN:
        command_all(world, EVENT_STOP);
        break;
    case ACTION_SPAWN:
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

/* Who has just taken a seat: all that was known of it is of somebody else. */
static void note_seats(struct world *world) {
    for (uint32_t i = 0; i < world->pool.n_seats; i++) {
        struct body *body = &world->bodies[i];
        enum seat_role role = world->seats[i].role;

        if (role == SEAT_FREE)
            body->vacant = true;
        else if (body->vacant)
            *body = (struct body){
                .epoch = body->epoch + 1,
                .token = world->seats[i].worker.token,
                .trial = role == SEAT_REPLACEMENT,
            };
        if (role == SEAT_HOLDER)
            body->trial = body->scaled = body->lost = false;
    }
    oracle_check_seats(world);
}

static void roll_on(struct world *world) {
    struct outbox outbox;

    outbox.count = 0;
    pool_roll_on(&world->pool, &outbox);
    note_seats(world);
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
            born = give_birth(world, spawn);
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
        else if (action->kind == ACTION_KILL_SIDE)
            on_kill_side(world, action->worker);
        else if (action->kind == ACTION_REPORT)
            on_report(world, &action->report);
    }
    CLAIM(world, !world->roll_due, "a roll that was asked for in the middle of another is lost");
}

/* The one that is restarted in place serves again, or will not. */
static bool target_is_done(const struct world *world) {
    const struct worker *last = &world->seats[world->target].worker;

    return world->seats[world->target].role != SEAT_HOLDER || !last->wanted ||
           !worker_state_is_alive(last->state) ||
           (last->generation > world->target_generation &&
               (last->state == WORKER_READY || last->state == WORKER_BACKOFF));
}

static void note(struct world *world, const struct observation *seen) {
    const struct worker *worker = &world->seats[seen->number].worker;
    enum worker_state before = seen->before.state, after = worker->state;

    CLAIM(world,
        !world->has_target || world->target != seen->number || after == WORKER_BACKOFF ||
            worker->restarts == seen->before.restarts,
        "seat %u has a second try before the roll knows of the first", seen->number);
    world->has_target = world->has_target && !target_is_done(world);

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
        .role_before = world->seats[number].role,
        .ready_before = pool_ready(&world->pool),
        .before = world->seats[number].worker,
        .restarts_before = world->pool.ledger.restarts,
        .ended_before = world->pool.ended,
        .exhausted_before = world->pool.ledger.exhausted,
    };
    pool_step(&world->pool, number, &event, &outbox);
    if (seen.role_before == SEAT_FREE) {
        CLAIM(world, outbox.count == 0, "an empty seat does something");
        return;
    }
    note(world, &seen);
    oracle_check(world, &seen);
    note_seats(world);
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
        .pid = body->pid,
        .generation = body->generation - 1 - (uint32_t)random_below(&world->random, 3),
        .token = body->token - 1 - (uint32_t)random_below(&world->random, 3),
        .cause = {.kind = CAUSE_EXIT, .value = 1},
    };

    if (event.kind == EVENT_EXITED && !body->live && chance(world, 500))
        event.generation = body->generation;
    feed(world, number, event);
}

/* Whoever still retires from a number that comes back has it again: nobody new beside it. */
static void check_number(const struct world *world, uint32_t number) {
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        CLAIM(world,
            world->seats[i].role != SEAT_RETIRING || world->seats[i].worker.number != number ||
                !world->bodies[world->places[number].holder].vacant,
            "worker %u has come back beside seat %u", number, i);
}

/* More places or fewer; as the shell is asked to do it. */
static void resize(struct world *world, uint32_t n, bool up) {
    uint32_t before = world->pool.n_places, seats = pool_seats_for(&world->pool, n);

    if (seats > WORLD_SEATS_MAX)
        return;
    if (seats > world->pool.n_seats)
        pool_give(&world->pool, world->pointers, seats, world->places);
    for (uint32_t i = 0; i < seats; i++)
        world->bodies[i].vacant |= world->seats[i].role == SEAT_FREE;
    pool_resize(&world->pool, n);
    for (uint32_t i = before; i < n; i++)
        world->highest[i] = 0;
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        if (world->seats[i].role == SEAT_RETIRING && world->seats[i].worker.number >= n)
            world->bodies[i].scaled = true;
    for (uint32_t i = before; i < n; i++)
        check_number(world, i);
    note_seats(world);
    world->has_target = world->has_target && !target_is_done(world);
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        if (world->seats[i].role == SEAT_RETIRING)
            feed(world, i, (struct worker_event){.kind = EVENT_STOP});
    for (uint32_t i = before; up && i < n && i < world->pool.n_places; i++)
        feed(world, world->places[i].holder, (struct worker_event){.kind = EVENT_START});
    roll_on(world);
    CLAIM(world, world->rolling == world->pool.rolling, "the roll's end was not reported");
}

static void recycle(struct world *world) {
    struct outbox outbox;

    outbox.count = 0;
    if (world->pool.n_places == 0)
        return;
    pool_recycle(&world->pool, (uint32_t)random_below(&world->random, world->pool.n_places),
        "memory", &outbox);
    note_actions(world, &outbox);
    apply(world, &outbox);
}

static void command(struct world *world) {
    static const enum worker_event_kind kinds[] = {EVENT_START, EVENT_START, EVENT_STOP,
        EVENT_RESTART, EVENT_RESTART, EVENT_KILL, EVENT_RELOAD, EVENT_RELOAD, EVENT_RESET};
    enum worker_event_kind kind = kinds[random_below(&world->random, ELEMENTS(kinds))];
    uint32_t seat = (uint32_t)random_below(&world->random, world->pool.n_seats);
    uint64_t dice = random_below(&world->random, 1000);

    if (dice < world->manners.commands_to_all)
        command_all(world, kind);
    else if (dice < 150)
        roll(world);
    else if (dice < 250)
        resize(world, (uint32_t)random_below(&world->random, world->most + 1), true);
    else if (dice < 300)
        recycle(world);
    else if (dice < 500)
        noise(world, seat);
    else
        feed(world, seat, (struct worker_event){.kind = kind});
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
    if (future->epoch != body->epoch || world->seats[future->worker].role == SEAT_FREE)
        return;
    if (future->event.kind == EVENT_EXITED && body->live && future->event.pid != body->pid)
        return; /* of an earlier step of the same start: by its pidfd it could not be told */
    if (world->closing &&
        (future->event.kind == EVENT_EXTEND || future->event.kind == EVENT_WATCHDOG_TRIGGER))
        return;
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

/* What would never have come, comes. */
static void calm_down(struct world *world, uint32_t i) {
    struct body *body = &world->bodies[i];
    enum worker_state state = world->seats[i].worker.state;

    if (world->seats[i].role == SEAT_FREE)
        return;
    if (state == WORKER_STARTING && !world->pool.rules.oneshot)
        feed(world, i, (struct worker_event){.kind = EVENT_READY, .generation = body->generation});
    else if (body->live && state != WORKER_READY)
        exit_later(world, 0, i, CAUSE_EXIT, 0);
    if (body->side)
        later(world, 0, i,
            (struct worker_event){.kind = EVENT_SIDE_EXITED,
                .token = body->side_token,
                .cause = {.kind = CAUSE_EXIT}});
    if (state == WORKER_DRAINING)
        gone_later(world, 0, i);
}

/* In a world where every process serves and obeys, a roll must come to its end. */
static void close_with_roll(struct world *world) {
    nsec_t patience = nsec_add(2 * KILL_PATIENCE + NSEC_PER_SEC, world->manners.ready_within);
    nsec_t each = nsec_add(patience, world->manners.obeys_within);
    struct future future;

    world->calm = world->closing = true;
    world->manners.echoes = 0;
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        calm_down(world, i);
    roll(world);
    nsec_t deadline = nsec_add(world->now, 2 * (world->pool.n_places + 1) * each);
    while (world->rolling && futures_pop(&world->futures, &future) && future.when <= deadline)
        happen(world, &future);
    CLAIM(world, !world->rolling, "the roll does not end: seat %u is %s", world->target,
        worker_state_name(world->seats[world->target].worker.state));
}

/* Stop always ends, and what comes late brings nobody back. */
static void close_down(struct world *world) {
    nsec_t timeout = world->pool.rules.stop_timeout;
    nsec_t limit = timeout == 0 || timeout == NSEC_NEVER ? KILL_PATIENCE : timeout;
    nsec_t each = limit + 2 * KILL_PATIENCE + 4 * LATENESS; /* to clean up */
    nsec_t patience = 2 * KILL_PATIENCE + 4 * LATENESS + world->pool.rules.n_stop_post * each;
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
    for (uint32_t i = 0; i < world->pool.n_seats; i++)
        left += world->bodies[i].live;
    CLAIM(world, world->made == world->ended + left,
        "%" PRIu64 " processes were made, %" PRIu64 " ended and %" PRIu64 " live", world->made,
        world->ended, left);
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
    world->rolling = world->roll_owed = world->roll_due = world->has_target = false;
    world->made = world->ended = 0;
    world->exhausted = 0;
    world->restarts = 0;
    world->most = n < WORLD_PLACES_MAX / 2 ? 2 * n : WORLD_PLACES_MAX;
    uint32_t surge = chance(world, 500) ? 0 : 1 + (uint32_t)random_below(&world->random, 6);
    pool_init(&world->pool, &rules, surge, random_next(&world->random));
    memset(world->seats, 0, sizeof(world->seats));
    for (uint32_t i = 0; i < WORLD_SEATS_MAX; i++)
        world->pointers[i] = &world->seats[i];
    resize(world, n, false);
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
