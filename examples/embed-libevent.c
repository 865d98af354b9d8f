/* SPDX-License-Identifier: MIT */

/*
 * brood inside the event loop of another library: libevent runs the program, and the supervisor is
 * one descriptor in it. Any other loop is taught in the same way: poll brood_supervisor_fd() for
 * reading, and call brood_supervisor_dispatch() when it is readable. Timers are included.
 *
 *     embed-libevent N COMMAND [ARGUMENT…]
 *
 * SIGTERM and SIGINT stop the workers gracefully, a second one at once; SIGHUP restarts them one
 * after another. Ends with what the workers amount to.
 */

#include <brood.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    struct event_base *base;
    struct brood_supervisor *supervisor;
    int stops;
};

static void on_event(void *data, const struct brood_event *event) {
    (void)data;
    printf("%s", event->pool);
    if (event->worker != BROOD_ALL)
        printf("/%u", event->worker);
    printf(" %s", brood_event_name(event->kind));
    if (event->pid != 0)
        printf(" [%d]", event->pid);
    if (*event->cause)
        printf(": %s", event->cause);
    printf("\n");
}

static void on_readable(evutil_socket_t fd, short what, void *data) {
    struct program *program = data;

    (void)fd, (void)what;
    brood_supervisor_dispatch(program->supervisor);
    fflush(stdout);
    if (brood_supervisor_ended(program->supervisor, BROOD_ALL))
        event_base_loopexit(program->base, NULL);
}

static void on_signal(evutil_socket_t number, short what, void *data) {
    struct program *program = data;

    (void)what;
    if (number == SIGHUP)
        brood_supervisor_roll(program->supervisor, BROOD_ALL);
    else if (program->stops++ == 0)
        brood_supervisor_stop(program->supervisor, BROOD_ALL);
    else
        brood_supervisor_kill(program->supervisor, BROOD_ALL);
}

static int supervise(struct program *program, unsigned workers, char **argv) {
    struct brood_supervisor_options options = {.size = sizeof(options), .on_event = on_event};
    struct brood_pool_options pool = {
        .size = sizeof(pool), .workers = workers, .argv = (const char *const *)argv};
    int r = brood_supervisor_new(&options, &program->supervisor);

    if (r < 0) {
        fprintf(stderr, "embed-libevent: %s\n", strerror(-r));
        return r;
    }
    r = brood_supervisor_add_pool(program->supervisor, &pool, NULL);
    if (r < 0)
        fprintf(stderr, "embed-libevent: %s\n", brood_supervisor_error(program->supervisor));
    return r < 0 ? r : brood_supervisor_start(program->supervisor, BROOD_ALL);
}

int main(int argc, char **argv) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct program program = {0};
    struct event *events[4];
    int status = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: embed-libevent N COMMAND [ARGUMENT…]\n");
        return 2;
    }
    program.base = event_base_new();
    if (program.base && supervise(&program, (unsigned)atoi(argv[1]), argv + 2) == 0) {
        for (int i = 0; i < 3; i++)
            events[i] = evsignal_new(program.base, signals[i], on_signal, &program);
        events[3] = event_new(program.base, brood_supervisor_fd(program.supervisor),
            EV_READ | EV_PERSIST, on_readable, &program);
        for (int i = 0; i < 4; i++)
            event_add(events[i], NULL);
        event_base_dispatch(program.base);
        status = brood_supervisor_exit_status(program.supervisor, BROOD_ALL);
        for (int i = 0; i < 4; i++)
            event_free(events[i]);
    }
    brood_supervisor_free(program.supervisor);
    if (program.base)
        event_base_free(program.base);
    return status < 0 ? 1 : status;
}
