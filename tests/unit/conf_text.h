/* SPDX-License-Identifier: MIT */
#pragma once

/* A configuration out of a string, and what is said about it. */

#include "conf/conf.h"

/* As an INI file "t.conf"; fails the test where it has errors. */
struct conf *conf_of(const char *text);

/* As "NAME.service". */
struct conf *conf_of_unit(const char *name, const char *text);

/* The messages of a text, one a line, errors or not; valid until the next call. */
const char *conf_messages_of(const char *text);
const char *conf_messages_of_unit(const char *name, const char *text);

/* The same with "[Pool p]\nExecStart=/bin/true\n" before it. */
struct conf *conf_of_pool(const char *lines);
const char *conf_messages_of_pool(const char *lines);
