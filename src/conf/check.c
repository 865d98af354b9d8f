/* SPDX-License-Identifier: MIT */

/* Whether a configuration that can be read could be started, too. */

#include <errno.h>

#include "conf/internal.h"

static int check_command(const struct conf_pool *pool, const struct conf_command *command,
    struct conf_messages *messages) {
    struct plan_spec spec = conf_pool_plan(pool, command);
    struct plan_error error;
    struct plan *plan;
    int r = plan_new(&spec, &plan, &error);

    if (r == 0) {
        plan_free(plan);
        return 0;
    }
    if (r == -ENOMEM)
        return r;
    return conf_message_add(messages, command->tolerated ? CONF_WARNING : CONF_ERROR,
        command->origin.file, command->origin.line, "%s", error.text);
}

static int check_commands(const struct conf_pool *pool, const struct conf_commands *commands,
    struct conf_messages *messages) {
    int r = 0;

    for (size_t i = 0; i < commands->count && r == 0; i++)
        r = check_command(pool, &commands->list[i], messages);
    return r;
}

int conf_find_owner(const struct conf_pool *pool, const char *what, const char *user,
    const char *group, struct identity *ret_owner, struct conf_messages *messages) {
    char item[256];
    const char *kind;
    int r = identity_resolve(user, group, NULL, ret_owner, item, &kind);

    if (r != -ENOENT)
        return r;
    r = conf_message_add(messages, CONF_ERROR, pool->origin.file, pool->origin.line,
        "pool %s: %s '%s' of %s does not exist", pool->name, kind, item, what);
    return r < 0 ? r : -EBADMSG;
}

static int check_owners(const struct conf_pool *pool, struct conf_messages *messages) {
    const struct {
        const char *what, *user, *group;
    } owners[] = {
        {"its sockets", pool->listens.user, pool->listens.group},
        {"its logs", pool->log.user, pool->log.group},
    };

    for (size_t i = 0; i < ELEMENTS(owners); i++) {
        struct identity owner;
        int r = conf_find_owner(
            pool, owners[i].what, owners[i].user, owners[i].group, &owner, messages);

        if (r == 0)
            identity_finish(&owner);
        else if (r != -EBADMSG)
            return r;
    }
    return 0;
}

static int check_pool(const struct conf_pool *pool, struct conf_messages *messages) {
    const struct conf_commands *const kinds[] = {
        &pool->pre, &pool->post, &pool->reload, &pool->stop_post};
    int r = check_command(pool, &pool->start, messages);

    for (size_t i = 0; i < ELEMENTS(kinds) && r == 0; i++)
        r = check_commands(pool, kinds[i], messages);
    return r < 0 ? r : check_owners(pool, messages);
}

int conf_check(const struct conf *conf, struct conf_messages *messages) {
    int r = 0;

    for (size_t i = 0; i < conf_n_pools(conf) && r == 0; i++)
        r = check_pool(conf_pool_at(conf, i), messages);
    return r;
}
