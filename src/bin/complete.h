/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What may come next on a command line of brood, for the shells: worked out from what the commands
 * say of themselves (--help=words), the supervisor that runs, and the table of directives. A
 * candidate is a line, with a tab and what it means; a line that begins with ":" tells what the
 * shell knows better (:files, :directories, :users, :groups, and ":command N": from the N-th word
 * on it is another command's line).
 */

/* `words` are those after "brood"; the last one is under way, and may be empty. */
void complete_print(int n_words, char **words);
