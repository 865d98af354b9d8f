/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the fuzz targets share. A target is one file with one entry, libFuzzer's; it aborts when a
 * promise is broken, and leaves the rest to the sanitizers. README.md says how to run one.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("broken promise: %s, %s:%d\n", #condition, __FILE__, __LINE__);                 \
            fflush(stdout);                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input as a string, without a byte to spare; the caller's to free. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);

    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
