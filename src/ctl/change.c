/* SPDX-License-Identifier: MIT */

/* start, stop, restart, reload, reset, signal, wait: one idea, a method for each target. */

#include <string.h>

#include "base/signame.h"
#include "ctl/request.h"

static int change(const struct ctl_call *call, const char *method, enum request_kind kind) {
    struct target_list list;
    int status = target_list_make(call, call->n_words, &list);

    return status != CTL_OK ? status : request_run(call, method, kind, &list);
}

int ctl_start(const struct ctl_call *call) {
    return change(call, "io.brood.Start", REQUEST_WAITS);
}

int ctl_stop(const struct ctl_call *call) {
    return change(call, "io.brood.Stop", REQUEST_WAITS);
}

int ctl_reset(const struct ctl_call *call) {
    return change(call, "io.brood.Reset", REQUEST_PROMPT);
}

static void set_all(struct target_list *list, const char *key, json_t *value) {
    for (size_t i = 0; i < list->count; i++)
        json_object_set(list->parameters[i], key, value);
    json_decref(value);
}

int ctl_restart(const struct ctl_call *call) {
    struct target_list list;
    int status = target_list_make(call, call->n_words, &list);

    if (status != CTL_OK)
        return status;
    set_all(&list, "rolling", json_boolean(call->rolling));
    return request_run(call, "io.brood.Restart", REQUEST_WAITS, &list);
}

/* Without targets it is the configuration that is read again. */
int ctl_reload(const struct ctl_call *call) {
    if (call->n_words == 0 && !call->all)
        return request_run_one_take(call, "io.brood.ReloadConfig", REQUEST_WAITS, json_object());
    return change(call, "io.brood.ReloadPool", REQUEST_WAITS);
}

/* The last word, unless -s has named it. */
int ctl_signal(const struct ctl_call *call) {
    bool last = !call->signal && call->n_words > 0;
    const char *name = last ? call->words[call->n_words - 1] : call->signal;
    struct target_list list;
    int number;

    if (!name || signame_parse(name, &number) < 0) {
        ctl_say(call, "'%s' is not a signal; it comes last, or with -s", name ?: "");
        return CTL_USAGE;
    }
    int status = target_list_make(call, call->n_words - last, &list);
    if (status != CTL_OK)
        return status;
    set_all(&list, "signal", json_string(name));
    return request_run(call, "io.brood.Signal", REQUEST_PROMPT, &list);
}

int ctl_wait(const struct ctl_call *call) {
    struct target_list list;
    int status = target_list_make(call, call->n_words, &list);

    if (status != CTL_OK)
        return status;
    set_all(&list, "for", json_string(call->condition));
    return request_run(call, "io.brood.Wait", REQUEST_WAITING, &list);
}
