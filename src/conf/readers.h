/* SPDX-License-Identifier: MIT */
#pragma once

/* Readers for the fields of option tables: text in, one typed field out, negative when it is not.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "run/log_settings.h"
#include "run/plan.h"

/* Fields that know whether they were given. */
struct given_mode {
    bool given;
    mode_t value;
};

struct given_integer {
    bool given;
    int value;
};

struct given_cpus {
    bool given;
    cpu_set_t value;
};

int read_text(const char *text, void *field);     /* const char * */
int read_word(const char *text, void *field);     /* struct word_list: appends */
int read_duration(const char *text, void *field); /* nsec_t */
int read_count(const char *text, void *field);    /* uint64_t, from 0 */
int read_signal(const char *text, void *field);   /* int */
int read_signals(const char *text, void *field);  /* uint64_t, a mask; "none" is empty */
int read_mode(const char *text, void *field);     /* struct given_mode */
int read_nice(const char *text, void *field);     /* struct given_integer */
int read_oom_score(const char *text, void *field);
int read_cpus(const char *text, void *field);  /* struct given_cpus: "0-3,6" */
int read_limit(const char *text, void *field); /* struct limit_spec[RLIM_NLIMITS] */
int read_stdio(const char *text, void *field); /* struct stdio_spec */

int read_log_level(const char *text, void *field);  /* struct given_level */
int read_log_format(const char *text, void *field); /* struct given_format */
int read_log_target(const char *text, void *field); /* struct given_target */
int read_log_file(const char *text, void *field);   /* struct given_target: the file alone */
