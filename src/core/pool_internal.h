/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the files of the pool: pool.c, pool_roll.c. */

#include "core/pool.h"

/* pool.c: seats. */
void pool_set_role(struct pool *pool, struct seat *seat, enum seat_role role);
uint32_t pool_take_seat(struct pool *pool, uint32_t number, enum seat_role role);

/* The seat holds its place no longer, or will never; free at once where nothing lives in it. */
void pool_retire(struct pool *pool, uint32_t index);

/* pool_roll.c: what a step means for what is due. */

/* A stop or a restart by hand: the seat's place is not to be replaced any more. */
void pool_roll_overrule(struct pool *pool, uint32_t index);
void pool_roll_follow(struct pool *pool, uint32_t index, struct outbox *outbox);
void pool_roll_check(struct pool *pool, struct outbox *outbox);

/* The place is not due any more, and the roll does not wait for it. */
void pool_pass_over(struct pool *pool, uint32_t number);

static inline void pool_report(struct outbox *outbox, enum report_kind kind, uint32_t number) {
    outbox_push(outbox, ACTION_REPORT, number)->report =
        (struct report){.kind = kind, .worker = number};
}
