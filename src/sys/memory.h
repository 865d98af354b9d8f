/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Lets go of the pages of code and constants that are mapped now, ours and those of the libraries.
 * What goes on being needed comes back from the page cache, a few pages at a time; what only the
 * start needed (options, lookups, the dynamic linker) does not. For a process that will live long.
 */
void memory_release_code(void);
