/* SPDX-License-Identifier: MIT */
#pragma once

/* Readers for the fields of directives: one a type. -EINVAL: not what the row expects. */

#include "conf/internal.h"

int value_bool(const char *text, void *field);       /* bool */
int value_count(const char *text, void *field);      /* uint32_t */
int value_workers(const char *text, void *field);    /* uint32_t, "auto": the usable CPUs */
int value_restarts(const char *text, void *field);   /* uint64_t, "infinity" */
int value_timeout(const char *text, void *field);    /* nsec_t; 0 is none, as systemd has it */
int value_given_time(const char *text, void *field); /* struct given_time */
int value_permille(const char *text, void *field);   /* unsigned, to 1000 */
int value_mode(const char *text, void *field);       /* mode_t */
int value_signal(const char *text, void *field);     /* int */
int value_exits(const char *text, void *field);      /* struct exit_set: adds */
int value_bytes(const char *text, void *field);      /* uint64_t, "infinity", percent of memory */
int value_notify_socket(const char *text, void *field); /* const char *; "abstract": NULL */
int value_log_target(const char *text, void *field);    /* struct given_target */
int value_descriptor(const char *text, void *field);    /* int, from 3 */

/* Words out of lists in the headers. */
int value_restart_mode(const char *text, void *field);
int value_limit_action(const char *text, void *field);
int value_kill_mode(const char *text, void *field);
int value_notify_access(const char *text, void *field);
int value_type(struct conf_reader *reader, const char *text, void *field);

/* These write into a struct plan_spec. */
int value_umask(const char *text, void *field);
int value_nice(const char *text, void *field);
int value_oom_score(const char *text, void *field);
int value_cpus(struct conf_reader *reader, const char *text, void *field);
int value_limit(struct conf_reader *reader, const char *text, void *field);
int value_directory(struct conf_reader *reader, const char *text, void *field);
int value_root(struct conf_reader *reader, const char *text, void *field);
int value_input(struct conf_reader *reader, const char *text, void *field); /* struct stdio_spec */
int value_stream(const char *text, void *field);                            /* struct stdio_spec */

/* Output and logs. */
int value_output(
    struct conf_reader *reader, const char *text, void *field); /* struct conf_output */
int value_log_directory(const char *text, void *field);         /* const char * */
int value_log_format(const char *text, void *field);
int value_log_buffer(const char *text, void *field); /* uint32_t */
int value_line_max(const char *text, void *field);   /* uint32_t */
int value_log_keep(const char *text, void *field);   /* uint32_t, 0: all */
int value_overflow(const char *text, void *field);
int value_facility(const char *text, void *field); /* int, as in syslog.h */
int value_level(const char *text, void *field);    /* struct frame_label */

int value_commands(struct conf_reader *reader, const char *text, void *field);
int value_words(struct conf_reader *reader, const char *text, void *field); /* struct word_list */
int value_assignments(struct conf_reader *reader, const char *text, void *field);
int value_one(struct conf_reader *reader, const char *text, void *field); /* the same, whole */
int value_directories(struct conf_reader *reader, const char *text, void *field);
int value_delegate(struct conf_reader *reader, const char *text, void *field); /* bool */
int value_group_limit(struct conf_reader *reader, const char *text, void *field);
int value_listen(struct conf_reader *reader, const char *text, void *field);
int value_bounding(struct conf_reader *reader, const char *text, void *field);
int value_ambient(struct conf_reader *reader, const char *text, void *field);
int value_pipe_signal(struct conf_reader *reader, const char *text, void *field);
