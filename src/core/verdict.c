/* SPDX-License-Identifier: MIT */
#include "core/verdict.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/signame.h"
#include "base/text.h"

static const char *const mode_names[RESTART_MAX] = {
#define X(name, text) [RESTART_##name] = text,
    RESTART_MODES(X)
#undef X
};

const char *restart_mode_name(enum restart_mode mode) {
    return mode < RESTART_MAX ? mode_names[mode] : "unknown";
}

int restart_mode_parse(const char *text, enum restart_mode *ret_mode) {
    for (size_t i = 0; i < ELEMENTS(mode_names); i++)
        if (strcmp(text, mode_names[i]) == 0) {
            *ret_mode = (enum restart_mode)i;
            return 0;
        }
    return -EINVAL;
}

void exit_set_add_status(struct exit_set *set, unsigned status) {
    set->statuses[status / 64 % 4] |= UINT64_C(1) << (status % 64);
}

void exit_set_add_signal(struct exit_set *set, int signal) {
    set->signals |= UINT64_C(1) << (signal - 1);
}

bool exit_set_has(const struct exit_set *set, struct cause cause) {
    switch (cause.kind) {
    case CAUSE_EXIT:
        return set->statuses[(unsigned)cause.value / 64 % 4] >> (cause.value % 64) & 1;
    case CAUSE_SIGNAL:
    case CAUSE_CORE:
        return set->signals >> (cause.value - 1) & 1;
    case CAUSE_PROTOCOL:
        return exit_set_has(set, cause_unready_end(cause));
    case CAUSE_START_TIMEOUT:
    case CAUSE_WATCHDOG:
    case CAUSE_RUNTIME:
    case CAUSE_OOM:
        return cause.value > 0 && (set->signals >> (cause.value - 1) & 1);
    case CAUSE_NONE:
    case CAUSE_EXEC:
    case CAUSE_SPAWN:
    case CAUSE_LOST:
    case CAUSE_MAX:
        break;
    }
    return false;
}

int exit_set_parse(const char *list, struct exit_set *set) {
    struct exit_set parsed = *set;
    char item[32];
    int r;

    while ((r = text_next_item(&list, item, sizeof(item))) > 0) {
        uint64_t status;
        int signal;

        if (text_parse_u64(item, 0, 255, &status) == 0)
            exit_set_add_status(&parsed, (unsigned)status);
        else if (item[0] >= 'A' && signame_parse(item, &signal) == 0)
            exit_set_add_signal(&parsed, signal);
        else
            return -EINVAL;
    }
    if (r < 0)
        return -EINVAL;
    *set = parsed;
    return 0;
}

bool restart_policy_is_clean(const struct restart_policy *policy, struct cause cause) {
    if (cause.kind >= CAUSE_PROTOCOL)
        return false;
    return (cause.kind == CAUSE_EXIT && cause.value == 0) || exit_set_has(&policy->success, cause);
}

/* systemd.service(5), the table of Restart=. */
static bool mode_restarts(enum restart_mode mode, struct cause cause, bool clean) {
    switch (mode) {
    case RESTART_NO:
    case RESTART_MAX:
        return false;
    case RESTART_ON_FAILURE:
        return !clean;
    case RESTART_ON_ABNORMAL:
        return !clean && cause.kind != CAUSE_EXIT;
    case RESTART_ON_ABORT:
        return !clean && (cause.kind == CAUSE_SIGNAL || cause.kind == CAUSE_CORE);
    case RESTART_ON_WATCHDOG:
        return cause.kind == CAUSE_WATCHDOG;
    case RESTART_ON_SUCCESS:
        return clean;
    case RESTART_ALWAYS:
        return true;
    }
    return false;
}

static const char *mode_reason(enum restart_mode mode, struct cause cause, bool clean) {
    if (mode == RESTART_NO)
        return "the restart policy is 'no'";
    if (mode == RESTART_ALWAYS)
        return "the restart policy is 'always'";
    if (clean)
        return "ended cleanly";
    if (mode == RESTART_ON_ABNORMAL && cause.kind == CAUSE_EXIT)
        return "'on-abnormal' leaves exit statuses alone";
    return mode_restarts(mode, cause, clean) ? "failed"
                                             : "the restart policy leaves this end alone";
}

struct verdict restart_policy_judge(const struct restart_policy *policy, struct cause cause) {
    bool clean = restart_policy_is_clean(policy, cause);

    if (exit_set_has(&policy->prevent, cause))
        return (struct verdict){false, clean, "this end is in the prevent-exit list"};
    if (exit_set_has(&policy->force, cause))
        return (struct verdict){true, clean, "this end is in the force-exit list"};
    return (struct verdict){
        mode_restarts(policy->mode, cause, clean), clean, mode_reason(policy->mode, cause, clean)};
}
