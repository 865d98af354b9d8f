/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>

struct conf {
    struct conf_brood brood;
};

int conf_load(
    const struct conf_sources *sources, struct conf **ret_conf, struct conf_messages *messages) {
    (void)sources, (void)ret_conf;
    conf_message_add(messages, CONF_ERROR, NULL, 0, "configuration is not read yet");
    return -EBADMSG;
}

struct conf *conf_free(struct conf *conf) {
    free(conf);
    return NULL;
}

const struct conf_brood *conf_brood(const struct conf *conf) {
    return &conf->brood;
}

size_t conf_n_pools(const struct conf *conf) {
    (void)conf;
    return 0;
}

const struct conf_pool *conf_pool_at(const struct conf *conf, size_t index) {
    (void)conf, (void)index;
    return NULL;
}

const struct conf_pool *conf_find_pool(const struct conf *conf, const char *name) {
    (void)conf, (void)name;
    return NULL;
}

struct plan_spec conf_pool_plan(const struct conf_pool *pool, const struct conf_command *command) {
    struct plan_spec spec = pool->plan;

    spec.argv = command->argv;
    spec.program = command->program;
    return spec;
}

unsigned conf_pool_compare(const struct conf_pool *before, const struct conf_pool *after) {
    (void)before, (void)after;
    return 0;
}
