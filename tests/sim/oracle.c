/* SPDX-License-Identifier: MIT */

/*
 * What must be true after every step, whatever happened. The rules are written down a second time
 * here, from the promises of worker.h and not from its code.
 */

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "world.h"

bool oracle_is_news(const struct body *body, const struct worker_event *event) {
    switch (event->kind) {
    case EVENT_EXITED:
        return body->live && event->generation == body->generation;
    case EVENT_READY:
    case EVENT_TREE_GONE:
        return event->generation == body->generation;
    case EVENT_TIMER:
        return body->armed && event->token == body->token;
    case EVENT_START:
    case EVENT_STOP:
    case EVENT_RESTART:
    case EVENT_KILL:
    case EVENT_RELOAD:
    case EVENT_RESET:
    case EVENT_ALIVE:
    case EVENT_WATCHDOG_SET:
    case EVENT_WATCHDOG_TRIGGER:
    case EVENT_EXTEND:
    case EVENT_SIDE_EXITED:
    case EVENT_SPAWNED:
    case EVENT_SPAWN_FAILED:
    case EVENT_MAX:
        break;
    }
    return true;
}

static const struct action *find(const struct outbox *outbox, enum action_kind kind) {
    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == kind)
            return &outbox->actions[i];
    return NULL;
}

static unsigned count_reports(
    const struct outbox *outbox, enum report_kind kind, const struct report **ret_last) {
    unsigned count = 0;

    for (uint32_t i = 0; i < outbox->count; i++)
        if (outbox->actions[i].kind == ACTION_REPORT && outbox->actions[i].report.kind == kind) {
            *ret_last = &outbox->actions[i].report;
            count++;
        }
    return count;
}

static const struct report *find_report(const struct outbox *outbox, enum report_kind kind) {
    const struct report *report = NULL;

    count_reports(outbox, kind, &report);
    return report;
}

static bool equal(struct cause a, struct cause b) {
    return a.kind == b.kind && a.status == b.status && a.value == b.value;
}

/* Old news changes nothing and asks for nothing. */
static void check_stale(const struct world *world, const struct observation *seen) {
    const struct worker *after = &world->seats[seen->number].worker;
    const struct worker *before = &seen->before;

    CLAIM(world, seen->outbox->count == 0, "stale news for worker %u: %u actions", seen->number,
        seen->outbox->count);
    CLAIM(world,
        after->state == before->state && after->generation == before->generation &&
            after->token == before->token && after->pid == before->pid &&
            after->wanted == before->wanted && after->has_timer == before->has_timer &&
            after->restarts == before->restarts && after->deadline == before->deadline,
        "stale news changed worker %u", seen->number);
}

static bool was_running(const struct observation *seen) {
    return seen->before.state == WORKER_STARTING || seen->before.state == WORKER_READY;
}

/* The end of a process: told once, with what was told to us. */
static void check_exit(struct world *world, const struct observation *seen, bool news) {
    struct body *body = &world->bodies[seen->number];
    const struct report *report = NULL;
    unsigned count = count_reports(seen->outbox, REPORT_EXITED, &report);
    bool expected = seen->event->kind == EVENT_EXITED && news;

    CLAIM(world, count == expected, "worker %u: %u exits reported", seen->number, count);
    if (!expected)
        return;
    CLAIM(world,
        report->generation == body->generation && report->pid == body->pid &&
            equal(report->cause, seen->event->cause) &&
            report->ran == nsec_sub(world->now, body->started),
        "worker %u: the exit report is not about the exit", seen->number);
    body->live = false;
    world->ended++;
    body->tree_owed = seen->before.state == WORKER_STOPPING || seen->before.state == WORKER_KILLING;
}

static bool is_automatic(const struct observation *seen) {
    return (seen->event->kind == EVENT_EXITED && was_running(seen)) ||
           seen->event->kind == EVENT_TIMER;
}

/* A new process: never beside an old one, never before the old tree has gone. */
static void check_spawn(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    const struct worker *worker = &world->seats[seen->number].worker;
    bool spawn = find(seen->outbox, ACTION_SPAWN) != NULL;

    CLAIM(world, worker->generation == seen->before.generation + spawn,
        "worker %u: generation %u after %u", seen->number, worker->generation,
        seen->before.generation);
    CLAIM(world, body->killed || !find_report(seen->outbox, REPORT_LEFTOVER),
        "worker %u leaves something behind that nobody tried to kill", seen->number);
    if ((seen->event->kind == EVENT_TREE_GONE && seen->before.state == WORKER_DRAINING) ||
        find_report(seen->outbox, REPORT_LEFTOVER))
        body->tree_owed = false;
    if (!spawn)
        return;
    CLAIM(world, !body->live, "worker %u: a second process beside the first", seen->number);
    CLAIM(world, !body->tree_owed, "worker %u: a new process beside the old tree", seen->number);
    CLAIM(world, worker->wanted, "worker %u: nobody wants the new process", seen->number);
    CLAIM(world, worker->state == WORKER_STARTING, "worker %u spawns and is %s", seen->number,
        worker_state_name(worker->state));
    body->generation = worker->generation;
    body->started = world->now;
    body->killed = false;
    if (is_automatic(seen) && seen->before.state != WORKER_DRAINING)
        return;
    body->failures = 0;
    body->window = world->now;
    body->starts = 1;
}

/* The k-th failure in a row (from 0) waits so long, before jitter. */
static double nominal_delay(const struct backoff_rules *rules, uint32_t failures) {
    if (failures == 0 || rules->base == 0)
        return 0;
    return fmin((double)rules->base * pow(rules->factor_permille / 1000.0, failures - 1.0),
        (double)rules->max);
}

static void check_delay(
    struct world *world, const struct observation *seen, nsec_t ran, nsec_t floor, nsec_t delay) {
    const struct backoff_rules *rules = &world->pool.rules.backoff;
    struct body *body = &world->bodies[seen->number];

    if (ran >= rules->reset)
        body->failures = 0;
    double nominal = nominal_delay(rules, body->failures++);
    double jitter = rules->jitter_permille / 1000.0;
    double low = fmax(nominal * (1 - jitter) * 0.999 - 100, (double)floor);
    double high = fmax(nominal * (1 + jitter) * 1.001 + 100, (double)floor);

    if (nominal == 0)
        low = high = (double)floor;
    CLAIM(world, (double)delay >= low && (double)delay <= high,
        "worker %u: %" PRIu64 " ns of backoff, not %.0f to %.0f", seen->number, delay, low, high);
}

static void check_start_limit(struct world *world, const struct observation *seen, nsec_t start) {
    const struct start_limit_rules *rules = &world->pool.rules.start_limit;
    struct body *body = &world->bodies[seen->number];

    if (rules->burst == 0)
        return;
    if (nsec_sub(start, body->window) >= rules->interval) {
        body->window = start;
        body->starts = 0;
    }
    body->starts++;
    CLAIM(world, body->starts <= rules->burst, "worker %u: %u starts in %" PRIu64 " ns",
        seen->number, body->starts, rules->interval);
}

enum fate { FATE_RESTART, FATE_DONE, FATE_FAILED };

static bool is_listed(struct cause member, struct cause cause) {
    if (member.kind == CAUSE_SIGNAL)
        return (cause.kind == CAUSE_SIGNAL || cause.kind == CAUSE_CORE) &&
               cause.value == member.value;
    return member.kind == cause.kind && member.kind != CAUSE_NONE && cause.value == member.value;
}

static enum fate fate_of(const struct world *world, struct cause cause) {
    bool clean = (cause.kind == CAUSE_EXIT && cause.value == 0) || is_listed(world->success, cause);
    enum restart_mode mode = world->pool.rules.restart.mode;
    enum fate end = clean ? FATE_DONE : FATE_FAILED;

    if (is_listed(world->prevent, cause) || mode == RESTART_NO)
        return end;
    if (mode == RESTART_ALWAYS)
        return FATE_RESTART;
    if (mode == RESTART_ON_SUCCESS)
        return clean ? FATE_RESTART : end;
    if (clean || mode == RESTART_ON_WATCHDOG)
        return end;
    if (mode == RESTART_ON_ABORT && cause.kind != CAUSE_SIGNAL && cause.kind != CAUSE_CORE)
        return end;
    if (mode == RESTART_ON_ABNORMAL && cause.kind == CAUSE_EXIT)
        return end;
    return FATE_RESTART;
}

/* Restarts are given up: because they are used up, or because the start limit says so. */
static void check_refusal(struct world *world, const struct observation *seen) {
    const struct worker_rules *rules = &world->pool.rules;
    const struct body *body = &world->bodies[seen->number];
    const struct action *broadcast = find(seen->outbox, ACTION_BROADCAST);
    bool used_up = seen->restarts_before >= rules->max_restarts;

    if (used_up) {
        bool first = !seen->exhausted_before;

        CLAIM(world, (find_report(seen->outbox, REPORT_RESTART_LIMIT) != NULL) == first,
            "the end of the restarts is told once");
        CLAIM(world, (broadcast && broadcast->event == EVENT_STOP) == first,
            "the end of the restarts stops the pool once");
        world->exhausted += first;
        CLAIM(world, world->exhausted == 1, "the restarts ended %u times", world->exhausted);
        return;
    }
    CLAIM(world,
        rules->start_limit.burst > 0 && body->starts == rules->start_limit.burst &&
            nsec_sub(world->now, body->window) < rules->start_limit.interval,
        "worker %u was given up without need", seen->number);
    CLAIM(world, (broadcast != NULL) == (rules->start_limit.action == LIMIT_STOP),
        "the start limit stops the pool when asked to");
    CLAIM(world,
        (find(seen->outbox, ACTION_SHUT_DOWN) != NULL) == (rules->start_limit.action == LIMIT_EXIT),
        "the start limit ends brood when asked to");
}

/* What has to follow from the end of a process that nobody asked for. */
static void check_fate(struct world *world, const struct observation *seen) {
    const struct worker *worker = &world->seats[seen->number].worker;
    const struct report *backoff = find_report(seen->outbox, REPORT_BACKOFF);
    bool restarted = backoff || find(seen->outbox, ACTION_SPAWN);
    enum fate fate = fate_of(world, seen->event->cause);
    nsec_t delay = backoff ? backoff->delay : 0;

    world->proven |= seen->event->cause.kind != CAUSE_EXEC;
    if (!world->proven && !cause_can_heal(seen->event->cause))
        fate = FATE_FAILED;
    CLAIM(world, !restarted || fate == FATE_RESTART, "worker %u should not have been restarted",
        seen->number);
    CLAIM(world, world->pool.ledger.restarts == seen->restarts_before + restarted,
        "the restart of worker %u is not counted", seen->number);
    if (restarted) {
        nsec_t ran = nsec_sub(world->now, seen->before.started);

        check_delay(world, seen, ran, 0, delay);
        check_start_limit(world, seen, nsec_add(world->now, delay));
        return;
    }
    CLAIM(world, worker->state == (fate == FATE_DONE ? WORKER_DONE : WORKER_FAILED),
        "worker %u is %s after its end", seen->number, worker_state_name(worker->state));
    if (fate == FATE_RESTART)
        check_refusal(world, seen);
}

static void check_meaning(struct world *world, const struct observation *seen) {
    const struct report *backoff = find_report(seen->outbox, REPORT_BACKOFF);

    if (seen->event->kind == EVENT_EXITED && was_running(seen)) {
        check_fate(world, seen);
        return;
    }
    /* A pool that is started anew after its end begins to count anew. */
    bool revived = seen->ended_before && !world->pool.ended;
    if (revived) {
        world->exhausted = 0;
        world->forgotten += seen->restarts_before;
    }
    CLAIM(world, !revived || !world->pool.ledger.exhausted, "a new run is used up from the start");
    CLAIM(world, world->pool.ledger.restarts == (revived ? 0 : seen->restarts_before),
        "event %d counted as a restart of worker %u", seen->event->kind, seen->number);
    if (seen->event->kind == EVENT_READY && seen->before.state == WORKER_STARTING)
        world->proven = true;
    CLAIM(world, (backoff != NULL) == (seen->event->kind == EVENT_SPAWN_FAILED),
        "worker %u backs off after event %d", seen->number, seen->event->kind);
    if (backoff)
        check_delay(world, seen, 0, SPAWN_RETRY, backoff->delay);
}

/* A timer belongs to a state that waits for something, and such a state has one. */
static void check_timer(const struct world *world, const struct observation *seen) {
    const struct worker *worker = &world->seats[seen->number].worker;
    bool armed = world->bodies[seen->number].armed, may = false, must = false;

    if (seen->event->kind == EVENT_TIMER &&
        oracle_is_news(&world->bodies[seen->number], seen->event))
        armed = false;
    for (uint32_t i = 0; i < seen->outbox->count; i++)
        if (seen->outbox->actions[i].kind == ACTION_SET_TIMER)
            armed = seen->outbox->actions[i].timer.when != NSEC_NEVER;
    switch (worker->state) {
    case WORKER_STOPPING:
    case WORKER_DRAINING:
        may = true;
        must = worker->forced || world->pool.rules.stop_timeout != NSEC_NEVER;
        break;
    case WORKER_KILLING:
    case WORKER_BACKOFF:
        may = must = true;
        break;
    case WORKER_STOPPED:
    case WORKER_PREPARING:
    case WORKER_STARTING:
    case WORKER_READY:
    case WORKER_CLEANING:
    case WORKER_DONE:
    case WORKER_FAILED:
    case WORKER_STATE_MAX:
        break;
    }
    CLAIM(world, worker->has_timer == armed, "worker %u and its shell differ about the timer",
        seen->number);
    CLAIM(world, may || !armed, "worker %u is %s and has a timer", seen->number,
        worker_state_name(worker->state));
    CLAIM(world, armed || !must, "worker %u is %s without a timer", seen->number,
        worker_state_name(worker->state));
}

/* Which states have a process, and which cannot. */
static void check_process(const struct world *world, const struct observation *seen) {
    const struct worker *worker = &world->seats[seen->number].worker;
    bool live = world->bodies[seen->number].live;
    bool unborn = find(seen->outbox, ACTION_SPAWN) != NULL;

    switch (worker->state) {
    case WORKER_PREPARING:
    case WORKER_CLEANING:
    case WORKER_STARTING:
    case WORKER_READY:
    case WORKER_STOPPING:
    case WORKER_KILLING:
        CLAIM(world, live || unborn, "worker %u is %s without a process", seen->number,
            worker_state_name(worker->state));
        break;
    case WORKER_STOPPED:
    case WORKER_DRAINING:
    case WORKER_BACKOFF:
    case WORKER_DONE:
        CLAIM(world, !live, "worker %u is %s and has a process", seen->number,
            worker_state_name(worker->state));
        break;
    case WORKER_FAILED:
    case WORKER_STATE_MAX:
        break;
    }
    CLAIM(world, unborn || worker->pid == (live ? world->bodies[seen->number].pid : 0),
        "worker %u has the wrong pid", seen->number);
}

/* The ledger against a recount, and the end of the pool. */
static void check_ledger(const struct world *world, const struct observation *seen) {
    uint32_t states[WORKER_STATE_MAX] = {0}, alive = 0;
    uint64_t restarts = 0;

    for (uint32_t i = 0; i < world->pool.n_places; i++) {
        enum worker_state state = world->seats[i].worker.state;

        states[state]++;
        restarts += world->seats[i].worker.restarts;
        alive += state != WORKER_STOPPED && state != WORKER_DONE && state != WORKER_FAILED;
    }
    CLAIM(world, memcmp(states, world->pool.ledger.states, sizeof(states)) == 0,
        "the ledger differs from a recount");
    CLAIM(world,
        restarts - world->forgotten == world->pool.ledger.restarts &&
            world->pool.ledger.restarts <= world->pool.rules.max_restarts,
        "%" PRIu64 " restarts, %" PRIu64 " in the ledger", restarts, world->pool.ledger.restarts);
    CLAIM(world, world->pool.ended == (alive == 0), "%u workers are alive and ended is %d", alive,
        world->pool.ended);
    CLAIM(world,
        (find(seen->outbox, ACTION_ENDED) != NULL) == (world->pool.ended && !seen->ended_before),
        "the end of the pool is told when it comes, and once");
}

void oracle_check(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    enum worker_state before = seen->before.state, after = world->seats[seen->number].worker.state;
    bool news = oracle_is_news(body, seen->event);

    CLAIM(world, coverage_may_follow(before, after), "worker %u went from %s to %s", seen->number,
        worker_state_name(before), worker_state_name(after));
    if (!news)
        check_stale(world, seen);
    if (seen->event->kind == EVENT_SPAWN_FAILED)
        body->live = false;
    check_exit(world, seen, news);
    check_timer(world, seen);
    if (news && seen->event->kind == EVENT_TIMER)
        body->armed = false;
    if (news)
        check_meaning(world, seen);
    check_spawn(world, seen);
    check_process(world, seen);
    check_ledger(world, seen);
}
