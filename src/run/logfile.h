/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A sink: a file that is appended to, rotated by size and by age, kept by count and by total size,
 * and compressed once it is rotated. The names are those of logs/segment.h; a rotation is one
 * rename, and lies between two lines.
 *
 * What can go wrong heals by itself: no room, a read-only file system, or a directory that has been
 * removed (it is made again) mean that lines wait until they can be written. A line that was torn
 * by a full disk is completed where it was torn. Another process that writes the same log is waited
 * for: two would rotate under each other.
 */

#include <sys/types.h>

#include "run/packer.h"
#include "run/sink.h"

struct logfile_settings {
    const char *directory; /* made where it is missing, with its parents */
    const char *name;      /* "web.log" */
    enum frame_format format;
    bool shared;           /* others write to it, too; a link to it is followed */
    mode_t mode;           /* 0: 0640 */
    mode_t directory_mode; /* 0: 0755 */
    uid_t uid;             /* -1: ours */
    gid_t gid;

    uint64_t max_size;     /* rotate before a file gets larger; 0: never */
    nsec_t max_age;        /* rotate what is older; 0: never */
    uint32_t max_files;    /* keep so many rotated ones; 0: all */
    uint64_t max_total;    /* keep so many bytes of them; 0: all */
    struct packer *packer; /* compresses with zstd where it is installed, else gzip; NULL: nobody */
};

/*
 * Why no log can be written in that directory, nor the directory be made (EACCES, EROFS, ENOTDIR);
 * 0: nothing is known against it. Makes nothing.
 */
int logfile_refusal(const char *directory);

/* Opens nothing yet: that is for the writer's thread. -ENOMEM, -ENAMETOOLONG. */
int logfile_new(const struct logfile_settings *settings, struct sink **ret_sink);
