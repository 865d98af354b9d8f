/* SPDX-License-Identifier: MIT */
#pragma once

/* Capability names through libcap. */

#include <stdint.h>

/*
 * Reads a list such as "net_bind_service,CAP_SYS_NICE" into a mask; an empty list is no
 * capability. -EINVAL: the unknown name is left in `item`.
 */
int capability_parse(const char *list, uint64_t *ret_mask, char item[256]);

/* 10 → "cap_net_bind_service". Returns `buffer`. */
const char *capability_name(int capability, char buffer[64]);
