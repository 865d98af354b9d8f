/* SPDX-License-Identifier: MIT */

/* Looking at the files: who has been asked, and who has answered. */

#include "run/capture_internal.h"

/* A sink has one look at a time: a thread that hangs holds one answer up, not a heap of them. */
static void ask(struct capture_sink *sink) {
    struct capture *capture = sink->capture;

    if (sink->asked || !sink->sink->ops->look)
        return;
    sink->asked = peek_new(sink, capture->ticket, &capture->peek_room);
    if (sink->asked)
        writer_peek_take(sink->writer, sink->sink, sink->asked);
}

uint64_t capture_peek(struct capture *capture, void (*fn)(void *data), void *data) {
    capture->ticket++;
    capture->peeked = fn;
    capture->peeked_data = data;
    for (struct capture_sink *sink = capture->sinks; sink; sink = sink->next)
        ask(sink);
    return capture->ticket;
}

void capture_peeked(struct peek *peek) {
    struct capture_sink *sink = peek->owner;

    if (!sink) {
        peek_free(peek);
        return;
    }
    const struct capture *capture = sink->capture;
    sink->asked = NULL;
    sink->answered = peek->ticket;
    peek_free(sink->answer);
    sink->answer = capture->peeked ? peek : peek_free(peek);
    if (!capture->peeked)
        return;
    if (sink->answered < capture->ticket)
        ask(sink);
    capture->peeked(capture->peeked_data);
}

/* What cannot be looked at, or could not be asked for want of memory, is not waited for. */
bool capture_has_peeked(const struct capture *capture, uint64_t ticket) {
    for (const struct capture_sink *sink = capture->sinks; sink; sink = sink->next)
        if (sink->asked && sink->answered < ticket)
            return false;
    return true;
}

/* It owes no answer, and has none: nobody has asked it. */
static bool is_newer(const struct capture_sink *sink, uint64_t ticket) {
    return sink->answered >= ticket && !sink->answer;
}

void capture_visit_files(const struct capture *capture, uint64_t ticket,
    void (*fn)(void *data, const struct capture_file *file), void *data) {
    for (const struct capture_sink *sink = capture->sinks; sink; sink = sink->next)
        if (sink->sink->ops->look && !is_newer(sink, ticket))
            fn(data, &(struct capture_file){
                         .pool = sink->pool,
                         .path = sink->sink->name,
                         .peek = sink->answered >= ticket ? sink->answer : NULL,
                     });
}

void capture_forget_peeks(struct capture *capture) {
    capture->peeked = NULL;
    for (struct capture_sink *sink = capture->sinks; sink; sink = sink->next)
        sink->answer = peek_free(sink->answer);
}

void capture_peek_abandon(struct capture_sink *sink) {
    if (sink->asked)
        sink->asked->owner = NULL;
    sink->asked = NULL;
    sink->answer = peek_free(sink->answer);
}
