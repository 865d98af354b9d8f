/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The interface io.brood (io.brood.varlink, whose text is in the binary) and what every Varlink
 * service tells about itself: org.varlink.service.
 */

#include "wire/varlink.h"

#define BROOD_INTERFACE "io.brood"

/* Errors of io.brood: name, as in the file. */
#define BROOD_NO_SUCH_POOL      "io.brood.NoSuchPool"
#define BROOD_NO_SUCH_WORKER    "io.brood.NoSuchWorker"
#define BROOD_PERMISSION_DENIED "io.brood.PermissionDenied"
#define BROOD_BUSY              "io.brood.Busy"
#define BROOD_INVALID_CONFIG    "io.brood.InvalidConfig"
#define BROOD_TIMED_OUT         "io.brood.TimedOut"
#define BROOD_NOT_POSSIBLE      "io.brood.NotPossible"

/* The text of the file. */
extern const char interface_io_brood[];

/* Answers a method of org.varlink.service; false when the call is for somebody else. */
bool interface_answer(const struct varlink_call *call, const char *version, struct queue *queue);

/* The error for a method that neither interface has: which part of its name is unknown. */
void interface_refuse(const struct varlink_call *call, struct queue *queue);
