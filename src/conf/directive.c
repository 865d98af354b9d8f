/* SPDX-License-Identifier: MIT */

/* The table as a whole, and names in it. */

#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "conf/internal.h"

static const struct directive_rows *const pieces[] = {
    &rows_life,
    &rows_change,
    &rows_process,
    &rows_limits,
    &rows_log,
    &rows_system,
    &rows_brood,
};

const char *conf_group_name(enum conf_group group) {
    static const char *const names[CONF_GROUP_MAX] = {
#define X(name, text) [CONF_GROUP_##name] = text,
        CONF_GROUPS(X)
#undef X
    };

    return group < CONF_GROUP_MAX ? names[group] : "unknown";
}

const struct conf_directive *conf_directive_at(size_t index) {
    for (size_t i = 0; i < ELEMENTS(pieces); i++) {
        if (index < pieces[i]->count)
            return &pieces[i]->rows[index];
        index -= pieces[i]->count;
    }
    return NULL;
}

const struct conf_directive *conf_directive_find(const char *name, bool brood) {
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++)
        if (strcmp(directive->name, name) == 0 && conf_directive_is_brood(directive) == brood)
            return directive;
    return NULL;
}

const char *conf_directive_nearest(const char *name) {
    const struct conf_directive *directive;
    const char *best = NULL;
    unsigned best_distance = UINT_MAX;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        unsigned distance =
            strcasecmp(name, directive->name) == 0 ? 0 : text_distance(name, directive->name);

        if (distance < best_distance && (distance == 0 || text_is_near(distance, name))) {
            best = directive->name;
            best_distance = distance;
        }
    }
    return best;
}

bool conf_directive_is_list(const struct conf_directive *directive) {
    return directive->flags & DIRECTIVE_LIST;
}

bool conf_directive_is_own(const struct conf_directive *directive) {
    return directive->flags & DIRECTIVE_OWN;
}

bool conf_directive_is_brood(const struct conf_directive *directive) {
    return directive->flags & DIRECTIVE_BROOD;
}

const char *conf_directive_default(const struct conf_directive *directive, bool is_service) {
    return is_service && directive->service_fallback ? directive->service_fallback
                                                     : directive->fallback;
}
