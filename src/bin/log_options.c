/* SPDX-License-Identifier: MIT */
#include "bin/log_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/readers.h"

static int read_style(const char *text, void *field) {
    return frame_format_parse(text, field);
}

static int read_size(const char *text, void *field) {
    return text_parse_size(text, field);
}

#define AT(member) offsetof(struct log_options, member)

static const struct option_row rows[] = {
    {"log", 0, false, "DIR", read_text, AT(where), "a directory, or -",
        "capture what --stdout and --stderr leave alone, line by line, with "
        "time, worker, pid and stream; into DIR, or - for standard output. "
        "SIGUSR1 opens the files anew, and is not forwarded by default"},
    {"log-style", 0, false, "STYLE", read_style, AT(style), "text, json or raw",
        "with --log DIR: text (default), json, raw (a file for each worker)"},
    {"log-max-size", 0, false, "SIZE", read_size, AT(max_size), "a size such as 64M",
        "with --log DIR: rotate, and compress, before a file is larger (default: "
        "never)"},
    {"log-keep", 0, false, "N", read_count, AT(keep), "a whole number from 0 on",
        "with --log DIR: keep so many rotated files (default 0: all)"},
};

struct option_table log_options_table(struct log_options *options) {
    return (struct option_table){"Output of workers", rows, ELEMENTS(rows), options};
}

static bool is_output(const struct log_options *options) {
    return strcmp(options->where, "-") == 0;
}

static bool can_be_written(const char *command, const char *directory) {
    int error = logfile_refusal(directory);

    if (error != 0)
        fprintf(stderr, "%s: cannot write logs to %s: %s; --log needs a directory, or -\n", command,
            directory, strerror(error));
    return error == 0;
}

bool log_options_are_sane(
    const char *command, const struct log_options *options, const char *pool) {
    bool for_files = options->style != FRAME_TEXT || options->max_size > 0 || options->keep > 0;

    if (for_files && (!options->where || is_output(options))) {
        fprintf(
            stderr, "%s: --log-style, --log-max-size and --log-keep go with --log DIR\n", command);
        return false;
    }
    if (!options->where || is_output(options))
        return true;
    if (options->keep > UINT32_MAX || strchr(pool, '/')) {
        fprintf(stderr, "%s: --log: %s\n", command,
            strchr(pool, '/') ? "the pool's name, which the file gets, has a slash (see --name)"
                              : "--log-keep is too large");
        return false;
    }
    return can_be_written(command, options->where);
}

int log_options_settings(struct log_options *options, const struct stdio_spec stdio[3],
    struct capture_settings *ret_settings) {
    enum capture_target target = is_output(options) ? CAPTURE_OUTPUT : CAPTURE_FILE;

    *ret_settings = (struct capture_settings){
        .file =
            {
                .directory = options->directory,
                .format = options->style,
                .uid = (uid_t)-1,
                .gid = (gid_t)-1,
                .max_size = options->max_size,
                .max_files = (uint32_t)options->keep,
            },
        .compress = true,
    };
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (stdio[STDOUT_FILENO + i].kind == STDIO_INHERIT)
            ret_settings->targets[i] = target;
    return target == CAPTURE_FILE ? options_make_absolute(options->where, options->directory) : 0;
}
