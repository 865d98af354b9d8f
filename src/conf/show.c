/* SPDX-License-Identifier: MIT */
#include "conf/show.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "conf/internal.h"

/* What is shown: [Brood] or a pool. */
struct subject {
    const struct conf_setting *settings;
    size_t n_settings;
    bool brood;
    bool is_service;
};

typedef void (*show_fn)(void *data, const struct conf_directive *directive, const char *value,
    struct conf_origin origin);

static struct subject of_brood(const struct conf *conf) {
    const struct conf_brood *brood = conf_brood(conf);

    return (struct subject){brood->settings, brood->n_settings, true, false};
}

static struct subject of_pool(const struct conf_pool *pool) {
    return (struct subject){pool->settings, pool->n_settings, false, pool->is_service};
}

/* Each value of each directive in the order of the table; NULL: unset. */
static void each_value(const struct subject *subject, show_fn show, void *data) {
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        bool is_set = false;

        if (conf_directive_is_brood(directive) != subject->brood)
            continue;
        for (size_t n = 0; n < subject->n_settings; n++)
            if (subject->settings[n].directive == directive) {
                is_set = true;
                show(data, directive, subject->settings[n].value, subject->settings[n].origin);
            }
        if (!is_set)
            show(data, directive, conf_directive_default(directive, subject->is_service),
                (struct conf_origin){0});
    }
}

struct text_data {
    FILE *out;
    struct conf_origin origin;
    bool is_first;
};

static bool is_same_origin(struct conf_origin a, struct conf_origin b) {
    return a.line == b.line && (a.file == b.file || (a.file && b.file && !strcmp(a.file, b.file)));
}

static void show_text(void *data, const struct conf_directive *directive, const char *value,
    struct conf_origin origin) {
    bool is_expanded = directive->flags & DIRECTIVE_TEXT;
    struct text_data *text = data;

    if (!value)
        return;
    if (text->is_first || !is_same_origin(text->origin, origin)) {
        if (origin.file)
            fprintf(text->out, "# %s:%u\n", origin.file, origin.line);
        else
            fputs("# default\n", text->out);
    }
    text->is_first = false;
    text->origin = origin;
    fprintf(text->out, "%s=", directive->name);
    for (; *value != '\0'; value++) {
        if (*value == '%' && is_expanded)
            putc('%', text->out);
        putc(*value, text->out);
    }
    putc('\n', text->out);
}

static void show_section(struct subject subject, FILE *out) {
    struct text_data data = {.out = out, .is_first = true};

    each_value(&subject, show_text, &data);
}

static void show_pool(const struct conf_pool *pool, FILE *out) {
    if (pool->is_service)
        fprintf(out, "# %s.service\n[Service]\n", pool->name);
    else
        fprintf(out, "[Pool %s]\n", pool->name);
    show_section(of_pool(pool), out);
}

void conf_show(const struct conf *conf, const struct conf_pool *pool, FILE *out) {
    if (pool) {
        show_pool(pool, out);
        return;
    }
    fputs("[Brood]\n", out);
    show_section(of_brood(conf), out);
    for (size_t i = 0; i < conf_n_pools(conf); i++) {
        putc('\n', out);
        show_pool(conf_pool_at(conf, i), out);
    }
}

void conf_json_pair(FILE *out, const char *key, const char *value) {
    size_t size = value ? 6 * strlen(value) + strlen(key) + 8 : 1;
    char *room = value ? malloc(size) : NULL;
    struct buffer buffer = {.data = room, .size = size};

    if (room) {
        buffer_add_json_text(&buffer, key, value);
        fputs(room, out);
    } else {
        fprintf(out, "\"%s\":null", key);
    }
    free(room);
}

static void show_origin(struct conf_origin origin, FILE *out) {
    conf_json_pair(out, "file", origin.file);
    fprintf(out, ",\"line\":%u", origin.line);
}

static void show_json(void *data, const struct conf_directive *directive, const char *value,
    struct conf_origin origin) {
    struct text_data *json = data;

    fputs(json->is_first ? "{" : ",{", json->out);
    json->is_first = false;
    conf_json_pair(json->out, "name", directive->name);
    putc(',', json->out);
    conf_json_pair(json->out, "value", value);
    putc(',', json->out);
    show_origin(origin, json->out);
    putc('}', json->out);
}

static void show_settings(struct subject subject, FILE *out) {
    struct text_data data = {.out = out, .is_first = true};

    fputs("\"settings\":[", out);
    each_value(&subject, show_json, &data);
    putc(']', out);
}

static void show_pool_json(const struct conf_pool *pool, FILE *out) {
    putc('{', out);
    conf_json_pair(out, "name", pool->name);
    putc(',', out);
    show_origin(pool->origin, out);
    fprintf(out, ",\"unit\":%s,", pool->is_service ? "true" : "false");
    show_settings(of_pool(pool), out);
    putc('}', out);
}

void conf_show_json(const struct conf *conf, const struct conf_pool *pool, FILE *out) {
    bool is_first = true;

    fputs("{\"brood\":{", out);
    show_settings(of_brood(conf), out);
    fputs("},\"pools\":[", out);
    for (size_t i = 0; i < conf_n_pools(conf); i++) {
        const struct conf_pool *other = conf_pool_at(conf, i);

        if (pool && other != pool)
            continue;
        fputs(is_first ? "" : ",", out);
        is_first = false;
        show_pool_json(other, out);
    }
    fputs("]}\n", out);
}
