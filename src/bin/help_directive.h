/* SPDX-License-Identifier: MIT */
#pragma once

/* What the table of directives says about one of them, on standard output. */

#include <stdbool.h>

/* "Restart" or "Restart="; false: there is none of this name, and nothing was printed. */
bool help_directive(const char *name);

/* All names under their headings. */
void help_directives(void);

/* The man page brood.conf(5). */
void help_print_conf_man(void);
