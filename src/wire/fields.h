/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Parameters of a call, read by a table into a struct. A member that is missing or null leaves what
 * is there; one of another type, one out of range and one that the table does not know are refused
 * by name.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/nsec.h"

enum field_type {
    FIELD_TEXT,    /* const char *, good as long as the message */
    FIELD_TEXTS,   /* json_t *, an array of nothing but text, good as long as the message */
    FIELD_BOOL,    /* bool */
    FIELD_INTEGER, /* int64_t */
    FIELD_NUMBER,  /* int64_t, 0 to UINT32_MAX */
    FIELD_SECONDS, /* nsec_t: a number of seconds that is not negative; saturates */
};

struct field {
    const char *name;
    enum field_type type;
    bool required;
    size_t offset;
};

/* 0, or -EINVAL with the name of the member at fault. `parameters` may be NULL: an empty object. */
int fields_read(const json_t *parameters, const struct field *fields, size_t n_fields, void *into,
    const char **ret_fault);
