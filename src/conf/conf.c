/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/build.h"
#include "conf/sections.h"

struct conf {
    struct arena arena;
    struct conf_brood brood;
    struct pools pools;
};

static int build_all(struct conf *conf, const struct sections *sections, bool strict,
    struct conf_messages *messages) {
    struct build build = {&conf->arena, messages, sections, strict};
    int r = build_brood(&build, &conf->brood);

    build.strict |= conf->brood.strict;
    if (r == 0)
        r = build_pools(&build, &conf->pools);
    return r == 0 && messages->n_errors > 0 ? -EBADMSG : r;
}

static int finish(struct conf *conf, int r, struct conf **ret_conf) {
    if (r < 0)
        conf_free(conf);
    else
        *ret_conf = conf;
    return r;
}

int conf_load(
    const struct conf_sources *sources, struct conf **ret_conf, struct conf_messages *messages) {
    struct conf *conf = calloc(1, sizeof(*conf));
    struct sections sections = {0};

    if (!conf)
        return -ENOMEM;
    int r = conf_read_sources(sources, &conf->arena, messages, &sections);
    if (r == 0)
        r = build_all(conf, &sections, sources->strict, messages);
    return finish(conf, r, ret_conf);
}

int conf_load_text(const char *name, const char *text, const char *service, struct conf **ret_conf,
    struct conf_messages *messages) {
    struct conf *conf = calloc(1, sizeof(*conf));
    struct sections sections = {0};

    if (!conf)
        return -ENOMEM;
    struct section_reader reader = {&conf->arena, messages, &sections};
    char *copy = arena_copy(&conf->arena, text, strlen(text));
    int r = copy ? sections_read(&reader, copy, name, service) : -ENOMEM;
    if (r == 0)
        r = build_all(conf, &sections, false, messages);
    return finish(conf, r, ret_conf);
}

struct conf *conf_free(struct conf *conf) {
    if (!conf)
        return NULL;
    arena_finish(&conf->arena);
    free(conf);
    return NULL;
}

const struct conf_brood *conf_brood(const struct conf *conf) {
    return &conf->brood;
}

size_t conf_n_pools(const struct conf *conf) {
    return conf->pools.count;
}

const struct conf_pool *conf_pool_at(const struct conf *conf, size_t index) {
    return index < conf->pools.count ? conf->pools.list[index] : NULL;
}

const struct conf_pool *conf_find_pool(const struct conf *conf, const char *name) {
    for (size_t i = 0; i < conf->pools.count; i++)
        if (strcmp(conf->pools.list[i]->name, name) == 0)
            return conf->pools.list[i];
    return NULL;
}

struct plan_spec conf_pool_plan(const struct conf_pool *pool, const struct conf_command *command) {
    struct plan_spec spec = pool->plan;

    spec.argv = command->argv;
    spec.program = command->program;
    if (command->privileged || command->unswitched)
        spec.user = spec.group = spec.groups = spec.ambient_capabilities = NULL;
    if (command->privileged) {
        spec.bounding_capabilities = NULL;
        spec.no_new_privileges = false;
    }
    return spec;
}

struct conf_origin conf_pool_origin(const struct conf_pool *pool, const char *directive) {
    for (size_t i = 0; i < pool->n_settings; i++)
        if (strcmp(pool->settings[i].directive->name, directive) == 0)
            return pool->settings[i].origin;
    return pool->origin;
}

/* The `n`th value that a pool has for a directive, the default included; NULL: no more. */
static const char *nth_value(
    const struct conf_pool *pool, const struct conf_directive *directive, size_t n) {
    size_t found = 0;

    for (size_t i = 0; i < pool->n_settings; i++)
        if (pool->settings[i].directive == directive && found++ == n)
            return pool->settings[i].value;
    return n == 0 && found == 0 ? conf_directive_default(directive, pool->is_service) : NULL;
}

static bool is_same_value(
    const struct conf_pool *a, const struct conf_pool *b, const struct conf_directive *directive) {
    for (size_t n = 0;; n++) {
        const char *of_a = nth_value(a, directive, n), *of_b = nth_value(b, directive, n);

        if (!of_a || !of_b)
            return !of_a && !of_b;
        if (strcmp(of_a, of_b) != 0)
            return false;
    }
}

static bool is_same_list(const struct word_list *a, const struct word_list *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->words[i], b->words[i]) != 0)
            return false;
    return true;
}

static unsigned change_of(const struct conf_directive *directive) {
    if (directive->flags & DIRECTIVE_COUNT)
        return CONF_CHANGE_WORKERS;
    if (directive->flags & DIRECTIVE_RULES)
        return CONF_CHANGE_RULES;
    return CONF_CHANGE_PROCESS |
           (directive->flags & DIRECTIVE_SOCKETS ? (unsigned)CONF_CHANGE_SOCKETS : 0);
}

unsigned conf_pool_compare(const struct conf_pool *before, const struct conf_pool *after) {
    const struct conf_directive *directive;
    unsigned change = 0;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++)
        if (!conf_directive_is_brood(directive) && !is_same_value(before, after, directive))
            change |= change_of(directive);
    /* What files and the system put in is a part of what the processes are. */
    if (before->plan.clear_environment != after->plan.clear_environment ||
        !is_same_list(&before->plan.set_environment, &after->plan.set_environment))
        change |= CONF_CHANGE_PROCESS;
    return change;
}
