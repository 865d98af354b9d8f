/* SPDX-License-Identifier: MIT */

/*
 * Commands to a supervisor. The core takes one event at a time, so a command from the callback,
 * which is in the middle of one, waits for a timer that is due at once. The same timer makes the
 * descriptor readable after any other command: what it has begun is carried on by a turn.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/supervisor.h"

static void dispatch_soon(struct brood_supervisor *supervisor) {
    loop_timer_set(engine_loop(supervisor->engine), &supervisor->later, loop_clock());
}

static void run_on_pool(struct engine_pool *pool, const struct command *command) {
    switch (command->kind) {
    case COMMAND_START:
        engine_pool_command(pool, EVENT_START);
        break;
    case COMMAND_STOP:
        engine_pool_command(pool, EVENT_STOP);
        break;
    case COMMAND_KILL:
        engine_pool_command(pool, EVENT_KILL);
        break;
    case COMMAND_RESTART:
        engine_pool_command(pool, EVENT_RESTART);
        break;
    case COMMAND_ROLL:
        engine_pool_roll_again(pool);
        break;
    case COMMAND_SIGNAL:
        engine_pool_signal(pool, command->signal);
        break;
    }
}

static void run(struct brood_supervisor *supervisor, const struct command *command) {
    for (uint32_t i = 0; i < engine_pools(supervisor->engine); i++)
        if (command->pool == BROOD_ALL || command->pool == i)
            run_on_pool(engine_pool_at(supervisor->engine, i), command);
}

/* What is run may add to the end of the list: that is for the next turn. */
void supervisor_run_waiting(void *data, uint64_t value, nsec_t now) {
    struct brood_supervisor *supervisor = data;
    struct command *commands = supervisor->waiting;
    size_t count = supervisor->n_waiting;

    (void)value, (void)now;
    supervisor->waiting = NULL;
    supervisor->n_waiting = 0;
    for (size_t i = 0; i < count; i++)
        run(supervisor, &commands[i]);
    free(commands);
}

static int keep(struct brood_supervisor *supervisor, struct command command) {
    struct command *grown =
        reallocarray(supervisor->waiting, supervisor->n_waiting + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    supervisor->waiting = grown;
    grown[supervisor->n_waiting++] = command;
    return 0;
}

static int submit(struct brood_supervisor *supervisor, struct command command) {
    int r = 0;

    if (supervisor->owner != getpid())
        return -ECHILD;
    if (command.pool != BROOD_ALL && command.pool >= engine_pools(supervisor->engine))
        return -EINVAL;
    if (supervisor->telling > 0)
        r = keep(supervisor, command);
    else
        run(supervisor, &command);
    dispatch_soon(supervisor);
    return r;
}

int brood_supervisor_start(struct brood_supervisor *supervisor, unsigned pool) {
    return submit(supervisor, (struct command){COMMAND_START, pool, 0});
}

int brood_supervisor_stop(struct brood_supervisor *supervisor, unsigned pool) {
    return submit(supervisor, (struct command){COMMAND_STOP, pool, 0});
}

int brood_supervisor_kill(struct brood_supervisor *supervisor, unsigned pool) {
    return submit(supervisor, (struct command){COMMAND_KILL, pool, 0});
}

int brood_supervisor_restart(struct brood_supervisor *supervisor, unsigned pool) {
    return submit(supervisor, (struct command){COMMAND_RESTART, pool, 0});
}

int brood_supervisor_roll(struct brood_supervisor *supervisor, unsigned pool) {
    return submit(supervisor, (struct command){COMMAND_ROLL, pool, 0});
}

int brood_supervisor_signal(struct brood_supervisor *supervisor, unsigned pool, int signal) {
    if (options_signal(signal, 0) <= 0)
        return -EINVAL;
    return submit(supervisor, (struct command){COMMAND_SIGNAL, pool, signal});
}
