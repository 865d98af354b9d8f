/* SPDX-License-Identifier: MIT */

/*
 * From what the files say to pools, in two passes. The first goes through what is said about a pool
 * in its order, reads each value to see whether it is one, and keeps what still counts at the end.
 * The second goes through the table and reads what was kept, or the default.
 */

#include "conf/build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "conf/sections.h"
#include "conf/values.h"

struct settings {
    struct conf_setting *list;
    size_t count;
};

/* What one pool, or [Brood], is made of. */
struct making {
    struct conf_reader reader;
    struct draft *draft; /* of the pass under way; NULL in [Brood] */
    void *target;        /* draft, or struct conf_brood */
    struct settings settings;
    bool brood;
};

static int printf_like(3, 0) tell(struct conf_reader *reader, enum conf_severity severity,
    const char *format, va_list arguments) {
    char text[512];

    vsnprintf(text, sizeof(text), format, arguments);
    return conf_message_add(
        reader->messages, severity, reader->origin.file, reader->origin.line, "%s", text);
}

int conf_complain(struct conf_reader *reader, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    int r = tell(reader, CONF_ERROR, format, arguments);
    va_end(arguments);
    return r < 0 ? r : -EBADMSG;
}

int conf_warn(struct conf_reader *reader, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    int r = tell(reader, reader->strict ? CONF_ERROR : CONF_WARNING, format, arguments);
    va_end(arguments);
    return r;
}

static int read_value(struct making *making, const struct conf_directive *directive,
    const char *value, struct conf_origin origin) {
    void *field = (char *)making->target + directive->offset;

    making->reader.directive = directive;
    making->reader.origin = origin;
    if (*value == '\0' && !(directive->flags & DIRECTIVE_EMPTY))
        return 0;
    return directive->read ? directive->read(value, field)
                           : directive->read_with(&making->reader, value, field);
}

/* Forgets what was said with this directive. */
static void drop(struct settings *settings, const struct conf_directive *directive) {
    size_t kept = 0;

    for (size_t i = 0; i < settings->count; i++)
        if (settings->list[i].directive != directive)
            settings->list[kept++] = settings->list[i];
    settings->count = kept;
}

static int keep(struct making *making, const struct conf_setting *setting) {
    const struct conf_directive *directive = setting->directive;
    struct settings *settings = &making->settings;

    if (!conf_directive_is_list(directive) || *setting->value == '\0')
        drop(settings, directive);
    if (*setting->value == '\0' && !(directive->flags & DIRECTIVE_EMPTY))
        return 0;
    struct conf_setting *grown =
        arena_grow(making->reader.arena, settings->list, settings->count, sizeof(*settings->list));
    if (!grown)
        return -ENOMEM;
    settings->list = grown;
    settings->list[settings->count++] = *setting;
    return 0;
}

static int expand(struct making *making, const struct conf_directive *directive, const char *text,
    const char **ret_text) {
    bool is_for_spawn = directive->flags & DIRECTIVE_SPAWN;
    char letter = '\0';

    *ret_text = text;
    if (!is_for_spawn && !(directive->flags & DIRECTIVE_TEXT))
        return 0;
    int r = specifiers_expand(&making->reader, text, is_for_spawn, ret_text, &letter);

    if (r != -EINVAL)
        return r;
    if (letter != '\0' && strchr("iwg", letter))
        return conf_complain(&making->reader,
            "%s=%s: %%%c is known only when a worker starts, and %s= is needed before",
            directive->name, text, letter, directive->name);
    return conf_complain(&making->reader,
        "%s=%s: unknown specifier '%%%c'; a percent sign is written %%%%", directive->name, text,
        letter);
}

static int take_value(struct making *making, const struct conf_directive *directive,
    const struct assignment *assignment) {
    struct conf_setting setting = {directive, assignment->value, assignment->origin};
    char suggestion[64];
    int r = expand(making, directive, assignment->value, &setting.value);

    if (r == 0)
        r = read_value(making, directive, setting.value, setting.origin);
    if (r == -EINVAL || r == -ERANGE || r == -ENAMETOOLONG)
        r = conf_complain(&making->reader, "%s=: expected %s, not '%s'%s", directive->name,
            directive->expects, assignment->value,
            text_suggest_choice(assignment->value, directive->expects, suggestion));
    return r < 0 ? r : keep(making, &setting);
}

/* Words that mean others. */
static const struct alias {
    const char *name;
    const char *meanings[2];
} aliases[] = {
    {"TimeoutSec", {"TimeoutStartSec", "TimeoutStopSec"}},
    {"StartLimitInterval", {"StartLimitIntervalSec", NULL}},
};

static const struct alias *find_alias(const char *key) {
    for (size_t i = 0; i < ELEMENTS(aliases); i++)
        if (strcmp(aliases[i].name, key) == 0)
            return &aliases[i];
    return NULL;
}

/* "no", "" and the like: what is not asked for need not be enforced. */
static bool asks_for_something(const char *value) {
    bool is_true;

    if (*value == '\0' || strcmp(value, "inherit") == 0)
        return false;
    return value_bool(value, &is_true) < 0 || is_true;
}

static int take_foreign(
    struct making *making, const struct assignment *assignment, const struct foreign *foreign) {
    if (strcmp(assignment->key, "DynamicUser") == 0)
        making->draft->dynamic_user = asks_for_something(assignment->value);
    if (foreign->silent || !asks_for_something(assignment->value))
        return 0;
    if (strncmp(assignment->key, "Root", 4) == 0)
        return conf_complain(
            &making->reader, "%s= is not supported: %s", assignment->key, foreign->meaning);
    return conf_warn(&making->reader, "%s= is not enforced: %s", assignment->key, foreign->meaning);
}

static int take_unknown(struct making *making, const struct assignment *assignment) {
    const struct foreign *foreign = making->brood ? NULL : foreign_find(assignment->key);
    const char *nearest;

    if (foreign)
        return take_foreign(making, assignment, foreign);
    if (conf_directive_find(assignment->key, !making->brood))
        return conf_complain(&making->reader,
            making->brood ? "%s= is about a pool: it belongs in [Pool NAME] or [Defaults]"
                          : "%s= is about brood: it belongs in [Brood]",
            assignment->key);
    nearest = conf_directive_nearest(assignment->key);
    if (nearest)
        return conf_complain(&making->reader, "unknown directive '%s'; did you mean '%s'?",
            assignment->key, nearest);
    return conf_complain(&making->reader, "unknown directive '%s'", assignment->key);
}

static int take(struct making *making, const struct assignment *assignment) {
    const struct alias *alias = making->brood ? NULL : find_alias(assignment->key);
    const char *own[] = {assignment->key, NULL};
    int r = 0;

    for (const char *const *name = alias ? alias->meanings : own;
         r == 0 && name < (alias ? alias->meanings : own) + 2 && *name; name++) {
        const struct conf_directive *directive = conf_directive_find(*name, making->brood);

        making->reader.origin = assignment->origin;
        if (!directive)
            r = take_unknown(making, assignment);
        else if (assignment->in_unit && !(directive->flags & DIRECTIVE_UNIT))
            r = conf_complain(&making->reader, "%s= belongs in [Service]", assignment->key);
        else
            r = take_value(making, directive, assignment);
    }
    return r;
}

/*
 * Whether another file, a drop-in, takes back what is said here: then it is not judged, for that is
 * how a unit that cannot be changed is made one that can be run.
 */
static bool is_replaced(
    const struct making *making, const struct assignments *assignments, size_t index) {
    const struct assignment *one = &assignments->list[index];
    const struct conf_directive *directive = conf_directive_find(one->key, making->brood);
    bool is_list = directive && conf_directive_is_list(directive);

    for (size_t i = index + 1; i < assignments->count; i++) {
        const struct assignment *later = &assignments->list[i];

        if (strcmp(later->key, one->key) == 0 && (!is_list || *later->value == '\0') &&
            strcmp(later->origin.file, one->origin.file) != 0)
            return true;
    }
    return false;
}

/* Mistakes are collected; only lack of memory ends it. */
static int take_all(struct making *making, const struct assignments *assignments) {
    for (size_t i = 0; i < assignments->count; i++)
        if (!is_replaced(making, assignments, i) && take(making, &assignments->list[i]) == -ENOMEM)
            return -ENOMEM;
    return 0;
}

/* The second pass, for one row. */
static int apply_row(
    struct making *making, const struct conf_directive *directive, const char *fallback) {
    bool is_set = false;

    for (size_t i = 0; i < making->settings.count; i++) {
        const struct conf_setting *setting = &making->settings.list[i];

        if (setting->directive != directive)
            continue;
        is_set = true;
        if (read_value(making, directive, setting->value, setting->origin) == -ENOMEM)
            return -ENOMEM;
    }
    if (is_set || !fallback)
        return 0;
    int r = read_value(making, directive, fallback, (struct conf_origin){0});
    return r == -ENOMEM ? r : 0;
}

static int apply(struct making *making, bool is_service) {
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++)
        if (conf_directive_is_brood(directive) == making->brood &&
            apply_row(making, directive, conf_directive_default(directive, is_service)) < 0)
            return -ENOMEM;
    return 0;
}

int build_brood(struct build *build, struct conf_brood *ret_brood) {
    struct conf_brood scratch = {0};
    struct making making = {
        .reader = {.arena = build->arena, .messages = build->messages, .strict = build->strict},
        .target = &scratch,
        .brood = true,
    };

    if (take_all(&making, &build->sections->brood) < 0)
        return -ENOMEM;
    *ret_brood = (struct conf_brood){
        .settings = making.settings.list,
        .n_settings = making.settings.count,
    };
    making.target = ret_brood;
    return apply(&making, false);
}

/* What is said about one pool. */
struct story {
    const char *name;
    const struct block *template; /* or NULL */
    const struct block *own;      /* or NULL */
};

/* Everything but the values: who it is. */
static int name_pool(struct build *build, const struct story *story, struct conf_pool *pool) {
    const struct block *first = story->own ? story->own : story->template;
    const char *at = strchr(story->name, '@');

    *pool = (struct conf_pool){
        .name = story->name,
        .prefix = arena_copy(build->arena, story->name, strcspn(story->name, "@")),
        .instance = at ? at + 1 : NULL,
        .origin = first->origin,
        .is_service = (story->own && story->own->is_service) ||
                      (story->template && story->template->is_service),
    };
    pool->plan.new_session = pool->is_service;
    return pool->prefix ? 0 : -ENOMEM;
}

static int start_pass(struct build *build, const struct story *story, struct making *making) {
    making->draft = making->target = arena_alloc(build->arena, sizeof(struct draft));
    making->reader.draft = making->draft;
    return making->draft ? name_pool(build, story, &making->draft->pool) : -ENOMEM;
}

static int first_pass(struct build *build, const struct story *story, struct making *making) {
    int r = start_pass(build, story, making);

    if (r == 0)
        r = take_all(making, &build->sections->defaults);
    if (r == 0 && story->template)
        r = take_all(making, &story->template->assignments);
    if (r == 0 && story->own)
        r = take_all(making, &story->own->assignments);
    return r;
}

static int second_pass(struct build *build, const struct story *story, struct making *making) {
    bool dynamic_user = making->draft->dynamic_user;
    int r = start_pass(build, story, making);

    if (r < 0)
        return r;
    making->draft->dynamic_user = dynamic_user;
    drop(&making->settings, conf_directive_find("Instances", false));
    making->draft->pool.settings = making->settings.list;
    making->draft->pool.n_settings = making->settings.count;
    r = apply(making, making->draft->pool.is_service);
    return r < 0 ? r : draft_finish(&making->reader, making->draft);
}

static int build_pool(struct build *build, const struct story *story, struct pools *pools) {
    struct making making = {
        .reader = {.arena = build->arena, .messages = build->messages, .strict = build->strict},
    };
    int r = first_pass(build, story, &making);

    if (r == 0)
        r = second_pass(build, story, &making);
    if (r == -ENOMEM)
        return r;
    struct conf_pool **grown =
        arena_grow(build->arena, pools->list, pools->count, sizeof(*pools->list));
    if (!grown)
        return -ENOMEM;
    pools->list = grown;
    pools->list[pools->count++] = &making.draft->pool;
    return 0;
}

static const struct block *find_block(const struct sections *sections, const char *name) {
    for (size_t i = 0; i < sections->pools.count; i++)
        if (strcmp(sections->pools.list[i].name, name) == 0)
            return &sections->pools.list[i];
    return NULL;
}

/* "web@"; but "web@a@" is an instance of it. */
static bool is_template(const struct block *block) {
    const char *at = strchr(block->name, '@');

    return at && at[1] == '\0';
}

static int build_named(
    struct build *build, const char *name, const struct block *own, struct pools *pools) {
    const char *at = strchr(name, '@');
    struct story story = {name, NULL, own};

    for (size_t i = 0; i < pools->count; i++)
        if (strcmp(pools->list[i]->name, name) == 0)
            return 0;
    /* A unit file of its own (a link to the template) has said everything already. */
    if (at && !(own && own->is_service)) {
        const char *template = arena_copy(build->arena, name, (size_t)(at - name) + 1);

        if (!template)
            return -ENOMEM;
        story.template = find_block(build->sections, template);
    }
    return build_pool(build, &story, pools);
}

/* A template is looked through for itself, and made into those that it names. */
static int build_template(struct build *build, const struct block *block, struct pools *pools) {
    struct making making = {
        .reader = {.arena = build->arena, .messages = build->messages, .strict = build->strict},
    };
    struct story story = {block->name, block, NULL};
    int r = first_pass(build, &story, &making);

    for (size_t i = 0; i < making.settings.count && r == 0; i++) {
        const struct conf_setting *setting = &making.settings.list[i];
        struct word_list instances = {0};

        if (strcmp(setting->directive->name, "Instances") != 0)
            continue;
        making.reader.origin = setting->origin;
        r = value_words(&making.reader, setting->value, &instances);
        for (size_t n = 0; n < instances.count && r == 0; n++) {
            const char *name = arena_format(build->arena, "%s%s", block->name, instances.words[n]);

            if (!name)
                return -ENOMEM;
            if (!sections_is_name(name))
                r = conf_complain(&making.reader, "'%s' is no name for a pool", name);
            else
                r = build_named(build, name, find_block(build->sections, name), pools);
        }
    }
    return r == -ENOMEM ? r : 0;
}

/* What holds for all pools is looked through once, also where there is none. */
static int check_defaults(struct build *build) {
    const struct block nobody = {.name = "defaults"};
    const struct story story = {"defaults", NULL, &nobody};
    struct making making = {
        .reader = {.arena = build->arena, .messages = build->messages, .strict = build->strict},
    };

    return first_pass(build, &story, &making);
}

static bool writes_files(const struct conf_pool *pool) {
    const enum capture_target *targets = pool->log.capture.targets;

    return targets[FRAME_OUT] == CAPTURE_FILE || targets[FRAME_ERR] == CAPTURE_FILE;
}

static bool has_same_directory(const struct conf_pool *a, const struct conf_pool *b) {
    const char *of_a = a->log.capture.file.directory, *of_b = b->log.capture.file.directory;

    return of_a && of_b ? strcmp(of_a, of_b) == 0 : of_a == of_b;
}

/* "web@0.out" is called as what worker 0 of `web` writes in raw is. */
static bool is_named_like_file_of(const struct conf_pool *pool, const struct conf_pool *raw) {
    const char *at = strrchr(pool->name, '@');

    if (!at || strlen(raw->name) != (size_t)(at - pool->name) ||
        strncmp(pool->name, raw->name, (size_t)(at - pool->name)) != 0)
        return false;
    const char *stream = at + 1 + strspn(at + 1, "0123456789");
    return stream > at + 1 && (strcmp(stream, ".out") == 0 || strcmp(stream, ".err") == 0);
}

static int check_file(
    struct build *build, const struct conf_pool *pool, const struct conf_pool *raw) {
    if (raw->log.capture.file.format != FRAME_RAW || !writes_files(raw) ||
        pool->log.capture.file.format == FRAME_RAW || !writes_files(pool) ||
        !has_same_directory(pool, raw) || !is_named_like_file_of(pool, raw))
        return 0;
    return conf_message_add(build->messages, CONF_ERROR, pool->origin.file, pool->origin.line,
        "%s.log is also what LogFormat=raw makes for pool '%s' (%s:%u): "
        "another name or another LogDirectory= is needed",
        pool->name, raw->name, raw->origin.file, raw->origin.line);
}

/* No two pools may mean the same file. */
static int check_files(struct build *build, const struct pools *pools) {
    int r = 0;

    for (size_t i = 0; i < pools->count; i++)
        for (size_t k = 0; k < pools->count && r == 0; k++)
            r = check_file(build, pools->list[i], pools->list[k]);
    return r;
}

int build_pools(struct build *build, struct pools *ret_pools) {
    const struct blocks *blocks = &build->sections->pools;
    int r = check_defaults(build);

    for (size_t i = 0; i < blocks->count && r == 0; i++) {
        const struct block *block = &blocks->list[i];

        r = is_template(block) ? build_template(build, block, ret_pools)
                               : build_named(build, block->name, block, ret_pools);
    }
    return r < 0 ? r : check_files(build, ret_pools);
}
