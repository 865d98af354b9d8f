/* SPDX-License-Identifier: MIT */
#include "core/frame.h"

#include <string.h>

#include "base/macro.h"

/* Passes over the rest of a line, with its newline. True once the next line begins. */
static bool skip_line(struct frame *frame, struct frame_input *input) {
    const char *newline = memchr(input->bytes, '\n', input->length);
    size_t n = newline ? (size_t)(newline - input->bytes) + 1 : input->length;

    input->bytes += n;
    input->length -= n;
    frame->skipping = !newline;
    return newline != NULL;
}

/* How many bytes at the end begin a character of UTF-8 that would go on behind them. */
static size_t broken_tail(const char *text, size_t length) {
    for (size_t back = 1; back <= MIN(length, (size_t)3); back++) {
        unsigned char c = (unsigned char)text[length - back];
        size_t wanted = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if (c >= 0x80 && c < 0xc0)
            continue;
        return wanted > back ? back : 0;
    }
    return 0;
}

static void drop_spent(struct frame *frame) {
    frame->carried -= frame->spent;
    if (frame->carried > 0 && frame->spent > 0)
        memmove(frame->carry, frame->carry + frame->spent, frame->carried);
    frame->spent = 0;
}

static void carry(struct frame *frame, struct frame_input *input, size_t n) {
    if (n > 0)
        memcpy(frame->carry + frame->carried, input->bytes, n);
    frame->carried += (uint32_t)n;
    input->bytes += n;
    input->length -= n;
}

static void take(
    struct frame *frame, struct frame_input *input, size_t n, struct frame_piece *piece) {
    bool is_carried = frame->carried > 0;

    piece->begins = !frame->in_line;
    piece->text = is_carried ? frame->carry : input->bytes;
    piece->length = frame->carried + n;
    if (is_carried) {
        carry(frame, input, n);
        frame->spent = frame->carried;
    } else {
        input->bytes += n;
        input->length -= n;
    }
}

static void take_line(
    struct frame *frame, struct frame_input *input, size_t n, struct frame_piece *piece) {
    take(frame, input, n, piece);
    piece->end = FRAME_WHOLE;
    input->bytes++;
    input->length--;
    frame->in_line = false;
}

static void take_part(
    struct frame *frame, struct frame_input *input, size_t n, struct frame_piece *piece) {
    take(frame, input, n, piece);
    size_t back = broken_tail(piece->text, piece->length);

    piece->end = FRAME_CONTINUED;
    piece->length -= back;
    if (frame->spent > 0) {
        frame->spent -= (uint32_t)back;
    } else {
        input->bytes -= back;
        input->length += back;
    }
    frame->in_line = true;
}

bool frame_next(struct frame *frame, struct frame_input *input, struct frame_piece *ret_piece) {
    drop_spent(frame);
    if (frame->skipping && !skip_line(frame, input))
        return false;
    if (input->length == 0)
        return false;

    size_t room = frame->limit - frame->carried;
    const char *newline = memchr(input->bytes, '\n', MIN(input->length, room + 1));
    if (newline)
        take_line(frame, input, (size_t)(newline - input->bytes), ret_piece);
    else if (input->length > room)
        take_part(frame, input, room, ret_piece);
    else
        return false;
    return true;
}

void frame_keep(struct frame *frame, struct frame_input *input) {
    carry(frame, input, input->length);
}

bool frame_finish(struct frame *frame, enum frame_end end, struct frame_piece *ret_piece) {
    drop_spent(frame);
    if (frame->carried == 0)
        return false;

    struct frame_input nothing = {.length = 0};
    take(frame, &nothing, 0, ret_piece);
    ret_piece->end = end;
    frame->in_line = false;
    return true;
}

void frame_skip_line(struct frame *frame) {
    frame->skipping = true;
    frame->in_line = false;
}
