/* SPDX-License-Identifier: MIT */

/* From the values of a pool to the pool: what several of them say together. */

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/values.h"
#include "sys/caps.h"

/* A command is a bit in the sets of those whose failure is tolerated. */
#define COMMANDS_MAX 64

/* As systemd has it; a oneshot may take its time. */
#define START_TIMEOUT (90 * NSEC_PER_SEC)

static nsec_t climb(nsec_t from, uint64_t permille, uint32_t steps, nsec_t enough) {
    for (nsec_t at = from; steps > 0 && from < enough; steps--, at = from) {
        unsigned __int128 next = (unsigned __int128)at * permille / 1000;

        from = next > enough ? enough : (nsec_t)next;
        if (from == at)
            break;
    }
    return from;
}

/* The smallest factor that leads from one delay to the other in so many steps. */
static unsigned geometric_permille(nsec_t from, nsec_t to, uint32_t steps) {
    unsigned low = 1000, high = 1000000000;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (climb(from, middle, steps, to) >= to)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int finish_backoff(struct conf_reader *reader, struct draft *draft) {
    struct backoff_rules *rules = &draft->pool.rules.backoff;
    nsec_t delay = draft->restart_delay.value;

    *rules = backoff_default();
    rules->jitter_permille = draft->restart_jitter_permille;
    rules->reset = draft->restart_reset;
    if (draft->restart_delay.given) {
        rules->first = rules->base = rules->max = delay;
        rules->factor_permille = 1000;
    }
    if (!draft->restart_max_delay.given)
        return 0;
    rules->max = draft->restart_max_delay.value;
    if (rules->max < rules->base)
        return conf_complain(reader, "RestartMaxDelaySec= is shorter than the first delay");
    rules->factor_permille = backoff_default().factor_permille;
    if (draft->restart_steps == 0 || rules->base == 0)
        return 0;
    rules->factor_permille = geometric_permille(rules->base, rules->max, draft->restart_steps);
    /* The first restart has taken the first step's delay. */
    if (draft->restart_delay.given)
        rules->base = climb(delay, rules->factor_permille, 1, rules->max);
    return 0;
}

/* What a shell or init would send to end a daemon is no failure of a unit's, as in systemd. */
static void finish_success(struct draft *draft) {
    static const int clean[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    struct conf_pool *pool = &draft->pool;

    if (!pool->is_service || pool->type == CONF_TYPE_ONESHOT)
        return;
    for (size_t i = 0; i < ELEMENTS(clean); i++)
        exit_set_add_signal(&pool->rules.restart.success, clean[i]);
}

static nsec_t start_timeout(const struct draft *draft) {
    if (draft->start_timeout.given)
        return draft->start_timeout.value > 0 ? draft->start_timeout.value : NSEC_NEVER;
    return draft->pool.type == CONF_TYPE_ONESHOT ? NSEC_NEVER : START_TIMEOUT;
}

static int finish_rules(struct conf_reader *reader, struct draft *draft) {
    struct conf_pool *pool = &draft->pool;
    enum restart_mode mode = pool->rules.restart.mode;

    finish_success(draft);
    if (pool->rules.start_limit.interval == 0)
        pool->rules.start_limit.burst = 0;
    pool->rules.start_timeout = start_timeout(draft);
    if (pool->rules.watchdog == NSEC_NEVER)
        pool->rules.watchdog = 0;
    pool->rules.oneshot = pool->type == CONF_TYPE_ONESHOT;
    if (pool->rules.oneshot && (mode == RESTART_ALWAYS || mode == RESTART_ON_SUCCESS))
        return conf_complain(
            reader, "Type=oneshot with Restart=%s would never end", restart_mode_name(mode));
    return finish_backoff(reader, draft);
}

static int finish_readiness(struct conf_reader *reader, struct draft *draft) {
    struct conf_pool *pool = &draft->pool;

    if (pool->notify_descriptor > 0 && pool->type == CONF_TYPE_ONESHOT)
        return conf_complain(
            reader, "Type=oneshot has no readiness: NotifyDescriptor= is too much");
    if (pool->notify_descriptor > 0)
        pool->type = CONF_TYPE_NOTIFY;
    if (pool->notify_access == NOTIFY_NONE &&
        ((pool->type == CONF_TYPE_NOTIFY && pool->notify_descriptor == 0) ||
            pool->rules.watchdog > 0))
        pool->notify_access = NOTIFY_MAIN;
    if (pool->on_demand && pool->listens.count == 0)
        return conf_complain(reader, "OnDemand=yes without a socket: give ListenStream=");
    return 0;
}

static int join(struct conf_reader *reader, const struct word_list *words, const char **ret_text) {
    size_t size = 1;
    char *text, *end;

    for (size_t i = 0; i < words->count; i++)
        size += strlen(words->words[i]) + 1;
    text = end = arena_alloc(reader->arena, size);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0)
            *end++ = ' ';
        end = stpcpy(end, words->words[i]);
    }
    *ret_text = text;
    return 0;
}

/* SupplementaryGroups= adds to the groups that the user has; a plan's list is all of them. */
static int finish_groups(struct conf_reader *reader, struct draft *draft) {
    const struct plan_spec *plan = &draft->pool.plan;
    struct passwd *user = plan->user ? getpwnam(plan->user) : NULL;
    struct word_list all = {0};
    gid_t ids[256];
    int count = user ? (int)ELEMENTS(ids) : 0, r = 0;

    if (draft->groups.count == 0)
        return 0;
    if (user)
        getgrouplist(user->pw_name, user->pw_gid, ids, &count);
    for (int i = 0; i < MIN(count, (int)ELEMENTS(ids)) && r == 0; i++)
        r = word_list_add(reader->arena, &all, arena_format(reader->arena, "%u", (unsigned)ids[i]));
    for (size_t i = 0; i < draft->groups.count && r == 0; i++)
        r = word_list_add(reader->arena, &all, draft->groups.words[i]);
    return r < 0 ? r : join(reader, &all, &draft->pool.plan.groups);
}

static int finish_capabilities(struct conf_reader *reader, struct draft *draft) {
    struct word_list names = {0};
    int r = 0;

    if (draft->has_ambient)
        r = join(reader, &draft->ambient, &draft->pool.plan.ambient_capabilities);
    if (!draft->has_bounding || draft->bounding == UINT64_MAX)
        return r;
    for (int i = 0; i <= CAP_LAST_CAP && r == 0; i++) {
        char name[64];

        if (draft->bounding >> i & 1 && strncmp(capability_name(i, name), "cap_", 4) == 0)
            r = word_list_add(reader->arena, &names, arena_copy(reader->arena, name, strlen(name)));
    }
    return r < 0 ? r : join(reader, &names, &draft->pool.plan.bounding_capabilities);
}

static int finish_directory(struct conf_reader *reader, struct draft *draft) {
    struct plan_spec *plan = &draft->pool.plan;

    plan->is_default_directory = !plan->directory;
    if (!plan->directory || strcmp(plan->directory, "~") != 0)
        return 0;
    struct passwd *user = plan->user ? getpwnam(plan->user) : getpwuid(getuid());
    if (!user)
        return conf_complain(reader, "WorkingDirectory=~: the user has no entry, so no home");
    plan->directory = specifiers_escape(reader->arena, user->pw_dir);
    return plan->directory ? 0 : -ENOMEM;
}

static int finish_identity(struct conf_reader *reader, struct draft *draft) {
    if (draft->dynamic_user && !draft->pool.plan.user)
        return conf_complain(reader, "DynamicUser=yes is not supported, and without it the "
                                     "process would run with brood's rights: give User=");
    int r = finish_groups(reader, draft);
    if (r == 0)
        r = finish_capabilities(reader, draft);
    return r < 0 ? r : finish_directory(reader, draft);
}

/* In a unit, what is inherited is where standard output goes. */
static void finish_error(struct draft *draft) {
    const struct conf_output *out = &draft->outputs[FRAME_OUT];
    struct conf_output *err = &draft->outputs[FRAME_ERR];

    if (draft->pool.is_service && err->target == CAPTURE_NONE && err->stdio.kind == STDIO_INHERIT)
        *err = *out;
}

static uint64_t limited(uint64_t value) {
    return value == UINT64_MAX ? 0 : value;
}

static int finish_output(struct conf_reader *reader, struct draft *draft) {
    struct capture_settings *capture = &draft->pool.log.capture;
    struct logfile_settings *file = &capture->file;
    bool is_ours = file->directory && strcmp(file->directory, "-") == 0;

    if (is_ours && file->format != FRAME_TEXT)
        return conf_complain(reader, "LogDirectory=- has LogFormat=text, and no other");
    finish_error(draft);
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        enum capture_target target = draft->outputs[i].target;

        draft->pool.plan.stdio[STDOUT_FILENO + i] = draft->outputs[i].stdio;
        capture->targets[i] = target == CAPTURE_FILE && is_ours ? CAPTURE_OUTPUT : target;
    }
    file->max_size = limited(file->max_size);
    file->max_total = limited(file->max_total);
    file->max_age = file->max_age == NSEC_NEVER ? 0 : file->max_age;
    if (capture->rate_interval == 0 || capture->rate_interval == NSEC_NEVER)
        capture->rate_burst = 0;
    return 0;
}

/* ExecStart= of which only the last is the pool's own process; a oneshot may have more before. */
static int finish_start(struct conf_reader *reader, struct draft *draft) {
    struct conf_pool *pool = &draft->pool;
    size_t count = draft->starts.count;

    if (count == 0)
        return conf_complain(reader, "pool '%s' has no ExecStart=", pool->name);
    if (count > 1 && pool->type != CONF_TYPE_ONESHOT)
        return conf_complain(reader,
            "pool '%s' has %zu commands in ExecStart=; only Type=oneshot may have more than one "
            "(an empty ExecStart= forgets those before)",
            pool->name, count);
    for (size_t i = 0; i + 1 < count; i++) {
        struct conf_command *grown =
            arena_grow(reader->arena, pool->pre.list, pool->pre.count, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        pool->pre.list = grown;
        pool->pre.list[pool->pre.count++] = draft->starts.list[i];
    }
    pool->start = draft->starts.list[count - 1];
    if (pool->start.tolerated)
        memset(&pool->rules.restart.success, 0xff, sizeof(pool->rules.restart.success));
    return 0;
}

static int expand_all(
    struct conf_reader *reader, const struct draft *draft, struct conf_commands *commands) {
    int r = 0;

    if (commands->count > COMMANDS_MAX)
        return conf_complain(reader, "more than %d commands of one kind", COMMANDS_MAX);
    for (size_t i = 0; i < commands->count && r == 0; i++)
        r = command_expand(reader, draft, &commands->list[i]);
    return r;
}

/* A bit for each command that may fail. */
static uint64_t tolerated(const struct conf_commands *commands) {
    uint64_t set = 0;

    for (size_t i = 0; i < commands->count; i++)
        set |= (uint64_t)commands->list[i].tolerated << i;
    return set;
}

static int finish_commands(struct conf_reader *reader, struct draft *draft) {
    struct conf_pool *pool = &draft->pool;
    struct conf_commands *const kinds[] = {
        &pool->pre, &pool->post, &pool->stop_post, &pool->reload};
    int r = finish_start(reader, draft);

    if (r == 0)
        r = command_expand(reader, draft, &pool->start);
    for (size_t i = 0; i < ELEMENTS(kinds) && r == 0; i++)
        r = expand_all(reader, draft, kinds[i]);
    if (r < 0)
        return r;
    pool->rules.n_pre = (uint32_t)pool->pre.count;
    pool->rules.n_post = (uint32_t)pool->post.count;
    pool->rules.n_stop_post = (uint32_t)pool->stop_post.count;
    pool->rules.n_reload = (uint32_t)pool->reload.count;
    pool->rules.pre_tolerated = tolerated(&pool->pre);
    pool->rules.post_tolerated = tolerated(&pool->post);
    pool->rules.reload_tolerated = tolerated(&pool->reload);
    return 0;
}

int draft_finish(struct conf_reader *reader, struct draft *draft) {
    static int (*const steps[])(struct conf_reader *, struct draft *) = {finish_rules,
        finish_readiness, finish_identity, finish_output, draft_environment, finish_commands};
    struct conf_pool *pool = &draft->pool;
    struct conf_origin origin = pool->origin;
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        reader->origin = origin;
        int step = steps[i](reader, draft);

        if (step < 0 && r != -ENOMEM)
            r = step;
    }
    if (pool->recycle_memory == UINT64_MAX)
        pool->recycle_memory = 0;
    pool->plan.pool = pool->name;
    pool->plan.n_workers = pool->workers;
    return r;
}
