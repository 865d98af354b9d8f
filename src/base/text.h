/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Strict readers for what people write: numbers, durations, sizes, lists. Each takes the whole
 * text or nothing: trailing garbage, overflow and empty text are -EINVAL or -ERANGE, and the result
 * is written on success only. None depends on the locale.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/nsec.h"

/* Decimal digits only, from `min` to `max`. -EINVAL: not a number; -ERANGE: out of bounds. */
int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* As above with an optional sign. */
int text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value);

/* Octal digits, up to 07777 (a file mode, a umask). */
int text_parse_mode(const char *text, unsigned *ret_mode);

/*
 * A duration as systemd.time(7) writes them: "100ms", "1.5s", "1min 30s", "2h"; a bare number is
 * seconds; "infinity" is NSEC_NEVER.
 */
int text_parse_duration(const char *text, nsec_t *ret_duration);

/* Bytes with an optional binary suffix: "4096", "64K", "1.5M", "2G", "1T". */
int text_parse_size(const char *text, uint64_t *ret_bytes);

/* "10%" or "0.1" → 100 (thousandths), at most `max` thousandths. */
int text_parse_permille(const char *text, unsigned max, unsigned *ret_permille);

/*
 * Cuts the next item of a list into `item`; items are separated by blanks, or by one comma. Returns
 * 1 with an item, 0 at the end, -EINVAL for an empty item ("a,,b", "a,"), -ENAMETOOLONG when it
 * does not fit.
 */
int text_next_item(const char **cursor, char *item, size_t size);

/* Writes a duration for people ("1.5s", "200ms", "2min 3s") and returns `buffer`. */
const char *text_format_duration(nsec_t duration, char buffer[32]);

/* Writes a size for people ("512B", "81.2M") and returns `buffer`. */
const char *text_format_size(uint64_t bytes, char buffer[32]);

/*
 * How many single edits (insert, delete, replace, swap neighbours) lead from a to b: the optimal
 * string alignment distance. Words longer than 63 characters count as far apart.
 */
unsigned text_distance(const char *a, const char *b);

/* True when `candidate` is near enough to `word` to be suggested for it. */
int text_is_near(unsigned distance, const char *word);

/*
 * Cuts "no, on-failure or always" into its words, in place; 0: it is prose ("a number from 1 to
 * 9"), or has more than `max`.
 */
size_t text_split_choices(char *choices, const char *words[], size_t max);

/* "; did you mean 'always'?" where one of such choices is near, else "". Returns `buffer`. */
const char *text_suggest_choice(const char *word, const char *choices, char buffer[64]);

/* The one of `words` that `word` may have been meant to be, or is the beginning of; NULL: none. */
const char *text_nearest(const char *word, const char *const *words, size_t n_words);
