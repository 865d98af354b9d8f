/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"

#define DISTANCE_MAX_WORD 63

/* Reads digits; at least one. Returns 0, -EINVAL or -ERANGE, and moves the cursor past them. */
static int read_digits(const char **cursor, uint64_t *ret_value) {
    const char *p = *cursor;
    uint64_t value = 0;

    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    *cursor = p;
    *ret_value = value;
    return 0;
}

int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value) {
    uint64_t value;
    int r = read_digits(&text, &value);

    if (r < 0)
        return r;
    if (*text != '\0')
        return -EINVAL;
    if (value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value) {
    bool negative = *text == '-';
    uint64_t magnitude;
    int r;

    if (*text == '-' || *text == '+')
        text++;
    r = text_parse_u64(text, 0, INT64_MAX, &magnitude);
    if (r < 0)
        return r;
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int text_parse_mode(const char *text, unsigned *ret_mode) {
    unsigned mode = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7')
            return -EINVAL;
        mode = mode * 8 + (unsigned)(*text - '0');
        if (mode > 07777)
            return -ERANGE;
    }
    *ret_mode = mode;
    return 0;
}

/* value × unit, where value is digits with an optional fraction of up to nine digits. */
static int read_scaled(const char **cursor, uint64_t *ret_whole, uint64_t *ret_billionths) {
    uint64_t scale = 100000000;
    int r = read_digits(cursor, ret_whole);

    *ret_billionths = 0;
    if (r < 0 || **cursor != '.')
        return r;
    (*cursor)++;
    if (!isdigit((unsigned char)**cursor))
        return -EINVAL;
    for (; isdigit((unsigned char)**cursor); (*cursor)++, scale /= 10)
        *ret_billionths += (uint64_t)(**cursor - '0') * scale;
    return 0;
}

static int scale_by(uint64_t whole, uint64_t billionths, uint64_t unit, uint64_t *ret_value) {
    uint64_t value;
    uint64_t part = (uint64_t)((double)billionths * (double)unit / 1e9);

    if (__builtin_mul_overflow(whole, unit, &value) || __builtin_add_overflow(value, part, &value))
        return -ERANGE;
    *ret_value = value;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit *unit_find(const struct unit *units, size_t n_units, const char **cursor) {
    const struct unit *found = NULL;
    size_t length = 0;

    while (isalpha((unsigned char)(*cursor)[length]))
        length++;
    for (size_t i = 0; i < n_units && !found; i++)
        if (strlen(units[i].name) == length && strncmp(units[i].name, *cursor, length) == 0)
            found = &units[i];
    *cursor += length;
    return found;
}

int text_parse_duration(const char *text, nsec_t *ret_duration) {
    static const struct unit units[] = {
        {"", NSEC_PER_SEC},
        {"ns", 1},
        {"nsec", 1},
        {"us", NSEC_PER_USEC},
        {"usec", NSEC_PER_USEC},
        {"ms", NSEC_PER_MSEC},
        {"msec", NSEC_PER_MSEC},
        {"s", NSEC_PER_SEC},
        {"sec", NSEC_PER_SEC},
        {"second", NSEC_PER_SEC},
        {"seconds", NSEC_PER_SEC},
        {"m", 60 * NSEC_PER_SEC},
        {"min", 60 * NSEC_PER_SEC},
        {"minute", 60 * NSEC_PER_SEC},
        {"minutes", 60 * NSEC_PER_SEC},
        {"h", 3600 * NSEC_PER_SEC},
        {"hr", 3600 * NSEC_PER_SEC},
        {"hour", 3600 * NSEC_PER_SEC},
        {"hours", 3600 * NSEC_PER_SEC},
        {"d", 86400 * NSEC_PER_SEC},
        {"day", 86400 * NSEC_PER_SEC},
        {"days", 86400 * NSEC_PER_SEC},
        {"w", 604800 * NSEC_PER_SEC},
        {"week", 604800 * NSEC_PER_SEC},
        {"weeks", 604800 * NSEC_PER_SEC},
    };
    nsec_t total = 0;

    if (strcmp(text, "infinity") == 0) {
        *ret_duration = NSEC_NEVER;
        return 0;
    }
    do {
        uint64_t whole, billionths, part;
        int r = read_scaled(&text, &whole, &billionths);

        if (r < 0)
            return r;
        const struct unit *unit = unit_find(units, ELEMENTS(units), &text);
        if (!unit)
            return -EINVAL;
        r = scale_by(whole, billionths, unit->factor, &part);
        if (r < 0 || __builtin_add_overflow(total, part, &total))
            return -ERANGE;
        while (*text == ' ')
            text++;
    } while (*text != '\0');
    *ret_duration = total;
    return 0;
}

int text_parse_size(const char *text, uint64_t *ret_bytes) {
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"K", UINT64_C(1) << 10},
        {"M", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30},
        {"T", UINT64_C(1) << 40},
        {"P", UINT64_C(1) << 50},
    };
    uint64_t whole, billionths;
    int r = read_scaled(&text, &whole, &billionths);

    if (r < 0)
        return r;
    const struct unit *unit = unit_find(units, ELEMENTS(units), &text);
    if (!unit || *text != '\0')
        return -EINVAL;
    return scale_by(whole, billionths, unit->factor, ret_bytes);
}

int text_parse_permille(const char *text, unsigned max, unsigned *ret_permille) {
    uint64_t whole, billionths, permille;
    int r = read_scaled(&text, &whole, &billionths);
    bool percent = *text == '%';

    if (r < 0)
        return r;
    if (text[percent] != '\0')
        return -EINVAL;
    r = scale_by(whole, billionths, percent ? 10 : 1000, &permille);
    if (r < 0 || permille > max)
        return -ERANGE;
    *ret_permille = (unsigned)permille;
    return 0;
}

static const char *skip_blanks(const char *text) {
    while (*text == ' ' || *text == '\t' || *text == '\n')
        text++;
    return text;
}

int text_next_item(const char **cursor, char *item, size_t size) {
    const char *begin = skip_blanks(*cursor);
    size_t length = strcspn(begin, ", \t\n");

    if (*begin == '\0')
        return 0;
    if (length == 0)
        return -EINVAL;
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(item, begin, length);
    item[length] = '\0';

    const char *end = skip_blanks(begin + length);
    *cursor = *end == ',' ? skip_blanks(end + 1) : end;
    return *end == ',' && **cursor == '\0' ? -EINVAL : 1;
}

const char *text_format_duration(nsec_t duration, char buffer[32]) {
    uint64_t seconds = duration / NSEC_PER_SEC;

    if (duration == NSEC_NEVER)
        snprintf(buffer, 32, "infinity");
    else if (duration < NSEC_PER_MSEC)
        snprintf(buffer, 32, "%uus", (unsigned)(duration / NSEC_PER_USEC));
    else if (duration < NSEC_PER_SEC)
        snprintf(buffer, 32, "%ums", (unsigned)(duration / NSEC_PER_MSEC));
    else if (seconds < 60)
        snprintf(buffer, 32, "%u.%us", (unsigned)seconds,
            (unsigned)(duration % NSEC_PER_SEC / (100 * NSEC_PER_MSEC)));
    else if (seconds < 3600)
        snprintf(buffer, 32, "%umin %us", (unsigned)seconds / 60, (unsigned)seconds % 60);
    else if (seconds < 86400)
        snprintf(buffer, 32, "%uh %umin", (unsigned)seconds / 3600, (unsigned)seconds / 60 % 60);
    else
        snprintf(
            buffer, 32, "%ud %uh", (unsigned)(seconds / 86400), (unsigned)(seconds / 3600 % 24));
    return buffer;
}

const char *text_format_size(uint64_t bytes, char buffer[32]) {
    static const char suffixes[] = "BKMGTPE";
    uint64_t tenths = bytes, whole = bytes;
    size_t i = 0;

    for (; whole >= 1000; i++) {
        tenths = whole > UINT64_MAX / 10 ? whole / 1024 * 10 : whole * 10 / 1024;
        whole = tenths / 10;
    }
    if (i == 0 || whole >= 100)
        snprintf(buffer, 32, "%u%c", (unsigned)whole, suffixes[i]);
    else
        snprintf(buffer, 32, "%u.%u%c", (unsigned)whole, (unsigned)(tenths % 10), suffixes[i]);
    return buffer;
}

unsigned text_distance(const char *a, const char *b) {
    unsigned char rows[3][DISTANCE_MAX_WORD + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > DISTANCE_MAX_WORD || m > DISTANCE_MAX_WORD)
        return DISTANCE_MAX_WORD;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned char *now = rows[i % 3], *above = rows[(i + 2) % 3], *two_up = rows[(i + 1) % 3];

        now[0] = (unsigned char)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

            best = MIN(best, above[j] + 1U);
            best = MIN(best, now[j - 1] + 1U);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, two_up[j - 2] + 1U);
            now[j] = (unsigned char)best;
        }
    }
    return rows[n % 3][m];
}

int text_is_near(unsigned distance, const char *word) {
    return distance <= MAX(1U, (unsigned)strlen(word) / 3);
}

const char *text_nearest(const char *word, const char *const *words, size_t n_words) {
    const char *best = NULL;
    unsigned best_distance = UINT_MAX;

    for (size_t i = 0; i < n_words; i++) {
        bool is_prefix = strncmp(word, words[i], strlen(word)) == 0;
        unsigned distance = is_prefix ? 1 : text_distance(word, words[i]);

        if (distance < best_distance && text_is_near(distance, word)) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}

size_t text_split_choices(char *choices, const char *words[], size_t max) {
    size_t count = 0;
    char *item;

    while ((item = strsep(&choices, ","))) {
        item += strspn(item, " ");
        char *last = strstr(item, " or ");

        if (last) {
            *last = '\0';
            last += strlen(" or ");
        }
        if (count + 2 > max || strchr(item, ' ') || (last && strchr(last, ' ')))
            return 0;
        words[count++] = item;
        if (last)
            words[count++] = last;
    }
    return count > 1 ? count : 0;
}

const char *text_suggest_choice(const char *word, const char *choices, char buffer[64]) {
    const char *words[16], *nearest;
    char copy[256];

    buffer[0] = '\0';
    if (strlen(choices) >= sizeof(copy) || *word == '\0')
        return buffer;
    strcpy(copy, choices);
    nearest = text_nearest(word, words, text_split_choices(copy, words, ELEMENTS(words)));
    if (nearest)
        snprintf(buffer, 64, "; did you mean '%s'?", nearest);
    return buffer;
}
