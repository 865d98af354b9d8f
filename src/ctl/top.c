/* SPDX-License-Identifier: MIT */

/* top: how things stand, live. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/clock.h"
#include "ctl/terminal.h"
#include "ctl/top_view.h"

/* Without news, and at most this often with them. */
#define REFRESH     (1 * NSEC_PER_SEC)
#define REFRESH_MIN (200 * NSEC_PER_MSEC)

/* Why the view was left. */
enum outcome {
    OUTCOME_STAY = 0,
    OUTCOME_QUIT = -1,
    OUTCOME_LOST = -2, /* the supervisor does not answer any more */
    /* above 0: a signal */
};

struct top {
    const struct ctl_call *call;
    struct connection connection; /* asked again and again */
    struct connection events;     /* listened to */
    struct snapshot snapshot;
    struct top_view view;
    nsec_t drawn;
    bool news;
};

/* Keys and what they do: another order, or so many rows or pages up or down. */
static const struct key {
    const char *sequence;
    enum top_order order;
    int rows, pages;
    bool quit;
} keys[] = {
    {.sequence = "q", .quit = true},
    {.sequence = "Q", .quit = true},
    {.sequence = "n", .order = TOP_BY_NAME},
    {.sequence = "c", .order = TOP_BY_CPU},
    {.sequence = "m", .order = TOP_BY_MEMORY},
    {.sequence = "k", .rows = -1},
    {.sequence = "j", .rows = 1},
    {.sequence = "\033[A", .rows = -1},
    {.sequence = "\033OA", .rows = -1},
    {.sequence = "\033[B", .rows = 1},
    {.sequence = "\033OB", .rows = 1},
    {.sequence = "\033[5~", .pages = -1},
    {.sequence = "\033[6~", .pages = 1},
    {.sequence = " ", .pages = 1},
};

static void move(struct top_view *view, int rows) {
    size_t by = (size_t)abs(rows);

    if (rows > 0)
        view->first += by;
    else
        view->first -= MIN(by, view->first);
}

static int press(struct top *top, const struct key *key) {
    if (key->quit)
        return OUTCOME_QUIT;
    if (key->rows == 0 && key->pages == 0) {
        top->view.order = key->order;
        top->view.first = 0;
    }
    move(&top->view, key->rows + key->pages * (int)top->view.page);
    return OUTCOME_STAY;
}

static int read_keys(struct top *top) {
    char text[64];
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));

    /* The terminal is gone; SIGHUP may have been for somebody else. */
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return OUTCOME_QUIT;
    for (ssize_t at = 0, length; at < n; at += length) {
        length = 1;
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
            size_t own = strlen(keys[i].sequence);

            if ((size_t)(n - at) < own || memcmp(text + at, keys[i].sequence, own) != 0)
                continue;
            if (press(top, &keys[i]) == OUTCOME_QUIT)
                return OUTCOME_QUIT;
            length = (ssize_t)own;
            break;
        }
    }
    return OUTCOME_STAY;
}

/* Events are news and lines; without them the view is as good as its timer. */
static void read_events(struct top *top) {
    struct varlink_reply reply;
    int r;

    while ((r = connection_poll(&top->events, &reply)) > 0) {
        const json_t *event = json_object_get(reply.parameters, "event");

        if (event)
            top_view_event(&top->view, event);
        varlink_reply_finish(&reply);
        top->news = true;
    }
    if (r < 0)
        connection_finish(&top->events);
}

static int refresh(struct top *top) {
    struct snapshot snapshot;

    if (snapshot_take(&top->connection, NULL, 0, &snapshot) != CTL_OK)
        return OUTCOME_LOST;
    snapshot_finish(&top->snapshot);
    top->snapshot = snapshot;
    top_view_sample(&top->view, &snapshot, clock_now());
    top->drawn = clock_now();
    top->news = false;
    return OUTCOME_STAY;
}

static void draw(struct top *top) {
    const struct screen screen = screen_of(STDOUT_FILENO);
    char *text;
    size_t length;
    FILE *file = ctl_must(open_memstream(&text, &length));

    top_view_draw(&top->view, &top->snapshot, &screen, file);
    fclose(file);
    terminal_show(text, screen.rows);
    free(text);
}

/* A signal that ends the view, or OUTCOME_STAY. */
static int take_signal(struct terminal *terminal) {
    int signal = terminal_signal(terminal);

    if (signal == SIGINT)
        return OUTCOME_QUIT;
    if (signal == SIGTSTP) {
        terminal_leave(terminal);
        raise(SIGSTOP);
        return terminal_enter(terminal) < 0 ? OUTCOME_QUIT : OUTCOME_STAY;
    }
    return signal == SIGWINCH ? OUTCOME_STAY : signal;
}

/* Waits for keys, signals, events, or the time to look again. */
static int wait_and_act(struct top *top, struct terminal *terminal) {
    struct pollfd sources[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = terminal->signals, .events = POLLIN},
        {.fd = top->events.fd, .events = POLLIN},
    };
    nsec_t due = nsec_add(top->drawn, top->news ? REFRESH_MIN : REFRESH);
    nsec_t left = nsec_sub(due, clock_now());
    int outcome = OUTCOME_STAY;

    poll(sources, ELEMENTS(sources), (int)((left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
    if (sources[1].revents)
        outcome = take_signal(terminal);
    if (outcome == OUTCOME_STAY && sources[0].revents)
        outcome = read_keys(top);
    if (sources[2].revents)
        read_events(top);
    due = nsec_add(top->drawn, top->news ? REFRESH_MIN : REFRESH);
    if (outcome == OUTCOME_STAY && clock_now() >= due)
        outcome = refresh(top);
    return outcome;
}

static int watch(struct top *top) {
    struct terminal terminal;
    int outcome = OUTCOME_STAY;

    if (terminal_enter(&terminal) < 0)
        return OUTCOME_QUIT;
    while (outcome == OUTCOME_STAY) {
        draw(top);
        outcome = wait_and_act(top, &terminal);
    }
    if (terminal.signals >= 0)
        terminal_leave(&terminal);
    return outcome;
}

static void listen_to_events(struct top *top) {
    if (connection_open(top->call, &top->events) != CTL_OK)
        return;
    if (connection_send_take(&top->events, "io.brood.Events", json_pack("{s:b}", "follow", 1),
            VARLINK_MORE, NSEC_NEVER) != CTL_OK)
        connection_finish(&top->events);
}

/* Connects and looks for the first time, in the ordinary terminal: what fails is to be read. */
static int begin(struct top *top) {
    int status = connection_open(top->call, &top->connection);

    if (status == CTL_OK)
        status = snapshot_take(&top->connection, NULL, 0, &top->snapshot);
    if (status != CTL_OK)
        return status;
    top_view_sample(&top->view, &top->snapshot, clock_now());
    top->drawn = clock_now();
    return CTL_OK;
}

static void end(struct top *top) {
    connection_finish(&top->connection);
    connection_finish(&top->events);
    snapshot_finish(&top->snapshot);
    top_view_finish(&top->view);
}

/* Two looks a second apart, since a share needs both. */
static int print_once(struct top *top) {
    const struct screen screen = screen_of(STDOUT_FILENO);

    poll(NULL, 0, (int)(REFRESH / NSEC_PER_MSEC));
    if (refresh(top) != OUTCOME_STAY)
        return CTL_ABSENT;
    top_view_draw(&top->view, &top->snapshot, &screen, stdout);
    return CTL_OK;
}

int ctl_top(const struct ctl_call *call) {
    bool live = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    int status, outcome = OUTCOME_STAY;

    if (call->json)
        return ctl_status(call);

    do {
        struct top top = {.call = call, .connection.fd = -1, .events.fd = -1};

        status = begin(&top);
        if (status == CTL_OK && live) {
            listen_to_events(&top);
            outcome = watch(&top);
        } else if (status == CTL_OK)
            status = print_once(&top);
        end(&top);
    } while (status == CTL_OK && outcome == OUTCOME_LOST);
    if (outcome > 0)
        raise(outcome);
    return status;
}
