/* SPDX-License-Identifier: MIT */
#include "wire/interface.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "wire/fields.h"

#define SERVICE "org.varlink.service"

extern const char interface_org_varlink_service[];

static const struct {
    const char *name, *text;
} interfaces[] = {
    {SERVICE, interface_org_varlink_service},
    {BROOD_INTERFACE, interface_io_brood},
};

static const char *find_text(const char *name) {
    for (size_t i = 0; i < ELEMENTS(interfaces); i++)
        if (strcmp(interfaces[i].name, name) == 0)
            return interfaces[i].text;
    return NULL;
}

static void answer_info(const char *version, struct queue *queue) {
    json_t *names = json_array();

    for (size_t i = 0; i < ELEMENTS(interfaces); i++)
        if (json_array_append_new(names, json_string(interfaces[i].name)) < 0)
            queue->failed = true;
    varlink_write_reply_take(queue,
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "brood", "product", "brood", "version",
            version, "url", "https://varlink.org", "interfaces", names),
        false);
}

static void refuse_interface(const char *name, size_t length, struct queue *queue) {
    varlink_write_error_take(
        queue, VARLINK_INTERFACE_NOT_FOUND, json_pack("{s:s%}", "interface", name, length));
}

static void answer_description(const struct varlink_call *call, struct queue *queue) {
    static const struct field fields[] = {{"interface", FIELD_TEXT, true, 0}};
    const char *name = NULL, *fault;

    if (fields_read(call->parameters, fields, ELEMENTS(fields), &name, &fault) < 0) {
        varlink_write_invalid(queue, fault);
        return;
    }
    const char *text = find_text(name);
    if (text)
        varlink_write_reply_take(queue, json_pack("{s:s}", "description", text), false);
    else
        refuse_interface(name, strlen(name), queue);
}

bool interface_answer(const struct varlink_call *call, const char *version, struct queue *queue) {
    if (strcmp(call->method, SERVICE ".GetInfo") == 0)
        answer_info(version, queue);
    else if (strcmp(call->method, SERVICE ".GetInterfaceDescription") == 0)
        answer_description(call, queue);
    else
        return false;
    return true;
}

void interface_refuse(const struct varlink_call *call, struct queue *queue) {
    const char *dot = strrchr(call->method, '.');
    size_t length = dot ? (size_t)(dot - call->method) : strlen(call->method);

    for (size_t i = 0; i < ELEMENTS(interfaces); i++)
        if (strlen(interfaces[i].name) == length &&
            strncmp(interfaces[i].name, call->method, length) == 0) {
            varlink_write_no_method(queue, call->method);
            return;
        }
    refuse_interface(call->method, length, queue);
}
