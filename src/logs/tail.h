/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How a log went on at one moment, as told by who writes it: which file it was and how far it had
 * been written, and the bytes that were to stand behind that and are in memory only. A log that is
 * read with a tail ends there; or it goes on, and what is then found in the files, as it was told,
 * is passed over.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tail {
    uint64_t device, inode; /* inode 0: there was no file */
    uint64_t size;
    const char *bytes;
    size_t n_pending; /* the first of them will be in the files */
    size_t length;    /* all that are to be shown */
    bool goes_on;     /* no more than these, to the end of a line: see tail_go_on() */

    /* Where reading is. */
    bool is_met;    /* the file has been found, or it is clear that there is none */
    size_t matched; /* bytes that have been found in the files since */
};

/* The log goes on: what is no whole line yet is told when it is one. */
static inline void tail_go_on(struct tail *tail) {
    while (tail->n_pending > 0 && tail->bytes[tail->n_pending - 1] != '\n')
        tail->n_pending--;
    tail->length = tail->n_pending;
    tail->goes_on = true;
}
