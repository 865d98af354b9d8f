/* SPDX-License-Identifier: MIT */

/* scale: another number of workers, or so many more or fewer. */

#include <string.h>

#include "base/text.h"
#include "ctl/request.h"

int ctl_scale(const struct ctl_call *call) {
    struct target target;
    int64_t number;

    if (call->n_words != 2) {
        ctl_say(call, "expected a pool and a number: N, +N or -N");
        return CTL_USAGE;
    }
    const char *word = call->words[1];
    int status = target_parse(call, call->words[0], &target);
    if (status != CTL_OK)
        return status;
    if (target.worker != TARGET_ALL) {
        ctl_say(call, "'%s' is one worker; what is scaled is a pool", call->words[0]);
        return CTL_USAGE;
    }
    if (text_parse_i64(word, -(int64_t)UINT32_MAX, UINT32_MAX, &number) < 0) {
        ctl_say(call, "expected a number of workers, N, +N or -N, not '%s'", word);
        return CTL_USAGE;
    }
    const char *key = *word == '+' || *word == '-' ? "by" : "workers";
    return request_run_one_take(call, "io.brood.Scale", REQUEST_WAITS,
        json_pack("{s:s, s:I}", "pool", target.pool, key, (json_int_t)number));
}
