/* SPDX-License-Identifier: MIT */

/* base/text: numbers, durations, sizes, lists, distances; base/base64. */

#include "base/base64.h"
#include "base/text.h"
#include "fuzz.h"

static void try_numbers(const char *text) {
    uint64_t number = 77;
    int64_t integer = 77;
    unsigned small = 77;

    PROMISE(
        text_parse_u64(text, 3, 1000, &number) < 0 ? number == 77 : number >= 3 && number <= 1000);
    PROMISE(
        text_parse_i64(text, -5, 5, &integer) < 0 ? integer == 77 : integer >= -5 && integer <= 5);
    PROMISE(text_parse_mode(text, &small) < 0 ? small == 77 : small <= 07777);
    small = 77;
    PROMISE(text_parse_permille(text, 1000, &small) < 0 ? small == 77 : small <= 1000);
    number = 77;
    PROMISE(text_parse_size(text, &number) == 0 || number == 77);
}

/* What is read can be written, and what is written read again. */
static void try_duration(const char *text) {
    nsec_t duration = 77, back = 0;
    char buffer[32];

    if (text_parse_duration(text, &duration) < 0) {
        PROMISE(duration == 77);
        return;
    }
    text_format_duration(duration, buffer);
    PROMISE(text_parse_duration(buffer, &back) == 0 && back <= duration);
}

static void try_list(const char *text) {
    const char *cursor = text, *end = text + strlen(text);
    char item[12];

    for (;;) {
        const char *before = cursor;
        int r = text_next_item(&cursor, item, sizeof(item));

        PROMISE(cursor >= before && cursor <= end);
        if (r <= 0)
            break;
        PROMISE(strlen(item) > 0 && strlen(item) < sizeof(item) && !strpbrk(item, ", \t\n"));
        PROMISE(cursor > before);
    }
}

/* What is read is what is written. */
static void try_base64(const char *text) {
    size_t length = strlen(text), n = SIZE_MAX;
    char *bytes = malloc(BASE64_DECODED(length) + 1);
    struct buffer again = {.data = malloc(length + 1), .size = length + 1};

    if (!bytes || !again.data)
        abort();
    if (base64_decode(text, length, bytes, &n) == 0) {
        again.data[0] = '\0';
        buffer_add_base64(&again, bytes, n);
        PROMISE(n <= BASE64_DECODED(length) && !again.cut && strcmp(again.data, text) == 0);
    }
    free(bytes);
    free(again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size);
    size_t half = strlen(text) / 2;

    try_numbers(text);
    try_duration(text);
    try_list(text);
    try_base64(text);
    PROMISE(text_distance(text, text + half) == text_distance(text + half, text));
    free(text);
    return 0;
}
