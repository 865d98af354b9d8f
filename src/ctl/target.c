/* SPDX-License-Identifier: MIT */
#include "ctl/target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int target_parse(const struct ctl_call *call, const char *word, struct target *ret_target) {
    const char *slash = strrchr(word, '/');
    size_t length = slash ? (size_t)(slash - word) : strlen(word);
    uint64_t worker = 0;

    if (length == 0 || length >= sizeof(ret_target->pool) ||
        (slash && text_parse_u64(slash + 1, 0, UINT32_MAX, &worker) < 0)) {
        ctl_say(
            call, "expected POOL or POOL/N, a pool's name and a worker's number, not '%s'", word);
        return CTL_USAGE;
    }
    memcpy(ret_target->pool, word, length);
    ret_target->pool[length] = '\0';
    ret_target->worker = slash ? (long long)worker : TARGET_ALL;
    return CTL_OK;
}

static void add(struct target_list *list, json_t *parameters) {
    list->parameters =
        ctl_must(reallocarray(list->parameters, list->count + 1, sizeof(*list->parameters)));
    list->parameters[list->count++] = ctl_must(parameters);
}

static int add_targets(
    const struct ctl_call *call, size_t n_words, json_t *pools, struct target_list *list) {
    for (size_t i = 0; i < n_words; i++) {
        struct target target;
        int status = target_parse(call, call->words[i], &target);

        if (status != CTL_OK)
            return status;
        if (target.worker == TARGET_ALL)
            json_array_append_new(pools, json_string(target.pool));
        else
            add(list, json_pack("{s:[s], s:I}", "pools", target.pool, "worker",
                          (json_int_t)target.worker));
    }
    return CTL_OK;
}

int target_list_make(const struct ctl_call *call, size_t n_words, struct target_list *ret_list) {
    if (call->all != (n_words == 0)) {
        ctl_say(call, call->all ? "--all and names of pools exclude each other"
                                : "which one? POOL…, POOL/N…, or --all");
        return CTL_USAGE;
    }
    *ret_list = (struct target_list){0};
    json_t *pools = ctl_must(json_array());
    int status = add_targets(call, n_words, pools, ret_list);
    if (status == CTL_OK && (json_array_size(pools) > 0 || ret_list->count == 0))
        add(ret_list, json_pack("{s:O}", "pools", pools));
    json_decref(pools);
    if (status != CTL_OK)
        target_list_finish(ret_list);
    return status;
}

void target_list_finish(struct target_list *list) {
    for (size_t i = 0; i < list->count; i++)
        json_decref(list->parameters[i]);
    free(list->parameters);
    *list = (struct target_list){0};
}
