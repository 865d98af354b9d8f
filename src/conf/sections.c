/* SPDX-License-Identifier: MIT */
#include "conf/sections.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "conf/lexer.h"

#define NAME_LENGTH_MAX 200

/* Where the lines of a section go. */
enum target { TARGET_NONE, TARGET_NOBODY, TARGET_BROOD, TARGET_DEFAULTS, TARGET_POOL };

struct parse {
    struct section_reader *reader;
    struct conf_origin origin;
    const char *service;
    enum target target;
    size_t pool; /* index of the block */
    bool in_unit;
};

#define complain(p, ...)                                                                           \
    conf_message_add(                                                                              \
        (p)->reader->messages, CONF_ERROR, (p)->origin.file, (p)->origin.line, __VA_ARGS__)

bool sections_is_name(const char *name) {
    size_t length = strlen(name);

    if (length == 0 || length > NAME_LENGTH_MAX || *name == '@' || *name == '.')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-_.:@\\", *name))
            return false;
    return true;
}

/* The block of a name, made where there is none. */
static int find_block(struct parse *p, const char *name, size_t *ret_index) {
    struct blocks *blocks = &p->reader->sections->pools;
    size_t i = 0;

    while (i < blocks->count && strcmp(blocks->list[i].name, name) != 0)
        i++;
    if (i == blocks->count) {
        struct block *grown =
            arena_grow(p->reader->arena, blocks->list, blocks->count, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        blocks->list = grown;
        grown[blocks->count++] = (struct block){.name = name, .origin = p->origin};
    }
    blocks->list[i].is_service |= p->service != NULL;
    *ret_index = i;
    return 0;
}

static int enter_pool(struct parse *p, const char *name) {
    p->target = TARGET_NOBODY;
    if (!sections_is_name(name))
        return complain(p, "'%s' is no name for a pool: letters, digits and -_.:@ are", name);
    p->target = TARGET_POOL;
    return find_block(p, name, &p->pool);
}

static int enter_of_service(struct parse *p, const char *section) {
    p->in_unit = strcmp(section, "Unit") == 0;
    if (p->in_unit || strcmp(section, "Service") == 0)
        return enter_pool(p, p->service);
    p->target = TARGET_NOBODY;
    if (strcmp(section, "Install") == 0 || strncmp(section, "X-", 2) == 0)
        return 0;
    return complain(
        p, "unknown section [%s]; a .service file has [Unit], [Service] and [Install]", section);
}

static const char *nearest_section(const char *name) {
    static const char *const names[] = {"Brood", "Defaults", "Pool NAME"};
    const char *best = NULL;
    unsigned best_distance = UINT_MAX;

    if (strncasecmp(name, "pool", 4) == 0)
        return names[2];
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        unsigned distance = text_distance(name, names[i]);

        if (distance < best_distance && text_is_near(distance, name)) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}

static int enter(struct parse *p, char *section) {
    char *name = section + strcspn(section, " \t");

    p->in_unit = false;
    if (p->service)
        return enter_of_service(p, section);
    if (strncmp(section, "Pool", 4) == 0 && name == section + 4 && *name != '\0')
        return enter_pool(p, name + strspn(name, " \t"));
    p->target = strcmp(section, "Brood") == 0      ? TARGET_BROOD
                : strcmp(section, "Defaults") == 0 ? TARGET_DEFAULTS
                                                   : TARGET_NOBODY;
    if (p->target != TARGET_NOBODY || strncmp(section, "X-", 2) == 0)
        return 0;
    if (strcmp(section, "Service") == 0)
        return complain(p, "[Service] belongs in a file NAME.service; here it is [Pool NAME]");
    const char *nearest = nearest_section(section);
    if (nearest)
        return complain(p, "unknown section [%s]; did you mean [%s]?", section, nearest);
    return complain(
        p, "unknown section [%s]; there are [Brood], [Defaults] and [Pool NAME]", section);
}

static int assign(struct parse *p, const struct lexer_item *item) {
    struct sections *sections = p->reader->sections;
    struct assignments *all = p->target == TARGET_BROOD      ? &sections->brood
                              : p->target == TARGET_DEFAULTS ? &sections->defaults
                              : p->target == TARGET_POOL
                                  ? &sections->pools.list[p->pool].assignments
                                  : NULL;

    if (p->target == TARGET_NONE)
        return complain(p, "'%s=' stands before the first [SECTION]", item->key);
    if (!all)
        return 0;
    struct assignment *grown = arena_grow(p->reader->arena, all->list, all->count, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    all->list = grown;
    all->list[all->count++] = (struct assignment){item->key, item->value, p->origin, p->in_unit};
    return 0;
}

int sections_read(
    struct section_reader *reader, char *text, const char *file, const char *service) {
    struct parse p = {.reader = reader, .origin = {file, 0}, .service = service};
    struct lexer lexer;
    int r = 0;

    lexer_init(&lexer, text);
    while (r == 0) {
        struct lexer_item item = lexer_next(&lexer);

        p.origin.line = item.line;
        switch (item.kind) {
        case LEXER_END:
            return 0;
        case LEXER_SECTION:
            r = enter(&p, item.key);
            break;
        case LEXER_ASSIGNMENT:
            r = assign(&p, &item);
            break;
        case LEXER_NONSENSE:
            r = complain(&p, "'%s': expected KEY=VALUE or [SECTION]", item.key);
            break;
        }
    }
    return r;
}
