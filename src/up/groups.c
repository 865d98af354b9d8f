/* SPDX-License-Identifier: MIT */

/*
 * Control groups, where they can be had: one for each pool and worker. They are wanted always, for
 * they hold a tree together, and needed only for limits.
 */

#include <errno.h>

#include "sys/cgroup.h"
#include "up/service_internal.h"
#include "up/settings.h"

static uint32_t controllers_of(const struct conf *conf) {
    uint32_t controllers = 0;

    for (size_t i = 0; i < conf_n_pools(conf); i++) {
        struct cgroup_limits limits = settings_limits(conf_pool_at(conf, i));

        controllers |= cgroup_limits_controllers(&limits);
    }
    return controllers;
}

/* A root that was named has to be had; one that is looked for may be missing. */
int groups_open(struct service *service, struct conf_messages *messages) {
    const char *slice = conf_brood(service->conf)->slice;
    char reason[CGROUP_TEXT_SIZE];
    int r = cgroup_open_root(slice, &service->groups, reason);

    if (r < 0 && slice)
        return conf_message_add(messages, CONF_ERROR, NULL, 0, "Slice=%s: %s", slice, reason) < 0
                   ? -ENOMEM
                   : -EBADMSG;
    if (r < 0)
        return 0;
    cgroup_root_enable(&service->groups, controllers_of(service->conf));
    engine_use_groups(service->engine, &service->groups);
    return 0;
}

/* The limits that need a controller which is not there, as "memory.max, pids.max". */
static bool name_missing(
    const struct service *service, const struct conf_pool *pool, struct buffer *names) {
    struct cgroup_limits limits = settings_limits(pool);

    for (int i = 0; i < CGROUP_LIMIT_MAX; i++) {
        struct cgroup_limits one = {.set = limits.set & UINT32_C(1) << i};

        if (one.set == 0 || (service->groups.fd >= 0 && (cgroup_limits_controllers(&one) &
                                                            ~service->groups.controllers) == 0))
            continue;
        buffer_add_format(
            names, "%s%s", names->length > 0 ? ", " : "", cgroup_limit_file((enum cgroup_limit)i));
    }
    return names->length > 0;
}

int groups_check(
    const struct service *service, const struct conf_pool *pool, struct conf_messages *messages) {
    bool strict =
        pool->cgroup.strict || conf_brood(service->conf)->strict || service->options.sources.strict;
    char text[256];
    struct buffer names = BUFFER(text);

    if (!name_missing(service, pool, &names))
        return 0;
    int r = conf_message_add(messages, strict ? CONF_ERROR : CONF_WARNING, pool->origin.file,
        pool->origin.line, "pool %s: not enforced: %s: %s", pool->name, text,
        service->groups.fd < 0 ? "no control group can be made here"
                               : "this control group has no such controller");
    return r < 0 ? r : strict ? -EBADMSG : 0;
}
