/* SPDX-License-Identifier: MIT */

/*
 * What has happened: the last events are remembered as the lines that --log-format=json prints,
 * each after the name of its pool, and handed to whoever follows.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "run/report.h"
#include "sys/wall.h"
#include "up/control_internal.h"

struct event {
    uint64_t wall, sequence;
    const struct engine_report *told; /* NULL: of brood itself, or of none */
    enum report_note note;
    const char *text;
};

static void add_usage(struct buffer *buffer, const struct rusage *usage) {
    const struct timeval *user = &usage->ru_utime, *system = &usage->ru_stime;

    buffer_add_json_key(buffer, "rusage");
    buffer_add_text(buffer, "{");
    buffer_add_json_seconds(buffer, "user",
        (uint64_t)user->tv_sec * NSEC_PER_SEC + (uint64_t)user->tv_usec * NSEC_PER_USEC);
    buffer_add_json_seconds(buffer, "system",
        (uint64_t)system->tv_sec * NSEC_PER_SEC + (uint64_t)system->tv_usec * NSEC_PER_USEC);
    buffer_add_json_integer(buffer, "max_rss", (int64_t)usage->ru_maxrss * 1024);
    buffer_add_text(buffer, "}");
}

/* The line of the log, with more before its end. */
static void write_event(struct buffer *buffer, const void *data) {
    const struct event *event = data;

    if (event->told)
        report_add_line(buffer, REPORT_JSON, event->wall, event->told);
    else
        report_add_note(buffer, REPORT_JSON, event->wall, event->note, event->text);
    if (buffer->cut)
        return;
    buffer->length -= strlen("}\n");
    if (event->sequence > 0)
        buffer_add_json_integer(buffer, "seq", (int64_t)event->sequence);
    if (event->told && event->told->usage)
        add_usage(buffer, event->told->usage);
    buffer_add_text(buffer, "}");
}

/* --- remembering */

static size_t entry_length(const char *pool) {
    size_t name = strlen(pool) + 1;

    return name + strlen(pool + name) + 1;
}

/* Adds the event and returns its line, or NULL where there was no memory to keep it. */
static const char *remember(struct events *ring, const char *pool, struct event *event) {
    struct queue *lines = &ring->lines;

    if (ring->count == CONTROL_EVENTS_KEPT) {
        queue_drop(lines, entry_length(queue_bytes(lines)));
        ring->count--;
    }
    event->sequence = ++ring->sequence;
    queue_add(lines, pool, strlen(pool) + 1);
    size_t at = lines->length;
    queue_write(lines, write_event, event);
    queue_add(lines, "", 1);
    if (lines->failed) {
        queue_finish(lines);
        ring->count = 0;
        return NULL;
    }
    ring->count++;
    return queue_bytes(lines) + at;
}

/* --- telling */

bool events_wanted(const json_t *pools, const char *pool) {
    if (json_array_size(pools) == 0)
        return true;
    for (size_t i = 0; i < json_array_size(pools); i++)
        if (strcmp(json_string_value(json_array_get(pools, i)), pool) == 0)
            return true;
    return false;
}

static void send_line(struct client *client, const char *line, bool continues) {
    varlink_begin_reply(&client->out);
    queue_add_text(&client->out, "{\"event\":");
    queue_add_text(&client->out, line);
    queue_add_text(&client->out, "}");
    varlink_end_reply(&client->out, continues);
}

static void tell(struct control *control, const char *pool, struct event *event) {
    const char *line = remember(&control->ring, pool, event);

    if (!line || control->n_followers == 0)
        return;
    for (struct client *client = control->first; client; client = client->next) {
        if (!client->follows || !events_wanted(client->pools, pool))
            continue;
        if (client->out.length + strlen(line) > CONTROL_FOLLOWER_BYTES || client->missed > 0)
            client->missed++;
        else
            send_line(client, line, true);
        control->telling = true;
    }
}

void events_on_report(struct control *control, const struct engine_report *told) {
    tell(control, told->pool, &(struct event){.wall = wall_clock(), .told = told});
}

void control_note(struct control *control, enum report_note note, const char *text) {
    tell(control, "", &(struct event){.wall = wall_clock(), .note = note, .text = text});
    if (control->telling)
        control_wake(control);
}

void events_confess(struct client *client) {
    char text[80];
    struct event event = {.wall = wall_clock(), .note = NOTE_MISSED, .text = text};

    snprintf(
        text, sizeof(text), "%" PRIu64 " events came faster than they were read", client->missed);
    client->missed = 0;
    varlink_begin_reply(&client->out);
    queue_add_text(&client->out, "{\"event\":");
    queue_write(&client->out, write_event, &event);
    queue_add_text(&client->out, "}");
    varlink_end_reply(&client->out, true);
}

void events_send(struct client *client, bool follow, json_t *pools) {
    const struct events *ring = &client->control->ring;
    const char *entry = ring->count > 0 ? queue_bytes(&ring->lines) : NULL, *last = NULL;

    for (uint32_t i = 0; i < ring->count; i++, entry += entry_length(entry)) {
        if (!events_wanted(pools, entry))
            continue;
        if (last)
            send_line(client, last, true);
        last = entry + strlen(entry) + 1;
    }
    if (last || !follow)
        send_line(client, last ? last : "null", follow);
    if (!follow)
        return;
    json_decref(client->pools);
    client->pools = json_incref(pools);
    client->follows = true;
    client->control->n_followers++;
}
