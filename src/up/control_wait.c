/* SPDX-License-Identifier: MIT */
#include "up/control_wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Looking costs at most the tenth part of the time: with ten thousand workers it takes a while. */
#define LOOK_SHARE 10

struct waiter {
    struct client *client;
    struct waiter *previous, *next;
    enum answer answer;
    nsec_t timeout, deadline;
    struct queue outcomes; /* JSON objects with commas between them */
    struct queue warnings;
    struct target *targets;
    size_t n_targets, capacity;
};

struct waiter *waiter_new(struct client *client, enum answer answer) {
    struct control *control = client->control;
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (!waiter) {
        client->out.failed = true;
        return NULL;
    }
    *waiter = (struct waiter){
        .client = client,
        .next = control->waiters,
        .answer = answer,
        .deadline = NSEC_NEVER,
    };
    if (control->waiters)
        control->waiters->previous = waiter;
    control->waiters = waiter;
    client->waiter = waiter;
    return waiter;
}

static bool wants_files(const struct waiter *waiter) {
    return waiter->answer == ANSWER_PENDING || waiter->answer == ANSWER_REOPENED;
}

void waiter_free(struct waiter *waiter) {
    if (!waiter)
        return;
    *(waiter->previous ? &waiter->previous->next : &waiter->client->control->waiters) =
        waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    waiter->client->waiter = NULL;
    if (wants_files(waiter))
        logs_forget(waiter->client->control);
    for (size_t i = 0; i < waiter->n_targets; i++)
        target_finish(&waiter->targets[i]);
    free(waiter->targets);
    queue_finish(&waiter->outcomes);
    queue_finish(&waiter->warnings);
    free(waiter);
}

struct queue *waiter_warnings(struct waiter *waiter) {
    return &waiter->warnings;
}

void waiter_add(struct waiter *waiter, const struct target *what) {
    struct target *target = NULL;

    if (waiter->n_targets == waiter->capacity) {
        size_t capacity = MAX(2 * waiter->capacity, (size_t)4);
        struct target *grown = reallocarray(waiter->targets, capacity, sizeof(*grown));

        if (grown) {
            waiter->targets = grown;
            waiter->capacity = capacity;
        }
    }
    if (waiter->n_targets < waiter->capacity)
        target = &waiter->targets[waiter->n_targets];
    if (!target || target_init(target, what, waiter->client->control->options.engine) < 0)
        waiter->outcomes.failed = true;
    else
        waiter->n_targets++;
}

/* --- answering */

/* Hands the answer to the client, which may go with it. */
static void finish(struct waiter *waiter) {
    struct client *client = waiter->client;

    waiter_free(waiter);
    if (client->oneway)
        queue_finish(&client->out);
    client_flush(client);
}

static void add_queue(struct queue *queue, const struct queue *other) {
    queue->failed = queue->failed || other->failed;
    queue_add(queue, queue_bytes(other), other->length);
}

static void add_list(struct queue *out, const char *name, const struct queue *list) {
    queue_add_text(out, name);
    queue_add_text(out, ":[");
    add_queue(out, list);
    queue_add_text(out, "]");
}

static void write_answer(struct waiter *waiter) {
    struct queue *out = &waiter->client->out;

    varlink_begin_reply(out);
    queue_add_text(out, "{");
    switch (waiter->answer) {
    case ANSWER_OUTCOMES:
        add_list(out, "\"outcomes\"", &waiter->outcomes);
        break;
    case ANSWER_CHANGES:
        add_list(out, "\"changes\"", &waiter->outcomes);
        add_list(out, ",\"warnings\"", &waiter->warnings);
        break;
    case ANSWER_PENDING:
        logs_write(waiter->client, out);
        break;
    case ANSWER_SHUTDOWN:
    case ANSWER_REOPENED:
        break;
    }
    queue_add_text(out, "}");
    varlink_end_reply(out, false);
}

struct late {
    const struct waiter *waiter;
    const struct target *target; /* the first that is not settled, or NULL */
    size_t others;
};

static void write_late(struct buffer *buffer, const void *data) {
    const struct late *late = data;
    const struct control *control = late->waiter->client->control;
    const struct engine_pool *pool =
        late->target ? engine_find_pool(control->options.engine, late->target->pool) : NULL;
    char line[256], duration[32];
    struct buffer text = BUFFER(line);

    buffer_add_format(
        &text, "not yet after %s", text_format_duration(late->waiter->timeout, duration));
    if (pool) {
        struct pool_summary summary = status_of(pool);

        buffer_add_format(&text, ": %s is %s, %u of %u ready", late->target->pool,
            status_state_name(summary.state), summary.ready, summary.workers);
    }
    if (late->others > 0)
        buffer_add_format(&text, ", and %zu more", late->others);
    buffer_add_text(buffer, "{\"error\":\"" BROOD_TIMED_OUT "\",\"parameters\":{");
    buffer_add_json_text(buffer, "text", line);
}

static void answer_late(struct waiter *waiter) {
    struct queue *out = &waiter->client->out;
    struct late late = {.waiter = waiter};

    for (size_t i = waiter->n_targets; i-- > 0;)
        if (!waiter->targets[i].settled) {
            late.others += late.target != NULL;
            late.target = &waiter->targets[i];
        }
    queue_write(out, write_late, &late);
    queue_add_text(out, ",\"outcomes\":[");
    if (waiter->answer == ANSWER_OUTCOMES)
        add_queue(out, &waiter->outcomes);
    queue_add_text(out, "]}}");
    queue_add(out, "", 1);
    finish(waiter);
}

/* Looks at what has changed; true when all is settled. */
static bool look(struct waiter *waiter, bool all) {
    bool settled = waiter->answer != ANSWER_SHUTDOWN;

    if (wants_files(waiter))
        return logs_are_known(waiter->client);
    for (size_t i = 0; i < waiter->n_targets; i++) {
        struct target *target = &waiter->targets[i];

        if (!target->settled && (target->changed || all))
            target_look(target, waiter->client->control->options.engine, &waiter->outcomes);
        settled = settled && target->settled;
    }
    return settled;
}

void waiter_start(struct waiter *waiter, nsec_t timeout) {
    waiter->timeout = timeout;
    waiter->deadline = timeout == NSEC_NEVER ? NSEC_NEVER : nsec_add(loop_clock(), timeout);
    if (!look(waiter, true)) {
        control_wake(waiter->client->control);
        return;
    }
    write_answer(waiter);
    waiter_free(waiter);
}

void waiter_dismiss(struct waiter *waiter) {
    for (size_t i = 0; i < waiter->n_targets; i++) {
        struct target *target = &waiter->targets[i];
        const struct engine_pool *pool =
            engine_find_pool(waiter->client->control->options.engine, target->pool);

        if (!target->settled)
            target_settle(
                &waiter->outcomes, target, pool, true, target->text ? target->text : "begun");
    }
    write_answer(waiter);
    waiter_free(waiter);
}

void waiters_look(struct control *control, nsec_t now) {
    bool due = control->looking && now >= control->next_look;

    if (!control->waiters)
        control->looking = false;
    for (struct waiter *waiter = control->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (due && look(waiter, false)) {
            write_answer(waiter);
            finish(waiter);
        } else if (now >= waiter->deadline && wants_files(waiter)) {
            write_answer(waiter);
            finish(waiter);
        } else if (now >= waiter->deadline)
            answer_late(waiter);
    }
    if (due) {
        nsec_t end = loop_clock();

        control->looking = false;
        control->next_look = nsec_add(end, LOOK_SHARE * nsec_sub(end, now));
    }
}

nsec_t waiters_deadline(const struct control *control) {
    nsec_t deadline = NSEC_NEVER;

    for (const struct waiter *waiter = control->waiters; waiter; waiter = waiter->next)
        deadline = MIN(deadline, waiter->deadline);
    return deadline;
}

void waiters_on_files(struct control *control) {
    for (struct waiter *waiter = control->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (wants_files(waiter) && look(waiter, false)) {
            write_answer(waiter);
            finish(waiter);
        }
    }
}

bool waiters_want_files(const struct control *control) {
    for (const struct waiter *waiter = control->waiters; waiter; waiter = waiter->next)
        if (wants_files(waiter))
            return true;
    return false;
}

void waiters_answer_shutdown(struct control *control) {
    for (struct waiter *waiter = control->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (waiter->answer == ANSWER_SHUTDOWN) {
            write_answer(waiter);
            finish(waiter);
        }
    }
}

void waiters_on_report(struct control *control, const struct engine_report *told) {
    for (struct waiter *waiter = control->waiters; waiter; waiter = waiter->next)
        for (size_t i = 0; i < waiter->n_targets; i++) {
            struct target *target = &waiter->targets[i];

            if (target->settled || strcmp(target->pool, told->pool) != 0)
                continue;
            target_on_report(target, told, &waiter->outcomes);
            control->looking = true;
        }
}

void waiters_on_pools(struct control *control) {
    for (struct waiter *waiter = control->waiters; waiter; waiter = waiter->next)
        for (size_t i = 0; i < waiter->n_targets; i++)
            waiter->targets[i].changed = true;
    control->looking = control->waiters != NULL;
}
