/* SPDX-License-Identifier: MIT */
#pragma once

/* From the lines of a file to what they say about whom. Values are not looked at yet. */

#include "conf/internal.h"

struct section_reader {
    struct arena *arena;
    struct conf_messages *messages;
    struct sections *sections;
};

/*
 * Takes the text of a file, which is written to. `service`: the pool that it is about, where it is
 * a .service file or a drop-in of one. -ENOMEM; mistakes go to the messages.
 */
int sections_read(struct section_reader *reader, char *text, const char *file, const char *service);

/* A name that a pool may have. */
bool sections_is_name(const char *name);
