/* SPDX-License-Identifier: MIT */
#include "conf_text.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/internal.h"

static char told[16384];

static struct conf *load(const char *text, const char *service) {
    struct conf_messages messages = {0};
    struct conf *conf = NULL;
    char file[64];
    size_t length = 0;

    snprintf(file, sizeof(file), "%s%s", service ? service : "t", service ? ".service" : ".conf");
    int r = conf_load_text(file, text, service, &conf, &messages);

    *told = '\0';
    for (size_t i = 0; i < messages.count; i++) {
        conf_message_format(&messages.list[i], told + length, sizeof(told) - length - 1);
        strcat(told, "\n");
        length = strlen(told);
    }
    cr_assert_eq(r, messages.n_errors > 0 ? -EBADMSG : 0);
    cr_assert_eq(r == 0, conf != NULL);
    conf_messages_finish(&messages);
    return conf;
}

struct conf *conf_of(const char *text) {
    struct conf *conf = load(text, NULL);

    cr_assert_not_null(conf, "%s", told);
    return conf;
}

struct conf *conf_of_unit(const char *name, const char *text) {
    struct conf *conf = load(text, name);

    cr_assert_not_null(conf, "%s", told);
    return conf;
}

const char *conf_messages_of(const char *text) {
    conf_free(load(text, NULL));
    return told;
}

const char *conf_messages_of_unit(const char *name, const char *text) {
    conf_free(load(text, name));
    return told;
}

static const char *with_pool(const char *lines) {
    static char text[8192];

    snprintf(text, sizeof(text), "[Pool p]\nExecStart=/bin/true\n%s\n", lines);
    return text;
}

struct conf *conf_of_pool(const char *lines) {
    return conf_of(with_pool(lines));
}

const char *conf_messages_of_pool(const char *lines) {
    return conf_messages_of(with_pool(lines));
}
