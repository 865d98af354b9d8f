/* SPDX-License-Identifier: MIT */

/* A pool's options as the plan and the rules that the engine takes. */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/supervisor.h"
#include "base/macro.h"
#include "sys/cpu.h"
#include "sys/seed.h"

#define WORKERS_MAX 1000000
#define ALL_FLAGS   ((BROOD_POOL_OOM_SCORE << 1) - 1)

static int refuse(struct brood_supervisor *supervisor, const char *format, ...) printf_like(2, 3);

static int refuse(struct brood_supervisor *supervisor, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(supervisor->error, sizeof(supervisor->error), format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* A text that has a grammar of its own, where it is given. */
#define READ(supervisor, field, parse, text, ret)                                                  \
    ((text) && parse((text), (ret)) < 0                                                            \
            ? refuse((supervisor), "%s: '%s' is not understood", (field), (text))                  \
            : 0)

static int read_restart(int given, enum restart_mode *ret_mode) {
    static const enum restart_mode modes[] = {
        [BROOD_RESTART_ON_FAILURE] = RESTART_ON_FAILURE,
        [BROOD_RESTART_NO] = RESTART_NO,
        [BROOD_RESTART_ON_ABNORMAL] = RESTART_ON_ABNORMAL,
        [BROOD_RESTART_ALWAYS] = RESTART_ALWAYS,
    };

    if (given < 0 || given >= (int)ELEMENTS(modes))
        return -EINVAL;
    *ret_mode = modes[given];
    return 0;
}

static int read_limit_action(int given, enum limit_action *ret_action) {
    static const enum limit_action actions[] = {
        [BROOD_LIMIT_GIVE_UP] = LIMIT_GIVE_UP,
        [BROOD_LIMIT_STOP] = LIMIT_STOP,
        [BROOD_LIMIT_STOP_ALL] = LIMIT_EXIT,
    };

    if (given < 0 || given >= (int)ELEMENTS(actions))
        return -EINVAL;
    *ret_action = actions[given];
    return 0;
}

static int make_rules(struct brood_supervisor *supervisor, const struct brood_pool_options *options,
    struct worker_rules *rules) {
    bool no_restarts = options->flags & BROOD_POOL_NO_RESTARTS;

    *rules = worker_rules_default();
    if (options->max_restarts)
        rules->max_restarts = options->max_restarts;
    if (options->stop_timeout)
        rules->stop_timeout = options->stop_timeout;
    rules->stop_signal = options_signal(options->stop_signal, SIGTERM);
    if (no_restarts)
        rules->max_restarts = 0;
    if (rules->stop_signal < 0)
        return refuse(supervisor, "stop_signal: %d is not a signal", options->stop_signal);
    if (read_restart(options->restart, &rules->restart.mode) < 0)
        return refuse(supervisor, "restart: %d is not a policy", options->restart);
    if (read_limit_action(options->start_limit_action, &rules->start_limit.action) < 0)
        return refuse(
            supervisor, "start_limit_action: %d is not an action", options->start_limit_action);

    int r = READ(
        supervisor, "success_exit", exit_set_parse, options->success_exit, &rules->restart.success);
    if (r == 0)
        r = READ(supervisor, "prevent_exit", exit_set_parse, options->prevent_exit,
            &rules->restart.prevent);
    if (r == 0)
        r = READ(supervisor, "backoff", backoff_parse, options->backoff, &rules->backoff);
    if (r == 0)
        r = READ(supervisor, "start_limit", start_limit_parse, options->start_limit,
            &rules->start_limit);
    return r;
}

static struct word_list words(const char *const *given) {
    struct word_list list = {.words = (const char **)given};

    while (given && given[list.count])
        list.count++;
    return list;
}

static int add_limits(struct brood_supervisor *supervisor, const struct brood_pool_options *options,
    struct plan_spec *spec) {
    for (size_t i = 0; i < options->n_limits; i++) {
        const struct brood_limit *limit = &options->limits[i];

        if (limit->resource < 0 || limit->resource >= RLIM_NLIMITS || limit->soft > limit->hard)
            return refuse(supervisor, "limits[%zu]: no such resource, or soft above hard", i);
        spec->limits[limit->resource] =
            (struct limit_spec){true, (rlim_t)limit->soft, (rlim_t)limit->hard};
    }
    return 0;
}

static int add_cpus(struct brood_supervisor *supervisor, const struct brood_pool_options *options,
    cpu_set_t *cpus, struct plan_spec *spec) {
    CPU_ZERO(cpus);
    if (!options->cpus)
        return 0;
    for (size_t i = 0; i < options->n_cpus; i++) {
        if (options->cpus[i] >= CPU_SETSIZE)
            return refuse(supervisor, "cpus[%zu]: %u is too large", i, options->cpus[i]);
        CPU_SET(options->cpus[i], cpus);
    }
    spec->cpus = cpus;
    return 0;
}

static int add_numbers(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, struct plan_spec *spec) {
    spec->has_umask = options->flags & BROOD_POOL_UMASK;
    spec->umask = options->umask & 0777;
    spec->has_nice = options->flags & BROOD_POOL_NICE;
    spec->nice = options->nice;
    spec->has_oom_score = options->flags & BROOD_POOL_OOM_SCORE;
    spec->oom_score = options->oom_score;
    spec->parent_death_signal = options_signal(options->parent_death_signal, 0);
    if (spec->has_nice && (spec->nice < -20 || spec->nice > 19))
        return refuse(supervisor, "nice: %d is not from -20 to 19", spec->nice);
    if (spec->has_oom_score && (spec->oom_score < -1000 || spec->oom_score > 1000))
        return refuse(supervisor, "oom_score: %d is not from -1000 to 1000", spec->oom_score);
    if (spec->parent_death_signal < 0)
        return refuse(
            supervisor, "parent_death_signal: %d is not a signal", options->parent_death_signal);
    return 0;
}

static int add_streams(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, struct plan_spec *spec) {
    for (int i = 0; i < 3; i++)
        if (options_stdio(&options->stdio[i], i == 0, i == 0 ? STDIO_NULL : STDIO_INHERIT,
                &spec->stdio[i]) < 0)
            return refuse(supervisor, "stdio[%d]: no such kind, or a path is missing", i);
    return 0;
}

static uint32_t count_workers(unsigned given) {
    if (given == BROOD_ALL)
        return cpu_usable();
    return MAX(given, 1U);
}

static const char *pool_name(const struct brood_pool_options *options) {
    const char *command = options->argv[0], *slash = strrchr(command, '/');

    if (options->name)
        return options->name;
    return slash && slash[1] ? slash + 1 : command;
}

static struct plan_spec plain_spec(const struct brood_pool_options *options) {
    return (struct plan_spec){
        .pool = pool_name(options),
        .n_workers = count_workers(options->workers),
        .argv = options->argv,
        .literal = options->flags & BROOD_POOL_LITERAL,
        .clear_environment = options->flags & BROOD_POOL_CLEAR_ENV,
        .set_environment = words(options->env),
        .unset_environment = words(options->unset_env),
        .environment_files = words(options->env_files),
        .directory = options->directory,
        .new_session = options->flags & BROOD_POOL_SESSION,
        .user = options->user,
        .group = options->group,
        .groups = options->groups,
        .bounding_capabilities = options->bounding_caps,
        .ambient_capabilities = options->ambient_caps,
        .no_new_privileges = options->flags & BROOD_POOL_NO_NEW_PRIVS,
    };
}

static int make_version(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, struct version **ret_version) {
    struct plan_spec spec = plain_spec(options);
    struct plan_error error;
    struct plan *plan;
    cpu_set_t cpus;
    int r = add_numbers(supervisor, options, &spec);

    if (r == 0)
        r = add_streams(supervisor, options, &spec);
    if (r == 0)
        r = add_limits(supervisor, options, &spec);
    if (r == 0)
        r = add_cpus(supervisor, options, &cpus, &spec);
    if (r < 0)
        return r;
    r = plan_new(&spec, &plan, &error);
    if (r < 0) {
        refuse(supervisor, "%s", error.text);
        return r;
    }
    return version_new_take(plan, ret_version);
}

int supervisor_pool_settings(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, struct pool_settings *ret_settings) {
    if (!options->argv || !options->argv[0] || !*options->argv[0])
        return refuse(supervisor, "argv: no command given");
    if (options->name && !*options->name)
        return refuse(supervisor, "name: it is empty");
    if (options->flags & ~(unsigned)ALL_FLAGS)
        return refuse(supervisor, "flags: some are unknown");
    if (options->workers != BROOD_ALL && options->workers > WORKERS_MAX)
        return refuse(supervisor, "workers: %u is above %d", options->workers, WORKERS_MAX);
    for (uint32_t i = 0; i < engine_pools(supervisor->engine); i++)
        if (strcmp(supervisor->names[i], pool_name(options)) == 0) {
            refuse(supervisor, "name: there is a pool '%s' already", pool_name(options));
            return -EEXIST;
        }

    *ret_settings = (struct pool_settings){
        .name = pool_name(options),
        .n_workers = count_workers(options->workers),
        .kill_mode = options->flags & BROOD_POOL_KILL_PROCESS ? KILL_ONE : KILL_GROUP,
        .seed = seed_random(),
    };
    int r = make_rules(supervisor, options, &ret_settings->rules);
    return r < 0 ? r : make_version(supervisor, options, &ret_settings->version);
}
