/* SPDX-License-Identifier: MIT */

/* What an end amounts to: the restart policy, written down a second time. */

#include "world.h"

static bool is_success(struct cause cause) {
    return cause.kind == CAUSE_EXIT && cause.value == 0;
}

static bool is_listed(struct cause member, struct cause cause) {
    if (member.kind == CAUSE_SIGNAL)
        return (cause.kind == CAUSE_SIGNAL || cause.kind == CAUSE_CORE ||
                   cause.kind >= CAUSE_START_TIMEOUT) &&
               cause.value == member.value;
    return member.kind == cause.kind && member.kind != CAUSE_NONE && cause.value == member.value;
}

bool oracle_is_clean(const struct world *world, struct cause cause) {
    bool doomed = cause.kind >= CAUSE_START_TIMEOUT;

    return is_success(cause) || (!doomed && is_listed(world->success, cause));
}

static enum fate fate_of(const struct world *world, struct cause cause) {
    bool clean = oracle_is_clean(world, cause);
    enum restart_mode mode = world->pool.rules.restart.mode;
    enum fate end = clean ? FATE_DONE : FATE_FAILED;

    if (is_listed(world->prevent, cause))
        return end;
    if (is_listed(world->force, cause))
        return FATE_RESTART;
    if (mode == RESTART_NO)
        return end;
    if (mode == RESTART_ALWAYS)
        return FATE_RESTART;
    if (mode == RESTART_ON_SUCCESS)
        return clean ? FATE_RESTART : end;
    if (clean || (mode == RESTART_ON_WATCHDOG && cause.kind != CAUSE_WATCHDOG))
        return end;
    if (mode == RESTART_ON_WATCHDOG)
        return FATE_RESTART;
    if (mode == RESTART_ON_ABORT && cause.kind != CAUSE_SIGNAL && cause.kind != CAUSE_CORE)
        return end;
    if (mode == RESTART_ON_ABNORMAL && cause.kind == CAUSE_EXIT)
        return end;
    return FATE_RESTART;
}

enum fate oracle_fate(const struct world *world, struct cause cause) {
    enum fate fate = fate_of(world, cause);
    bool clean = oracle_is_clean(world, cause);

    if (!world->proven && !cause_can_heal(cause))
        return FATE_FAILED;
    return world->pool.rules.oneshot && clean ? FATE_DONE : fate;
}
