/* SPDX-License-Identifier: MIT */
#pragma once

/* Text from elsewhere for a terminal, as buffer_add_visible() has it. Takes memory and gives
 * memory. */
char *visible_take(char *text);
