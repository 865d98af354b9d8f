/* SPDX-License-Identifier: MIT */
#include "bin/conf_options.h"

#include <stdio.h>
#include <string.h>

#include "bin/commands.h"
#include "conf/show.h"

void conf_print_messages(const struct conf_messages *messages) {
    char line[2048];

    for (size_t i = 0; i < messages->count; i++)
        fprintf(stderr, "%s\n", conf_message_format(&messages->list[i], line, sizeof(line)));
}

void conf_print_json(const struct conf_messages *messages) {
    for (size_t i = 0; i < messages->count; i++) {
        const struct conf_message *message = &messages->list[i];

        putchar('{');
        conf_json_pair(stdout, "severity", message->severity == CONF_ERROR ? "error" : "warning");
        putchar(',');
        conf_json_pair(stdout, "file", message->file);
        printf(",\"line\":%u,", message->line);
        conf_json_pair(stdout, "text", message->text);
        printf("}\n");
    }
}

int conf_fail(const char *command, int error) {
    fprintf(stderr, "%s: %s\n", command, strerror(-error));
    return STATUS_INTERNAL;
}
