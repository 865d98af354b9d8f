/* SPDX-License-Identifier: MIT */
#pragma once

/* UTF-8 (RFC 3629), as far as text has to be checked and laid out. */

#include <stdbool.h>
#include <stddef.h>

/* Length of the sequence at `text`, 1 to 4, or 0 where there is none. */
size_t utf8_length(const char *text);

/* Whether a character of this length is none that is shown: below a space, DEL, U+0080 to U+009F.
 */
bool utf8_is_control(const char *text, size_t length);

/*
 * How many columns of a terminal a character of this length takes: 0 for marks that combine with
 * the one before, 2 for the wide ones of East Asia and pictures, else 1. Ranges, not tables: enough
 * to keep columns straight.
 */
unsigned utf8_columns(const char *text, size_t length);
