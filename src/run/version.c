/* SPDX-License-Identifier: MIT */
#include "run/version.h"

#include <errno.h>
#include <stdlib.h>

#include "run/capture.h"

/* As many as `tolerated` has bits. */
#define COMMANDS_MAX 64

int version_new_take(struct plan *main, struct version **ret_version) {
    struct version *version = calloc(1, sizeof(*version));

    if (!version) {
        plan_free(main);
        return -ENOMEM;
    }
    version->references = 1;
    version->main = main;
    *ret_version = version;
    return 0;
}

int version_add_take(
    struct version *version, enum step_role role, struct plan *plan, bool tolerated) {
    struct version_commands *commands = &version->commands[role];
    struct plan **grown = NULL;
    int r = commands->count < COMMANDS_MAX ? -ENOMEM : -E2BIG;

    if (r == -ENOMEM)
        grown = reallocarray(commands->plans, commands->count + 1, sizeof(*grown));
    if (!grown) {
        plan_free(plan);
        return r;
    }
    commands->plans = grown;
    commands->tolerated |= (uint64_t)tolerated << commands->count;
    grown[commands->count++] = plan;
    return 0;
}

struct version *version_ref(struct version *version) {
    version->references++;
    return version;
}

static void finish_commands(struct version_commands *commands) {
    for (uint32_t i = 0; i < commands->count; i++)
        plan_free(commands->plans[i]);
    free(commands->plans);
}

struct version *version_unref(struct version *version) {
    if (!version || --version->references > 0)
        return NULL;
    for (size_t i = 0; i < ELEMENTS(version->commands); i++)
        finish_commands(&version->commands[i]);
    plan_free(version->main);
    capture_pool_free(version->capture);
    free(version);
    return NULL;
}

struct plan *version_plan(const struct version *version, enum step_role role, uint32_t step) {
    const struct version_commands *commands = &version->commands[role];

    if (role == ROLE_MAIN)
        return version->main;
    return step < commands->count ? commands->plans[step] : NULL;
}
