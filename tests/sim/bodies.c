/* SPDX-License-Identifier: MIT */

/* Processes: what is born, what becomes of it, how it takes a signal. All of it is yet to come. */

#include <errno.h>
#include <signal.h>

#include "world.h"

/* Now and then the same news comes again, later: the world is full of echoes. */
void later(struct world *world, nsec_t delay, uint32_t worker, struct worker_event event) {
    struct future future = {
        .when = nsec_add(world->now, delay),
        .worker = worker,
        .epoch = world->bodies[worker].epoch,
        .event = event,
    };

    futures_push(&world->futures, &future);
    if (chance(world, world->manners.echoes)) {
        future.when = nsec_add(future.when, within(world, 3 * NSEC_PER_SEC));
        futures_push(&world->futures, &future);
    }
}

void exit_later(
    struct world *world, nsec_t delay, uint32_t worker, enum cause_kind kind, int value) {
    later(world, delay, worker,
        (struct worker_event){
            .kind = EVENT_EXITED,
            .generation = world->bodies[worker].generation,
            .pid = world->bodies[worker].pid,
            .left = chance(world, 50),
            .cause = {.kind = kind, .value = value},
        });
}

void gone_later(struct world *world, nsec_t delay, uint32_t worker) {
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

/* What a process says of itself between its birth and its end. */
static void speak_later(struct world *world, uint32_t number) {
    static const enum worker_event_kind kinds[] = {
        EVENT_ALIVE, EVENT_ALIVE, EVENT_WATCHDOG_SET, EVENT_WATCHDOG_TRIGGER, EVENT_EXTEND};

    for (int i = 0; i < 3 && !world->calm && chance(world, world->manners.speaks); i++)
        later(world, within(world, 5 * NSEC_PER_SEC), number,
            (struct worker_event){
                .kind = kinds[random_below(&world->random, ELEMENTS(kinds))],
                .generation = world->bodies[number].generation,
                .value = chance(world, 200) ? 0 : within(world, 5 * NSEC_PER_SEC),
            });
}

/* A command that is to end by itself, soon. */
static void run_command(struct world *world, uint32_t number) {
    const struct manners *manners = &world->manners;

    if (!world->calm && chance(world, manners->never_exits / 4))
        return;
    bool fails = !world->calm && chance(world, manners->steps_fail);
    exit_later(world, within(world, 50 * NSEC_PER_MSEC), number, CAUSE_EXIT, fails);
}

static void run_main(struct world *world, uint32_t number) {
    const struct manners *manners = &world->manners;
    bool oneshot = world->pool.rules.oneshot;

    if (world->calm || !chance(world, manners->never_ready))
        later(world, within(world, manners->ready_within), number,
            (struct worker_event){
                .kind = EVENT_READY, .generation = world->bodies[number].generation});
    speak_later(world, number);
    if (world->calm && oneshot)
        exit_later(world, within(world, NSEC_PER_MSEC), number, CAUSE_EXIT, 0);
    else if (!world->calm && !chance(world, manners->never_exits))
        random_exit(world, within(world, manners->lives), number);
}

/* A process is born, and what will become of it is decided. */
bool give_birth(struct world *world, const struct action *spawn) {
    uint32_t number = spawn->worker;
    struct body *body = &world->bodies[number];
    const struct manners *manners = &world->manners;

    if (!world->calm && chance(world, manners->spawn_fails))
        return false;
    body->live = true;
    body->pid = ++world->last_pid;
    world->made++;
    if (!world->calm && chance(world, manners->exec_fails))
        exit_later(world, within(world, NSEC_PER_MSEC), number, CAUSE_EXEC, ENOENT);
    else if (spawn->spawn.role == ROLE_MAIN)
        run_main(world, number);
    else
        run_command(world, number);
    return true;
}

void on_spawn_side(struct world *world, const struct action *action) {
    struct body *body = &world->bodies[action->worker];
    bool fails = !world->calm && chance(world, world->manners.steps_fail);

    CLAIM(world, !body->side, "seat %u: two processes beside it", action->worker);
    CLAIM(world, body->live, "seat %u: a process beside nothing", action->worker);
    body->side = true;
    body->side_token = action->spawn.token;
    if (world->calm || !chance(world, world->manners.never_exits / 4))
        later(world, within(world, 50 * NSEC_PER_MSEC), action->worker,
            (struct worker_event){
                .kind = EVENT_SIDE_EXITED,
                .token = body->side_token,
                .cause = {.kind = CAUSE_EXIT, .value = fails},
            });
}

void on_kill_side(struct world *world, uint32_t number) {
    CLAIM(world, world->bodies[number].side, "seat %u: nothing is beside it", number);
    world->bodies[number].side = false;
}

void on_signal(struct world *world, uint32_t number) {
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
void on_tree(struct world *world, uint32_t number, bool kill) {
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

void on_timer(struct world *world, uint32_t number, nsec_t when, uint32_t token) {
    struct body *body = &world->bodies[number];

    body->armed = when != NSEC_NEVER;
    body->token = token;
    body->fires = when;
    if (!body->armed)
        return;
    later(world, nsec_add(nsec_sub(when, world->now), within(world, LATENESS)), number,
        (struct worker_event){.kind = EVENT_TIMER, .token = token});
}
