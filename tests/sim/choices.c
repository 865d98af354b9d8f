/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "world.h"

bool chance(struct world *world, unsigned permille) {
    return random_below(&world->random, 1000) < permille;
}

nsec_t within(struct world *world, nsec_t span) {
    return random_below(&world->random, span + 1);
}

static unsigned often(struct world *world, unsigned permille) {
    return chance(world, 500) ? 0 : (unsigned)random_below(&world->random, permille + 1);
}

static nsec_t span(struct world *world) {
    static const nsec_t spans[] = {0, NSEC_PER_MSEC, 50 * NSEC_PER_MSEC, NSEC_PER_SEC,
        5 * NSEC_PER_SEC, 20 * NSEC_PER_SEC, 100 * NSEC_PER_SEC};

    return spans[random_below(&world->random, ELEMENTS(spans))];
}

void choose_manners(struct world *world) {
    world->manners = (struct manners){
        .spawn_fails = often(world, 300),
        .exec_fails = often(world, 300),
        .never_ready = often(world, 500),
        .never_exits = (unsigned)random_below(&world->random, 800),
        .deaf = often(world, 800),
        .unkillable = often(world, 500),
        .lingers = often(world, 700),
        .echoes = often(world, 300),
        .steps_fail = often(world, 400),
        .speaks = often(world, 800),
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

static nsec_t some_time(struct world *world) {
    return chance(world, 500) ? NSEC_NEVER : NSEC_PER_MSEC + within(world, 20 * NSEC_PER_SEC);
}

static void choose_times(struct world *world, struct worker_rules *rules) {
    rules->start_timeout = some_time(world);
    rules->runtime_max = some_time(world);
    rules->runtime_extra = chance(world, 500) ? 0 : within(world, NSEC_PER_SEC);
    rules->recycle_after = some_time(world);
    rules->recycle_jitter_permille = (unsigned)random_below(&world->random, 501);
    rules->watchdog = chance(world, 500) ? 0 : 1 + within(world, 5 * NSEC_PER_SEC);
}

static void choose_commands(struct world *world, struct worker_rules *rules) {
    rules->n_pre = (uint32_t)random_below(&world->random, 3);
    rules->n_post = (uint32_t)random_below(&world->random, 3);
    rules->n_stop_post = (uint32_t)random_below(&world->random, 3);
    rules->n_reload = (uint32_t)random_below(&world->random, 3);
    rules->pre_tolerated = random_below(&world->random, 4);
    rules->post_tolerated = random_below(&world->random, 4);
    rules->reload_tolerated = random_below(&world->random, 4);
}

void choose_rules(struct world *world, struct worker_rules *rules) {
    struct random *random = &world->random;

    *rules = worker_rules_default();
    rules->restart.mode = (enum restart_mode)random_below(random, RESTART_MAX);
    world->success = (struct cause){0};
    world->prevent = (struct cause){0};
    world->force = (struct cause){0};
    if (chance(world, 300)) {
        world->success = (struct cause){.kind = CAUSE_EXIT, .value = 75};
        exit_set_add_status(&rules->restart.success, 75);
    }
    if (chance(world, 300)) {
        world->prevent = (struct cause){.kind = CAUSE_SIGNAL, .value = SIGABRT};
        exit_set_add_signal(&rules->restart.prevent, SIGABRT);
    }
    if (chance(world, 200)) {
        world->force = (struct cause){.kind = CAUSE_EXIT, .value = 2};
        exit_set_add_status(&rules->restart.force, 2);
    }
    if (chance(world, 200))
        rules->backoff.base = rules->backoff.max = 0;
    else if (chance(world, 500))
        rules->backoff = (struct backoff_rules){
            .first = within(world, NSEC_PER_SEC),
            .base = NSEC_PER_MSEC * (1 + random_below(random, 500)),
            .max = NSEC_PER_SEC * (1 + random_below(random, 30)),
            .reset = within(world, 5 * NSEC_PER_SEC),
            .factor_permille = 1000 + (unsigned)random_below(random, 3000),
            .jitter_permille = (unsigned)random_below(random, 1001),
        };
    choose_limits(world, rules);
    if (chance(world, 500))
        choose_times(world, rules);
    if (chance(world, 400))
        choose_commands(world, rules);
    rules->send_kill = !chance(world, 100);
    rules->oneshot = chance(world, 100);
    rules->must_be_ready = chance(world, 300);
}

uint32_t choose_size(struct world *world) {
    uint64_t dice = random_below(&world->random, 100);

    if (dice < 30)
        return 1;
    return 2 + (uint32_t)random_below(&world->random, dice < 75 ? 3 : dice < 97 ? 14 : 62);
}
