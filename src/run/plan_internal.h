/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files that make a plan. */

#include "run/plan.h"

#define PLAN_STATUS_USAGE    2
#define PLAN_STATUS_INTERNAL 125

/* Fills the error and returns `code`. */
int plan_fail(struct plan_error *error, int status, int code, const char *format, ...)
    printf_like(4, 5);

int plan_template(const char *text, bool literal, struct template *ret_template);

/* Merges what is inherited, read from files, set and unset. */
int plan_environment(struct plan *plan, const struct plan_spec *spec, struct plan_error *error);

/* The value of a variable in the merged environment, or NULL. */
const char *plan_variable(const struct plan *plan, const char *name);

size_t plan_scratch_size(const struct plan *plan);
