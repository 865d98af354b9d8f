/* SPDX-License-Identifier: MIT */
#pragma once

/* The few macros that every floor shares. */

#include <stddef.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define MIN(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) min_a = (a);                                                                 \
        __typeof__(b) min_b = (b);                                                                 \
        min_a < min_b ? min_a : min_b;                                                             \
    })

#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) max_a = (a);                                                                 \
        __typeof__(b) max_b = (b);                                                                 \
        max_a > max_b ? max_a : max_b;                                                             \
    })

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Runs FUNCTION(&variable) when the variable goes out of scope. */
#define cleanup(function) __attribute__((cleanup(function)))

/*
 * What an idle supervisor goes through between two waits. The linker puts it side by side, so that
 * it takes few pages of memory while nothing happens.
 */
#define idle_path __attribute__((hot))

#define printf_like(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Hands a pointer on to a new owner: the old variable forgets it. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(pointer) take_value = (pointer);                                                \
        (pointer) = NULL;                                                                          \
        take_value;                                                                                \
    })
