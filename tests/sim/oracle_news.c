/* SPDX-License-Identifier: MIT */

/* Which events still mean something, by what the world knows. */

#include "world.h"

bool oracle_is_news(const struct body *body, const struct worker_event *event) {
    switch (event->kind) {
    case EVENT_EXITED:
        return body->live && event->generation == body->generation;
    case EVENT_READY:
    case EVENT_TREE_GONE:
    case EVENT_ALIVE:
    case EVENT_WATCHDOG_SET:
    case EVENT_WATCHDOG_TRIGGER:
    case EVENT_EXTEND:
        return event->generation == body->generation;
    case EVENT_SIDE_EXITED:
        return body->side && event->token == body->side_token;
    case EVENT_TIMER:
        return body->armed && event->token == body->token;
    case EVENT_START:
    case EVENT_STOP:
    case EVENT_RESTART:
    case EVENT_KILL:
    case EVENT_RELOAD:
    case EVENT_RESET:
    case EVENT_SPAWNED:
    case EVENT_SPAWN_FAILED:
    case EVENT_MAX:
        break;
    }
    return true;
}
