/* SPDX-License-Identifier: MIT */
#pragma once

/* UTF-8 (RFC 3629), as far as text has to be checked and laid out. */

#include <stddef.h>

/* Length of the sequence at `text`, 1 to 4, or 0 where there is none. */
size_t utf8_length(const char *text);

/*
 * How many columns of a terminal a character of this length takes: 0 for marks that combine with
 * the one before, 2 for the wide ones of East Asia and pictures, else 1. Ranges, not tables: enough
 * to keep columns straight.
 */
unsigned utf8_columns(const char *text, size_t length);
