/* SPDX-License-Identifier: MIT */
#include "wire/fields.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_texts(const json_t *value) {
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return true;
}

static nsec_t seconds_of(const json_t *value) {
    double nanoseconds = json_number_value(value) * (double)NSEC_PER_SEC;

    return nanoseconds < (double)NSEC_NEVER ? (nsec_t)nanoseconds : NSEC_NEVER;
}

static bool read_value(json_t *value, enum field_type type, void *into) {
    json_int_t number = json_integer_value(value);

    switch (type) {
    case FIELD_TEXT:
        if (json_is_string(value))
            *(const char **)into = json_string_value(value);
        return json_is_string(value);
    case FIELD_TEXTS:
        if (is_texts(value))
            *(json_t **)into = value;
        return is_texts(value);
    case FIELD_BOOL:
        if (json_is_boolean(value))
            *(bool *)into = json_is_true(value);
        return json_is_boolean(value);
    case FIELD_INTEGER:
    case FIELD_NUMBER:
        if (!json_is_integer(value) ||
            (type == FIELD_NUMBER && (number < 0 || number > UINT32_MAX)))
            return false;
        *(int64_t *)into = number;
        return true;
    case FIELD_SECONDS:
        if (!json_is_number(value) || json_number_value(value) < 0)
            return false;
        *(nsec_t *)into = seconds_of(value);
        return true;
    }
    return false;
}

static const struct field *find_field(const char *name, const struct field *fields, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

int fields_read(const json_t *parameters, const struct field *fields, size_t n_fields, void *into,
    const char **ret_fault) {
    const char *name;
    json_t *value;

    for (size_t i = 0; i < n_fields; i++) {
        value = json_object_get(parameters, fields[i].name);
        *ret_fault = fields[i].name;
        if (!value || json_is_null(value)) {
            if (fields[i].required)
                return -EINVAL;
        } else if (!read_value(value, fields[i].type, (char *)into + fields[i].offset))
            return -EINVAL;
    }
    json_object_foreach((json_t *)(uintptr_t)parameters, name, value) {
        *ret_fault = name;
        if (!find_field(name, fields, n_fields))
            return -EINVAL;
    }
    return 0;
}
