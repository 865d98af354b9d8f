/* SPDX-License-Identifier: MIT */
#include "bin/logs_places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bin/conf_options.h"

static void pool_finish(struct logs_pool *pool) {
    free(pool->name);
    free(pool->output);
    free(pool->error);
    free(pool->directory);
}

void logs_places_finish(struct logs_places *places) {
    for (size_t i = 0; i < places->n_pools; i++)
        pool_finish(&places->pools[i]);
    for (size_t i = 0; i < places->count; i++) {
        free(places->list[i].path);
        if (places->list[i].fd >= 0)
            close(places->list[i].fd);
    }
    free(places->pools);
    free(places->list);
}

int logs_places_add_pool(struct logs_places *places, const char *name, const char *output,
    const char *error, const char *directory) {
    struct logs_pool pool = {strdup(name), strdup(output ?: "none"), strdup(error ?: "none"),
        directory ? strdup(directory) : NULL};
    struct logs_pool *grown =
        reallocarray(places->pools, places->n_pools + 1, sizeof(*places->pools));

    if (grown)
        places->pools = grown;
    if (!grown || !pool.name || !pool.output || !pool.error || (directory && !pool.directory)) {
        pool_finish(&pool);
        return -ENOMEM;
    }
    places->pools[places->n_pools++] = pool;
    return 0;
}

int logs_places_find(const struct logs_places *places, const char *path, size_t length) {
    for (size_t i = 0; i < places->count; i++)
        if (strlen(places->list[i].path) == length &&
            strncmp(places->list[i].path, path, length) == 0)
            return (int)i;
    return -1;
}

int logs_places_add(struct logs_places *places, const char *path) {
    if (logs_places_find(places, path, strlen(path)) >= 0)
        return 0;
    struct logs_place *grown = reallocarray(places->list, places->count + 1, sizeof(*places->list));
    if (!grown)
        return -ENOMEM;
    places->list = grown;
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    places->list[places->count++] = (struct logs_place){copy, -1};
    return 0;
}

static const struct logs_pool *find_pool(const struct logs_places *places, const char *name) {
    for (size_t i = 0; i < places->n_pools; i++)
        if (strcmp(places->pools[i].name, name) == 0)
            return &places->pools[i];
    return NULL;
}

int logs_places_choose(
    struct logs_places *places, const struct query *query, const char *fallback) {
    bool falls_back = query->n_subjects == 0;
    int r = 0;

    for (size_t i = 0; i < query->n_subjects && r >= 0; i++) {
        const struct logs_pool *pool = find_pool(places, query->subjects[i].pool);

        if (pool && pool->directory)
            r = logs_places_add(places, pool->directory);
        else
            falls_back = true;
    }
    for (size_t i = 0; i < places->n_pools && query->n_subjects == 0 && r >= 0; i++)
        if (places->pools[i].directory)
            r = logs_places_add(places, places->pools[i].directory);
    return r >= 0 && falls_back && fallback ? logs_places_add(places, fallback) : r;
}

static int add_conf_pool(
    struct logs_places *places, const struct conf_pool *pool, const char *fallback) {
    const struct capture_settings *capture = &pool->log.capture;
    const enum capture_target *targets = capture->targets;
    bool has_files = targets[FRAME_OUT] == CAPTURE_FILE || targets[FRAME_ERR] == CAPTURE_FILE;
    const char *directory = capture->file.directory ?: fallback;

    return logs_places_add_pool(places, pool->name, capture_target_name(targets[FRAME_OUT]),
        capture_target_name(targets[FRAME_ERR]), has_files ? directory : NULL);
}

/* Nothing is going to be run: whose the files are makes no difference. */
int logs_places_read(struct logs_places *places, const char *path, const char *fallback) {
    struct conf_sources sources = {.trust_any_owner = true};
    struct conf_messages messages = {0};
    struct stat status;
    struct conf *conf;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        sources.directory = path;
    } else {
        sources.files = &path;
        sources.n_files = 1;
    }
    int r = conf_load(&sources, &conf, &messages);
    if (r < 0)
        conf_print_messages(&messages);
    conf_messages_finish(&messages);
    if (r < 0)
        return r;
    for (size_t i = 0; i < conf_n_pools(conf) && r >= 0; i++)
        r = add_conf_pool(places, conf_pool_at(conf, i), fallback);
    conf_free(conf);
    return r;
}

bool logs_places_explain(const struct logs_places *places, const char *name) {
    const struct logs_pool *pool = find_pool(places, name);

    if (!pool || pool->directory)
        return false;
    const char *where = strcmp(pool->output, "none") == 0 ? pool->error : pool->output;
    fprintf(stderr, "brood logs: the output of '%s' is not kept in files", name);
    if (strcmp(where, "journal") == 0)
        fprintf(stderr, ", but in the journal: journalctl BROOD_POOL=%s\n", name);
    else if (strcmp(where, "syslog") == 0)
        fprintf(stderr, ", but handed to syslog\n");
    else if (strcmp(where, "output") == 0)
        fprintf(stderr, ", but written to brood's own standard output (LogDirectory=-)\n");
    else
        fprintf(stderr, ": StandardOutput= and StandardError= say where it goes\n");
    return true;
}
