/* SPDX-License-Identifier: MIT */

/* Configuration files: an INI file, or a unit where the input begins with "[Unit" or "[Serv". */

#include "conf/internal.h"
#include "conf/show.h"
#include "fuzz.h"

/* What is shown is a configuration, too, and comes to the same. */
static void try_show(const struct conf *conf) {
    struct conf_messages messages = {0};
    struct conf *again = NULL;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    conf_show(conf, NULL, out);
    fclose(out);
    for (size_t i = 0; i < conf_n_pools(conf); i++)
        if (conf_pool_at(conf, i)->is_service)
            goto finish; /* shown as units: several files in one */
    PROMISE(conf_load_text("shown", text, NULL, &again, &messages) == 0);
    PROMISE(conf_n_pools(again) == conf_n_pools(conf));
    for (size_t i = 0; i < conf_n_pools(conf); i++)
        PROMISE(conf_pool_compare(conf_pool_at(conf, i), conf_pool_at(again, i)) == 0);
finish:
    conf_messages_finish(&messages);
    conf_free(again);
    free(text);
}

static void try_text(const char *text, const char *service) {
    struct conf_messages messages = {0};
    struct conf *conf = NULL;
    int r = conf_load_text("fuzz", text, service, &conf, &messages);

    PROMISE((r == 0) == (conf != NULL));
    PROMISE((r == 0) == (messages.n_errors == 0));
    for (size_t i = 0; conf && i < conf_n_pools(conf); i++) {
        const struct conf_pool *pool = conf_pool_at(conf, i);
        struct plan_spec spec = conf_pool_plan(pool, &pool->start);

        PROMISE(spec.argv[0] && pool->workers > 0);
        PROMISE(conf_pool_compare(pool, pool) == 0);
        PROMISE(pool->rules.backoff.base <= pool->rules.backoff.max);
    }
    if (conf)
        try_show(conf);
    conf_messages_finish(&messages);
    conf_free(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size);
    bool is_unit = strncmp(text, "[Unit", 5) == 0 || strncmp(text, "[Serv", 5) == 0;

    try_text(text, is_unit ? "fuzz@in" : NULL);
    free(text);
    return 0;
}
