/* SPDX-License-Identifier: MIT */

/*
 * What must be true after every step, whatever happened. The rules are written down a second time
 * here, from the promises of worker.h and not from its code.
 */

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "world.h"

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

    CLAIM(world, seen->outbox->count == 0 || find(seen->outbox, ACTION_ROLL_ON),
        "stale news for worker %u: %u actions", seen->number, seen->outbox->count);
    CLAIM(world,
        after->state == before->state && after->generation == before->generation &&
            after->token == before->token && after->pid == before->pid &&
            after->wanted == before->wanted && after->has_timer == before->has_timer &&
            after->restarts == before->restarts && after->deadline == before->deadline,
        "stale news changed worker %u", seen->number);
}

/* The main process, or what is to come before it, and nobody has asked it to go. */
static bool was_running(const struct observation *seen) {
    return seen->before.state == WORKER_PREPARING || seen->before.state == WORKER_STARTING ||
           seen->before.state == WORKER_READY;
}

static bool was_on_its_way_out(const struct observation *seen) {
    return seen->before.state >= WORKER_STOPPING && seen->before.state <= WORKER_CLEANING;
}

static bool is_success(struct cause cause) {
    return cause.kind == CAUSE_EXIT && cause.value == 0;
}

static bool is_tolerated(uint64_t set, uint32_t step) {
    return set >> step & 1;
}

/* It was doomed: what for, and whether it was time. */
static void note_doom(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    enum worker_state after = world->seats[seen->number].worker.state;
    bool began = was_running(seen) && (after == WORKER_STOPPING || after == WORKER_KILLING);

    if (oracle_is_by_hand(seen->event->kind)) {
        if (was_on_its_way_out(seen) || began || seen->before.state == WORKER_FAILED) {
            body->doom = (struct cause){0};
            body->unasked = false;
        }
        return;
    }
    if (!began)
        return;
    body->unasked = true;
    if (seen->event->kind == EVENT_SIDE_EXITED)
        body->doom = seen->event->cause;
    else if (seen->event->kind == EVENT_WATCHDOG_TRIGGER)
        body->doom = (struct cause){.kind = CAUSE_WATCHDOG};
    else if (seen->before.state != WORKER_READY) {
        body->doom = (struct cause){.kind = CAUSE_START_TIMEOUT};
        CLAIM(world, world->now >= body->deadline, "seat %u: the start timeout comes early",
            seen->number);
    } else if (body->watchdog > 0 && world->now >= nsec_add(body->alive, body->watchdog))
        body->doom = (struct cause){.kind = CAUSE_WATCHDOG};
    else {
        body->doom = (struct cause){.kind = CAUSE_RUNTIME};
        CLAIM(world, world->now >= body->deadline, "seat %u has not run for long enough",
            seen->number);
    }
}

/* Of a clean end that came before the process had said that it serves. */
static bool is_premature(const struct world *world, const struct observation *seen) {
    const struct worker_rules *rules = &world->pool.rules;

    return rules->must_be_ready && !rules->oneshot && seen->before.state == WORKER_STARTING &&
           !world->bodies[seen->number].said_ready && oracle_is_clean(world, seen->event->cause);
}

static struct cause expected_cause(const struct world *world, const struct observation *seen) {
    struct cause end = seen->event->cause, doom = world->bodies[seen->number].doom;

    if (is_premature(world, seen))
        return (struct cause){.kind = CAUSE_PROTOCOL, .value = end.value};
    if (doom.kind == CAUSE_NONE)
        return end;
    if (doom.kind >= CAUSE_START_TIMEOUT && end.kind == CAUSE_SIGNAL)
        doom.value = end.value;
    if (doom.kind >= CAUSE_START_TIMEOUT && end.kind == CAUSE_CORE) {
        doom.status = 1;
        doom.value = end.value;
    }
    return doom;
}

/* Of a command that has done what it is for nobody speaks. */
static bool is_worth_a_word(const struct observation *seen, const struct body *body) {
    return body->role == ROLE_MAIN || !is_success(seen->event->cause) ||
           (body->role == ROLE_PRE && seen->before.state != WORKER_PREPARING);
}

/* The end of a process: told once, with what was told to us. */
static void check_exit(struct world *world, const struct observation *seen, bool news) {
    struct body *body = &world->bodies[seen->number];
    const struct report *report = NULL;
    unsigned count = count_reports(seen->outbox, REPORT_EXITED, &report);
    bool ended = seen->event->kind == EVENT_EXITED && news;
    bool expected = ended && is_worth_a_word(seen, body);

    CLAIM(world, count == expected, "seat %u: %u exits reported", seen->number, count);
    if (!ended)
        return;
    struct cause cause =
        body->role == ROLE_STOP_POST ? seen->event->cause : expected_cause(world, seen);
    CLAIM(world,
        !expected || (report->generation == body->generation && report->pid == body->pid &&
                         report->role == body->role && equal(report->cause, cause)),
        "seat %u: the exit report is not about the exit", seen->number);
    CLAIM(world, body->role != ROLE_MAIN || report->ran == nsec_sub(world->now, body->started),
        "seat %u ran for another time", seen->number);
    body->live = false;
    world->ended++;
    body->tree_owed =
        seen->before.state == WORKER_STOPPING || seen->before.state == WORKER_KILLING ||
        (seen->event->left && seen->before.state != WORKER_FAILED && body->role == ROLE_MAIN);
    if (body->role == ROLE_STOP_POST)
        return;
    body->cause = cause;
    body->ran = nsec_sub(world->now, body->started);
    if (seen->before.state == WORKER_STARTING || seen->before.state == WORKER_READY)
        body->unasked = true;
    if (seen->before.state == WORKER_PREPARING && !is_success(cause) &&
        !is_tolerated(world->pool.rules.pre_tolerated, seen->before.step))
        body->unasked = true;
}

/* The first process of a start. */
static bool is_start(const struct world *world, const struct action *spawn) {
    return spawn && spawn->spawn.step == 0 &&
           spawn->spawn.role == (world->pool.rules.n_pre > 0 ? ROLE_PRE : ROLE_MAIN);
}

static void note_start(struct world *world, const struct observation *seen, bool automatic) {
    struct body *body = &world->bodies[seen->number];
    const struct worker *worker = &world->seats[seen->number].worker;
    uint32_t *highest = &world->highest[worker->number];

    CLAIM(world, worker->wanted, "seat %u: nobody wants the new process", seen->number);
    CLAIM(world, worker->generation > seen->before.generation, "seat %u: generation %u after %u",
        seen->number, worker->generation, seen->before.generation);
    if (world->seats[seen->number].role == SEAT_HOLDER) {
        CLAIM(world, worker->generation > *highest, "worker %u: generation %u after %u",
            worker->number, worker->generation, *highest);
        *highest = worker->generation;
    }
    body->generation = worker->generation;
    body->started = world->now;
    body->deadline = nsec_add(world->now, world->pool.rules.start_timeout);
    body->watchdog = world->pool.rules.watchdog;
    body->killed = body->unasked = body->said_ready = false;
    body->doom = (struct cause){0};
    if (automatic)
        return;
    body->failures = 0;
    body->window = world->now;
    body->starts = 1;
}

/* A new process: never beside an old one, never before the old tree has gone. */
static void check_spawn(struct world *world, const struct observation *seen, bool automatic) {
    static const enum worker_state states[] = {WORKER_STARTING, WORKER_PREPARING, WORKER_CLEANING};
    struct body *body = &world->bodies[seen->number];
    const struct worker *worker = &world->seats[seen->number].worker;
    const struct action *spawn = find(seen->outbox, ACTION_SPAWN);

    CLAIM(world,
        body->killed || !world->pool.rules.send_kill || !find_report(seen->outbox, REPORT_LEFTOVER),
        "seat %u leaves something behind that nobody tried to kill", seen->number);
    if ((seen->event->kind == EVENT_TREE_GONE && seen->before.state == WORKER_DRAINING) ||
        find_report(seen->outbox, REPORT_LEFTOVER))
        body->tree_owed = false;
    CLAIM(world, is_start(world, spawn) || worker->generation == seen->before.generation,
        "seat %u: generation %u without a start", seen->number, worker->generation);
    if (!spawn)
        return;
    CLAIM(world, !body->live, "seat %u: a second process beside the first", seen->number);
    CLAIM(world, !body->tree_owed, "seat %u: a new process beside the old tree", seen->number);
    CLAIM(world, worker->state == states[spawn->spawn.role], "seat %u spawns and is %s",
        seen->number, worker_state_name(worker->state));
    CLAIM(world,
        spawn->spawn.step ==
            (spawn->spawn.role == body->role && !is_start(world, spawn) ? body->step + 1 : 0),
        "seat %u: command %u after %u", seen->number, spawn->spawn.step, body->step);
    body->role = spawn->spawn.role;
    body->step = spawn->spawn.step;
    if (is_start(world, spawn)) {
        CLAIM(world, spawn->spawn.fresh == !automatic, "seat %u: a start that is wrongly fresh",
            seen->number);
        note_start(world, seen, automatic);
    }
}

/* The k-th failure in a row (from 0) waits so long, before jitter. */
static double nominal_delay(const struct backoff_rules *rules, uint32_t failures) {
    if (failures == 0)
        return (double)rules->first;
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

/* What has to follow from an end that nobody asked for. */
static void check_fate(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    const struct worker *worker = &world->seats[seen->number].worker;
    const struct report *backoff = find_report(seen->outbox, REPORT_BACKOFF);
    bool restarted = backoff || is_start(world, find(seen->outbox, ACTION_SPAWN));
    nsec_t delay = backoff ? backoff->delay : 0;

    if (body->trial) {
        CLAIM(world, worker->state == WORKER_FAILED || world->seats[seen->number].role == SEAT_FREE,
            "a replacement has a second try");
        return;
    }
    if (body->cause.kind == CAUSE_SPAWN) { /* counts as nothing, and is tried again */
        CLAIM(world, backoff, "seat %u does not wait after a failed spawn", seen->number);
        check_delay(world, seen, 0, SPAWN_RETRY, delay);
        return;
    }
    enum fate fate = oracle_fate(world, body->cause);
    CLAIM(world, !restarted || fate == FATE_RESTART, "seat %u should not have been restarted",
        seen->number);
    if (restarted) {
        world->restarts++;
        check_delay(world, seen, body->ran, 0, delay);
        check_start_limit(world, seen, nsec_add(world->now, delay));
        return;
    }
    CLAIM(world,
        worker->state == (fate == FATE_DONE ? WORKER_DONE : WORKER_FAILED) ||
            world->seats[seen->number].role == SEAT_FREE,
        "seat %u is %s after its end", seen->number, worker_state_name(worker->state));
    if (fate == FATE_RESTART)
        check_refusal(world, seen);
}

/* The end under way, if there was one, has been drawn a conclusion from. */
static bool is_concluded(const struct world *world, const struct observation *seen) {
    enum worker_state after = world->seats[seen->number].worker.state;
    bool late = seen->before.state == WORKER_FAILED && seen->event->kind == EVENT_EXITED;

    if (find_report(seen->outbox, REPORT_LEFTOVER) && seen->before.state != WORKER_DRAINING)
        return false; /* its process is still there */
    return (was_running(seen) || was_on_its_way_out(seen) || late) &&
           (is_start(world, find(seen->outbox, ACTION_SPAWN)) || after == WORKER_STOPPED ||
               after >= WORKER_BACKOFF);
}

/* The wait for a restart is over, and what the last process has left is to go. */
static void check_stop_in_backoff(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];

    if (seen->before.state != WORKER_BACKOFF ||
        world->seats[seen->number].worker.state != WORKER_DRAINING)
        return;
    CLAIM(world, find(seen->outbox, ACTION_CHECK_TREE) || find(seen->outbox, ACTION_KILL_TREE),
        "seat %u does not look after what an earlier process has left", seen->number);
    body->unasked = false;
    body->tree_owed = true;
}

/* Returns whether what was started, was started by itself. */
static bool check_meaning(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    bool concluded = is_concluded(world, seen);
    bool revived = seen->ended_before && !world->pool.ended;

    check_stop_in_backoff(world, seen);
    if (seen->event->kind == EVENT_EXITED && body->role == ROLE_MAIN && was_running(seen)) {
        world->proven |= seen->event->cause.kind != CAUSE_EXEC;
        CLAIM(world, !seen->event->left || find(seen->outbox, ACTION_CHECK_TREE),
            "seat %u does not look after what its process has left", seen->number);
        CLAIM(world, !seen->event->left || !find(seen->outbox, ACTION_SPAWN),
            "seat %u starts beside what its process has left", seen->number);
    }
    if (seen->event->kind == EVENT_READY && seen->before.state == WORKER_STARTING)
        world->proven = true;
    if (seen->event->kind == EVENT_SPAWN_FAILED && was_running(seen)) {
        body->unasked = true;
        body->cause = seen->event->cause;
        body->ran = 0;
    }
    if (concluded && body->unasked)
        check_fate(world, seen);
    CLAIM(world,
        !concluded || body->unasked || seen->before.state == WORKER_FAILED ||
            find_report(seen->outbox, REPORT_STOPPED),
        "seat %u was asked to stop, and it is not told", seen->number);
    /* A pool that is started anew after its end begins to count anew. */
    if (revived) {
        world->exhausted = 0;
        world->restarts = 0;
    }
    CLAIM(world, !revived || !world->pool.ledger.exhausted, "a new run is used up from the start");
    return (concluded && body->unasked) ||
           (seen->before.state == WORKER_BACKOFF && seen->event->kind == EVENT_TIMER);
}

/* What the process says of itself; what the next timer has to keep to. */
static void note_words(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    const struct worker *worker = &world->seats[seen->number].worker;
    const struct worker_rules *rules = &world->pool.rules;
    enum worker_state before = seen->before.state;
    nsec_t until = nsec_add(world->now, seen->event->value);

    if (seen->event->kind == EVENT_READY && before == WORKER_STARTING)
        body->said_ready = true;
    if (seen->event->kind == EVENT_SIDE_EXITED)
        body->side = false;
    if (worker->state == WORKER_READY && before == WORKER_STARTING) {
        body->alive = world->now;
        body->deadline = nsec_add(world->now, rules->runtime_max);
        CLAIM(world, !body->side, "seat %u is ready too early", seen->number);
    }
    if (seen->event->kind == EVENT_RESET) {
        body->failures = 0;
        body->starts = 0;
        body->window = 0;
    }
    if (seen->event->kind == EVENT_ALIVE && before == WORKER_READY)
        body->alive = world->now;
    if (seen->event->kind == EVENT_WATCHDOG_SET &&
        (before == WORKER_READY || before == WORKER_STARTING)) {
        body->alive = world->now;
        body->watchdog = seen->event->value;
    }
    if (seen->event->kind == EVENT_EXTEND && was_running(seen) && until > body->deadline)
        body->deadline = until;
}

/* A timer belongs to a state that waits for something, and such a state has one. */
static void check_timer(const struct world *world, const struct observation *seen) {
    const struct worker *worker = &world->seats[seen->number].worker;
    nsec_t fires = world->bodies[seen->number].fires;
    bool armed = world->bodies[seen->number].armed, may = false, must = false;

    if (seen->event->kind == EVENT_TIMER &&
        oracle_is_news(&world->bodies[seen->number], seen->event))
        armed = false;
    for (uint32_t i = 0; i < seen->outbox->count; i++)
        if (seen->outbox->actions[i].kind == ACTION_SET_TIMER)
            armed = (fires = seen->outbox->actions[i].timer.when) != NSEC_NEVER;
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
    case WORKER_CLEANING:
        may = true;
        must = world->pool.rules.stop_timeout != NSEC_NEVER;
        break;
    case WORKER_PREPARING:
    case WORKER_STARTING:
        may = must = world->pool.rules.start_timeout != NSEC_NEVER;
        break;
    case WORKER_READY:
        may = true;
        must = world->bodies[seen->number].watchdog > 0 ||
               world->pool.rules.runtime_max != NSEC_NEVER ||
               world->pool.rules.recycle_after != NSEC_NEVER;
        break;
    case WORKER_STOPPED:
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
    const struct body *body = &world->bodies[seen->number];
    if (worker->state == WORKER_READY && body->watchdog > 0)
        CLAIM(world, fires <= nsec_add(body->alive, body->watchdog), "seat %u: the watchdog sleeps",
            seen->number);
    if (worker->state == WORKER_STARTING || worker->state == WORKER_PREPARING)
        CLAIM(world, !armed || fires == body->deadline, "seat %u has another time to start",
            seen->number);
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

    for (uint32_t i = 0; i < world->pool.n_seats; i++) {
        enum worker_state state = world->seats[i].worker.state;

        if (world->seats[i].role == SEAT_FREE)
            continue;
        states[state]++;
        alive += state != WORKER_STOPPED && state != WORKER_DONE && state != WORKER_FAILED;
    }
    CLAIM(world, memcmp(states, world->pool.ledger.states, sizeof(states)) == 0,
        "the ledger differs from a recount");
    CLAIM(world,
        world->restarts == world->pool.ledger.restarts &&
            world->pool.ledger.restarts <= world->pool.rules.max_restarts,
        "%" PRIu64 " restarts, %" PRIu64 " in the ledger", world->restarts,
        world->pool.ledger.restarts);
    CLAIM(world, world->pool.ended == (alive == 0), "%u workers are alive and ended is %d", alive,
        world->pool.ended);
    CLAIM(world,
        (find(seen->outbox, ACTION_ENDED) != NULL) == (world->pool.ended && !seen->ended_before),
        "the end of the pool is told when it comes, and once");
}

/* A command to all is not for who is only to come, or on its way out. */
static bool is_refused(const struct observation *seen) {
    enum worker_event_kind kind = seen->event->kind;

    if (kind == EVENT_RESTART || kind == EVENT_RELOAD)
        return seen->role_before != SEAT_HOLDER;
    return seen->role_before == SEAT_RETIRING && (kind == EVENT_START || kind == EVENT_RESET);
}

void oracle_check(struct world *world, const struct observation *seen) {
    struct body *body = &world->bodies[seen->number];
    enum worker_state before = seen->before.state;
    enum worker_state after = world->seats[seen->number].worker.state;
    bool news = oracle_is_news(body, seen->event) && !is_refused(seen), automatic = false;

    CLAIM(world, coverage_may_follow(before, after), "seat %u went from %s to %s", seen->number,
        worker_state_name(before), worker_state_name(after));
    if (!news)
        check_stale(world, seen);
    if (seen->event->kind == EVENT_SPAWN_FAILED)
        body->live = false;
    check_exit(world, seen, news);
    if (news)
        note_doom(world, seen);
    if (news)
        automatic = check_meaning(world, seen);
    if (news)
        note_words(world, seen);
    check_spawn(world, seen, automatic);
    check_timer(world, seen);
    if (news && seen->event->kind == EVENT_TIMER)
        body->armed = false;
    check_process(world, seen);
    check_ledger(world, seen);
    oracle_check_readiness(world, seen);
    body->lost |= world->seats[seen->number].role == SEAT_RETIRING && after == WORKER_FAILED;
}
