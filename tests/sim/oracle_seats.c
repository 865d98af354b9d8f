/* SPDX-License-Identifier: MIT */

/* Who sits where, and how many serve. */

#include "world.h"

bool oracle_is_by_hand(enum worker_event_kind kind) {
    return kind == EVENT_START || kind == EVENT_STOP || kind == EVENT_RESTART || kind == EVENT_KILL;
}

/* One holder for each number, one replacement at most, and no more processes than allowed. */
void oracle_check_seats(const struct world *world) {
    uint32_t holders[WORLD_PLACES_MAX] = {0}, replacements[WORLD_PLACES_MAX] = {0};
    uint32_t extra = 0, ready = 0;
    bool oneshot = world->pool.rules.oneshot;

    for (uint32_t i = 0; i < world->pool.n_seats; i++) {
        const struct seat *seat = &world->seats[i];
        enum worker_state state = seat->worker.state;
        uint32_t number = seat->worker.number;

        CLAIM(world, seat->role == SEAT_FREE || seat->worker.seat == i, "seat %u is lost", i);
        if (seat->role == SEAT_HOLDER) {
            CLAIM(world, number < world->pool.n_places && world->places[number].holder == i,
                "seat %u holds nothing", i);
            holders[number]++;
            ready += state == WORKER_READY || (oneshot && state == WORKER_DONE);
        } else if (seat->role == SEAT_REPLACEMENT) {
            CLAIM(world, number < world->pool.n_places && world->places[number].replacement == i,
                "seat %u replaces nothing", i);
            replacements[number]++;
        }
        CLAIM(world, seat->role != SEAT_FREE || !world->bodies[i].live, "seat %u is not free", i);
        extra += (seat->role == SEAT_REPLACEMENT || seat->role == SEAT_RETIRING) &&
                 worker_state_is_alive(state) && !world->bodies[i].scaled && !world->bodies[i].lost;
    }
    CLAIM(world, extra <= world->pool.surge, "%u processes too many", extra);
    CLAIM(world, ready == pool_ready(&world->pool), "%u are ready, not %u", ready,
        pool_ready(&world->pool));
    for (uint32_t i = 0; i < world->pool.n_places; i++)
        CLAIM(world, holders[i] == 1 && replacements[i] <= 1, "%u hold worker %u, %u replace it",
            holders[i], i, replacements[i]);
}

/* Who serves goes down by an end of its own or by hand, and by nothing that the pool does. */
void oracle_check_readiness(const struct world *world, const struct observation *seen) {
    bool may = oracle_is_by_hand(seen->event->kind) || seen->event->kind == EVENT_EXITED ||
               seen->event->kind == EVENT_TIMER || seen->event->kind == EVENT_WATCHDOG_TRIGGER ||
               seen->event->kind == EVENT_RESET;

    CLAIM(world, may || pool_ready(&world->pool) >= seen->ready_before,
        "fewer are ready after event %d", seen->event->kind);
    CLAIM(world, seen->role_before == SEAT_HOLDER || pool_ready(&world->pool) >= seen->ready_before,
        "fewer are ready because of a seat that holds nothing");
}
