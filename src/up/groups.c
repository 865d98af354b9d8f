/* SPDX-License-Identifier: MIT */

/*
 * Control groups, where they can be had: one for each pool and worker. They are wanted always, for
 * they hold a tree together, and needed only for limits.
 */

#include <errno.h>
#include <string.h>

#include "conf/directive.h"
#include "sys/cgroup.h"
#include "up/service_internal.h"
#include "up/settings.h"

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
    /* All of them: once there are groups, a reload could enable no more. */
    cgroup_root_enable(&service->groups, service->groups.controllers);
    engine_use_groups(service->engine, &service->groups);
    return 0;
}

static bool can_have(const struct service *service, const struct cgroup_limits *limits) {
    return service->groups.fd >= 0 &&
           (cgroup_limits_controllers(limits) & ~service->groups.controllers) == 0;
}

int groups_check(
    const struct service *service, const struct conf_pool *pool, struct conf_messages *messages) {
    static const char *const directives[CGROUP_LIMIT_MAX] = {
        [CGROUP_LIMIT_MEMORY_MAX] = "MemoryMax",
        [CGROUP_LIMIT_MEMORY_HIGH] = "MemoryHigh",
        [CGROUP_LIMIT_TASKS_MAX] = "TasksMax",
        [CGROUP_LIMIT_CPU_WEIGHT] = "CPUWeight",
        [CGROUP_LIMIT_CPU_QUOTA] = "CPUQuota",
        [CGROUP_LIMIT_IO_WEIGHT] = "IOWeight",
    };
    const char *why = service->groups.fd < 0 ? "no control group can be made here"
                                             : "the control group here has no such controller";
    const struct cgroup_limits *limits = &pool->cgroup.limits;
    bool strict =
        pool->cgroup.strict || conf_brood(service->conf)->strict || service->options.sources.strict;
    int result = 0;

    for (int i = 0; i < CGROUP_LIMIT_MAX; i++) {
        struct cgroup_limits one = {.set = limits->set & UINT32_C(1) << i};

        if (one.set == 0 || !directives[i] || can_have(service, &one))
            continue;
        struct conf_origin origin = conf_pool_origin(pool, directives[i]);
        if (conf_message_add(messages, strict ? CONF_ERROR : CONF_WARNING, origin.file, origin.line,
                "pool %s: %s= is not enforced: %s", pool->name, directives[i], why) < 0)
            return -ENOMEM;
        result = strict ? -EBADMSG : 0;
    }
    return result;
}
