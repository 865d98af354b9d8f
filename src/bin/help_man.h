/* SPDX-License-Identifier: MIT */
#pragma once

/* A command's help as a man page: man(7) macros on standard output. */

#include "bin/help.h"

void help_print_man(const struct help *help, const struct option_table *tables, size_t n_tables);

/* The parts that brood.conf(5) is made of, too. */
void man_begin(const char *name, const char *section, const char *brief);
void man_section(const char *heading);
void man_subsection(const char *heading);
void man_text(const char *text); /* paragraphs are parted by an empty line; other breaks are soft */
void man_term(const char *term); /* bold, indented; its text follows */
void man_literal(const char *text);
