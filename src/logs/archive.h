/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The logs of a directory, and each log as one sequence of lines over all of its files: the rotated
 * ones, compressed or not, the oldest first, then the one that is written to. It goes on over
 * rotations that happen meanwhile.
 */

#include "logs/reader.h"

/*
 * Where brood keeps logs unless told otherwise: $LOGS_DIRECTORY (which systemd sets for a unit that
 * has LogsDirectory=), else /var/log/brood, or for others than root under $XDG_STATE_HOME. A
 * supervisor that is not the only one has a directory of its own in there, named after `socket`,
 * an absolute path, with "-" for "/" ("%2d" is a "-", "%25" a "%"); NULL: it is the one with the
 * default socket. -ENAMETOOLONG.
 */
int archive_default_directory(const char *socket, char *buffer, size_t size);

/* One log: a pool's, or in raw that of one worker and stream. */
struct archive {
    int directory; /* the caller's */
    char name[SEGMENT_NAME_MAX];
    struct entry origin; /* pool, and in raw worker and stream: what the name says */
    bool is_raw;
    struct tail *tail; /* the caller's; NULL: it is read as it is in the files */

    struct segment_list list;
    size_t at;                   /* the next of `list` */
    uint64_t next_sequence;      /* of the first file that has not been begun */
    struct reader *reader;       /* NULL: none open */
    bool ends_rotated;           /* the last of `list` is the tail's: there is nothing behind it */
    bool is_current;             /* it reads the file that is, or was, written to */
    char file[SEGMENT_NAME_MAX]; /* what it reads */
};

struct archive_list {
    struct archive *archives;
    size_t count;
};

/* Adds the logs of a directory, by name. The list is empty ({0}) before the first. */
int archive_list_add(int directory, struct archive_list *list);

/* Adds one log, whether it has files or not. */
int archive_list_add_log(int directory, const char *name, struct archive_list *list);

void archive_list_finish(struct archive_list *list);

/* Whether the file of its tail is among its files, and not packed yet. */
bool archive_has_tail(const struct archive *archive);

/*
 * Begins to read, leaving out files whose last line is older than `since` and those before number
 * `first` of the archive's list (0: none).
 */
int archive_begin(struct archive *archive, uint64_t since, size_t first);

/*
 * The next line: 1; 0: there is none now. Without `follow` the end is the end: an unfinished last
 * line is given as it is, and no new file is looked for.
 */
int archive_next(struct archive *archive, bool follow, struct entry **ret_entry);

/* Where it stands, for messages. */
const char *archive_file(const struct archive *archive);
