/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* A seed for jitter: it need not be secret, only not the same in two processes. Never blocks. */
uint64_t seed_random(void);
