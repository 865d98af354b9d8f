/* SPDX-License-Identifier: MIT */
#include "run/tap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

static int write_piece(struct tap *tap, const struct frame_piece *piece) {
    return tap->sink->ops->piece(tap->sink, piece);
}

static int write_note(struct tap *tap, const char *text, size_t length) {
    struct frame_piece piece = {.text = text, .length = length, .end = FRAME_NOTE, .begins = true};

    return write_piece(tap, &piece);
}

static int tell_suppressed(struct tap *tap) {
    char text[128], interval[32];

    if (!tap->rate || tap->rate->suppressed == 0)
        return 0;
    int n = snprintf(text, sizeof(text),
        "%" PRIu64 " lines suppressed: more than %u within %s (LogRateLimitBurst=)",
        tap->rate->suppressed, tap->limit.burst,
        text_format_duration(tap->limit.interval, interval));
    int r = write_note(tap, text, (size_t)n);
    if (r >= 0)
        rate_tell(tap->rate);
    return r;
}

static int write_passing(struct tap *tap, const struct frame_piece *piece) {
    if (piece->begins) {
        int r = tell_suppressed(tap);

        if (r < 0)
            return r;
    }
    return write_piece(tap, piece);
}

/* A piece that has been cut off cannot be cut off again: where it is not taken, it is held. */
static int write_or_hold(struct tap *tap, const struct frame_piece *piece, nsec_t now) {
    if (piece->begins)
        tap->passes = !tap->rate || rate_take(tap->rate, &tap->limit, now);
    if (!tap->passes)
        return 0;

    int r = write_passing(tap, piece);
    if (r < 0) {
        tap->held = *piece;
        tap->is_held = true;
    }
    return r;
}

static int write_held(struct tap *tap) {
    if (!tap->is_held)
        return 0;
    int r = write_passing(tap, &tap->held);
    tap->is_held = r < 0;
    return r;
}

/* Only who has an unfinished line has memory for one. */
static int keep_rest(struct tap *tap, struct frame_input *input) {
    struct frame *frame = &tap->frame;

    if (input->length == 0 && frame->carried == 0) {
        free(TAKE(frame->carry));
        return 0;
    }
    if (!frame->carry)
        frame->carry = malloc(frame->limit);
    if (!frame->carry)
        return -ENOMEM;
    frame_keep(frame, input);
    return 0;
}

static int write_bytes(struct tap *tap, struct chunk *chunk) {
    struct frame_input input = {chunk->bytes + chunk->offset, chunk->length - chunk->offset};
    struct frame_piece piece;
    int r = 0;

    while (r >= 0 && frame_next(&tap->frame, &input, &piece))
        r = write_or_hold(tap, &piece, chunk->now);
    if (r >= 0)
        r = keep_rest(tap, &input);
    chunk->offset = chunk->length - input.length;
    return r;
}

static int write_rest(struct tap *tap, const struct chunk *chunk, enum frame_end end) {
    struct frame_piece piece;

    if (!frame_finish(&tap->frame, end, &piece))
        return 0;
    return write_or_hold(tap, &piece, chunk->now);
}

static int write_hole(struct tap *tap, const struct chunk *chunk) {
    char text[96];
    int n = snprintf(
        text, sizeof(text), "%" PRIu64 " lines are missing here (LogOverflow=drop)", chunk->lines);
    int r = write_note(tap, text, (size_t)n);

    if (r >= 0 && chunk->mid_line)
        frame_skip_line(&tap->frame);
    return r;
}

static int write_after_rest(struct tap *tap, struct chunk *chunk) {
    int r;

    switch (chunk->kind) {
    case CHUNK_HOLE:
        return write_hole(tap, chunk);
    case CHUNK_NOTE:
        return write_note(tap, chunk->bytes, chunk->length);
    case CHUNK_ORPHAN:
        r = tell_suppressed(tap);
        tap->tag.orphan = r >= 0;
        return r;
    case CHUNK_END:
        return tell_suppressed(tap);
    case CHUNK_BYTES:
    case CHUNK_PIPE:
        break;
    }
    return 0;
}

static int write_interruption(struct tap *tap, struct chunk *chunk) {
    if (chunk->step == 0) {
        bool is_hole = chunk->kind == CHUNK_HOLE;
        int r;

        chunk->step++;
        r = write_rest(tap, chunk, is_hole ? FRAME_CUT : FRAME_BARE);
        if (r < 0)
            return r;
    }
    return write_after_rest(tap, chunk);
}

/* Who only looks sees nothing of what is in there. */
static int move_pipe(struct tap *tap, struct chunk *chunk) {
    const struct sink_ops *ops = tap->sink->ops;
    int n;

    if (!ops->move)
        return 0;
    do {
        n = ops->move(tap->sink, chunk->pipe);
        chunk->least -= MIN(chunk->least, (size_t)MAX(n, 0));
    } while (n > 0 && chunk->least > 0);
    return MIN(n, 0);
}

static int write_chunk(struct tap *tap, struct chunk *chunk) {
    int r;

    tap->sink->ops->begin(tap->sink, chunk->wall, &tap->tag);
    r = write_held(tap);
    if (r < 0)
        return r;
    if (chunk->kind == CHUNK_BYTES)
        return write_bytes(tap, chunk);
    if (chunk->kind == CHUNK_PIPE)
        return move_pipe(tap, chunk);
    return write_interruption(tap, chunk);
}

void tap_enlist(struct tap *tap) {
    struct tap **head = &tap->sink->taps;

    if (tap->link)
        return;
    tap->next = *head;
    tap->link = head;
    if (*head)
        (*head)->link = &tap->next;
    *head = tap;
}

static void delist(struct tap *tap) {
    *tap->link = tap->next;
    if (tap->next)
        tap->next->link = tap->link;
    tap->link = NULL;
}

int tap_write(struct tap *tap, struct chunk *chunk) {
    tap_enlist(tap);
    int r = write_chunk(tap, chunk);

    if (r >= 0 && chunk->kind == CHUNK_END)
        delist(tap);
    return r;
}

void tap_finish(struct tap *tap) {
    free(TAKE(tap->frame.carry));
}
