/* SPDX-License-Identifier: MIT */
#include "bin/start_daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bin/commands.h"
#include "run/child.h"

/* The environment that was asked for, and where to say READY=1. Caller frees the words. */
static int add_notify_socket(struct word_list *environment, const char *socket) {
    const char **words = calloc(environment->count + 1, sizeof(*words));
    char *variable;

    if (!words || asprintf(&variable, "NOTIFY_SOCKET=%s", socket) < 0)
        return -1;
    for (size_t i = 0; i < environment->count; i++)
        words[i] = environment->words[i];
    words[environment->count] = variable;
    *environment = (struct word_list){words, environment->count + 1};
    return 0;
}

/* In the daemon: becomes the program. Returns only when that failed, which the starter is told. */
static void become(const struct start_daemon *start, struct daemon *daemon) {
    struct plan_spec spec = start->plan;
    struct plan_error error;
    struct plan *plan;
    char text[512];

    if (daemon->notify_socket[0] != '\0' &&
        add_notify_socket(&spec.set_environment, daemon->notify_socket) < 0) {
        daemon_fail(daemon, STATUS_INTERNAL, "out of memory");
        return;
    }
    if (plan_new(&spec, &plan, &error) < 0) {
        daemon_fail(daemon, error.status, "%s", error.text);
        return;
    }
    struct child child = {.plan = plan, .group = -1, .keep_files = true};
    void *scratch = malloc(plan->scratch_size);
    if (!scratch) {
        daemon_fail(daemon, STATUS_INTERNAL, "out of memory");
        return;
    }
    plan_render(plan, (struct incarnation){0}, scratch, &child.rendered);
    if (daemon->pidfile.fd >= 0)
        pidfile_inherit(&daemon->pidfile);
    child_become(&child);
    plan_explain(plan, (struct incarnation){0}, child.fault, text, sizeof(text));
    daemon_fail(daemon, child_exit_status(child.fault), "%s", text);
}

int start_daemon(const struct start_daemon *start) {
    struct daemon_outcome outcome;
    struct plan_error error;
    struct daemon daemon;
    struct plan *plan;

    /* What is wrong with the command is said before anything is forked. */
    if (plan_new(&start->plan, &plan, &error) < 0) {
        fprintf(stderr, "%s: %s\n", start->command, error.text);
        return error.status;
    }
    plan_free(plan);
    int r = daemonize(&start->options, &daemon, &outcome);
    if (r == DAEMONIZE_CHILD) {
        become(start, &daemon);
        _exit(STATUS_INTERNAL);
    }
    if (r < 0 || outcome.status != DAEMON_READY)
        fprintf(stderr, "%s: %s\n", start->command, outcome.message);
    return r < 0 ? STATUS_INTERNAL : outcome.status;
}
