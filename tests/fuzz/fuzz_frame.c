/* SPDX-License-Identifier: MIT */

/* core/frame: whatever a worker writes, in whatever portions, comes out as it went in. */

#include "base/macro.h"
#include "core/frame.h"
#include "fuzz.h"

struct sum {
    char *bytes;
    size_t length;
};

static void add(struct sum *sum, const struct frame_piece *piece, uint32_t limit) {
    char prefix_text[16] = "p", out[1024];
    struct buffer prefix = BUFFER(prefix_text), buffer = BUFFER(out);

    PROMISE(piece->length <= limit);
    PROMISE(!memchr(piece->text, '\n', piece->length) || piece->length == 0);
    memcpy(sum->bytes + sum->length, piece->text, piece->length);
    sum->length += piece->length;
    if (piece->end == FRAME_WHOLE)
        sum->bytes[sum->length++] = '\n';

    frame_add_piece(&buffer, FRAME_JSON, &prefix, piece);
    PROMISE(!buffer.cut);
    PROMISE(buffer.length <= frame_piece_room(FRAME_JSON, 0, piece));
    PROMISE(memchr(out, '\n', buffer.length) == out + buffer.length - 1);
}

/* The first byte is the limit, the second how many bytes arrive at a time and whether to skip. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    uint32_t limit = 4 + data[0] % 64;
    size_t portion = 1 + data[1] % 128, begin = 0;
    struct frame frame = {.limit = limit, .carry = malloc(limit)};
    struct sum sum = {.bytes = malloc(size + 1)};
    struct frame_piece piece;

    if (!frame.carry || !sum.bytes)
        abort();
    data += 2;
    size -= 2;
    if (size > 0 && data[-1] & 0x80) {
        const uint8_t *newline = memchr(data, '\n', size);

        frame_skip_line(&frame);
        begin = newline ? (size_t)(newline - data) + 1 : size;
    }
    for (size_t at = 0; at < size; at += portion) {
        struct frame_input input = {(const char *)data + at, MIN(portion, size - at)};

        while (frame_next(&frame, &input, &piece))
            add(&sum, &piece, limit);
        frame_keep(&frame, &input);
        PROMISE(frame.carried <= limit);
    }
    if (frame_finish(&frame, FRAME_BARE, &piece))
        add(&sum, &piece, limit);
    PROMISE(sum.length == size - begin);
    PROMISE(sum.length == 0 || memcmp(sum.bytes, data + begin, sum.length) == 0);
    free(frame.carry);
    free(sum.bytes);
    return 0;
}
