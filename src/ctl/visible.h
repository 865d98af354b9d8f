/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Text from elsewhere for a terminal: control characters become \n, \x1b and the like, what is not
 * UTF-8 or would be a control character of eight bits becomes U+FFFD. Takes memory and gives
 * memory.
 */
char *visible_take(char *text);
