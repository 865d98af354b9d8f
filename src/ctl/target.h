/* SPDX-License-Identifier: MIT */
#pragma once

/* POOL or POOL/N, as users write it. */

#include "ctl/ctl.h"
#include "wire/varlink.h"

#define TARGET_ALL (-1)

struct target {
    char pool[256];
    long long worker; /* TARGET_ALL: of the whole pool */
};

/* Tells and returns CTL_USAGE when it is neither. */
int target_parse(const struct ctl_call *call, const char *word, struct target *ret_target);

/*
 * The targets of a call as parameters for as few calls as will do: whole pools in one, and one for
 * each worker, since a method takes one number. Those that can run side by side do.
 */
struct target_list {
    json_t **parameters;
    size_t count;
};

/* From the first `n_words` words; with --all, and only then, there are none. */
int target_list_make(const struct ctl_call *call, size_t n_words, struct target_list *ret_list);
void target_list_finish(struct target_list *list);
