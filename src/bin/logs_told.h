/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the running supervisor tells `brood logs`: where the output of its pools is kept, and how
 * their files stood at one moment, with what was still in memory.
 */

#include "bin/logs_places.h"
#include "ctl/ctl.h"

struct logs_tail {
    struct tail tail;
    char *bytes, *name; /* name: of the log, "web.log" */
    int place;          /* index of its directory */
};

struct logs_told {
    struct ctl_call call;
    bool listens;   /* it has answered so far */
    char *fallback; /* its directory for pools that name none; NULL: unknown */
    struct logs_tail *tails;
    size_t n_tails;
    bool has_failed; /* some file did not answer */
};

/* `socket` as for ctl_call. */
struct logs_told logs_told_init(const char *socket);
void logs_told_finish(struct logs_told *told);

/* Asks where output is kept: fills in the pools. Where nobody answers, says so, unless nobody
 * listens at all. -ENOMEM. */
int logs_told_ask_places(struct logs_told *told, struct logs_places *places);

/*
 * Asks how the files of the wanted pools stand, as often as called; `goes_on`: without lines that
 * are not finished. -ENOMEM.
 */
int logs_told_ask_tails(struct logs_told *told, const struct logs_places *places,
    const struct query *query, bool goes_on);
