/* SPDX-License-Identifier: MIT */
#pragma once

/* What a configuration comes to, for people and for programs. */

#include <stdio.h>

#include "conf/conf.h"

/*
 * [Brood] and every pool, or one: each directive with its value, and before it as a comment where
 * it was said, or "default". The text reads back as the same configuration; what came from a unit
 * is shown as one.
 */
void conf_show(const struct conf *conf, const struct conf_pool *pool, FILE *out);

/* The same as one JSON object. */
void conf_show_json(const struct conf *conf, const struct conf_pool *pool, FILE *out);

/* "key":"value", or null. */
void conf_json_pair(FILE *out, const char *key, const char *value);
