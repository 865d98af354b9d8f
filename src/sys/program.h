/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The file that a command names, as execvp(3) finds it: a name with a slash is taken as it is
 * (relative to `directory`; NULL: where we are), another one is looked up along `path`
 * (NULL: the system's default path). -ENOENT: there is no such file; -EACCES: there is, and it
 * cannot be executed. The result is absolute and the caller's to free.
 */
int program_find(const char *command, const char *path, const char *directory, char **ret_program);
