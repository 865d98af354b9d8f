/* SPDX-License-Identifier: MIT */
#pragma once

/* Parts of the worker program that fill files of their own. */

/* Appends one line of JSON to PATH (a FIFO or a file): everything that a supervised process can
 * say of itself, as the kernel tells it. */
void report_write(const char *path, int argc, char **argv);

/* "clone3=ENOSYS,close_range=EPERM": the system calls fail so from here on, for this process and
 * all its descendants, over exec. */
void refuse_calls(const char *list);
