/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Reads one file of a log, line by line; a compressed one through the program that knows how.
 * A file that is still written to can be asked again after it has ended.
 */

#include "logs/entry.h"
#include "logs/segment.h"
#include "logs/tail.h"

struct reader;

/*
 * Opens a file of a directory. `origin` is what is known of lines that do not say it themselves.
 * -ENOENT; -ENOEXEC: the program to unpack it is not there.
 */
int reader_open(int directory, const char *file, enum segment_packing packing,
    const struct entry *origin, struct reader **ret_reader);

/*
 * The file, just opened, is one of a log with that tail: it ends with it if it is the tail's, or
 * in any case with `is_last`. What the tail has told already is passed over.
 */
void reader_set_tail(struct reader *reader, struct tail *tail, bool is_last);

/* Accepts NULL; returns NULL. */
struct reader *reader_free(struct reader *reader);

/*
 * The next line: 1, good until the next call; 0: there is none now; negative: it cannot be read any
 * further. With `to_end`, what is left without a newline at the end is a line, too.
 */
int reader_next(struct reader *reader, bool to_end, struct entry **ret_entry);

/* Whether that is the file which the name means now. */
bool reader_is(const struct reader *reader, int directory, const char *file);
