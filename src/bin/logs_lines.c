/* SPDX-License-Identifier: MIT */
#include "bin/logs_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define LAST_MAX 10000000

struct logs_lines logs_lines_init(bool json) {
    bool is_terminal = isatty(STDOUT_FILENO) && !json;

    return (struct logs_lines){
        .json = json,
        .is_terminal = is_terminal,
        .is_coloured = is_terminal && !getenv("NO_COLOR"),
    };
}

void logs_lines_finish(struct logs_lines *lines) {
    free(lines->out);
}

static void print_bytes(const struct buffer *out) {
    fwrite(out->data, 1, out->length, stdout);
}

static int reserve(struct logs_lines *lines, size_t size) {
    if (size <= lines->out_size)
        return 0;
    char *grown = realloc(lines->out, size);
    if (!grown)
        return -ENOMEM;
    lines->out = grown;
    lines->out_size = size;
    return 0;
}

static void add_line(const struct logs_lines *lines, struct buffer *out, const struct entry *entry,
    enum frame_format format) {
    char memory[FRAME_PREFIX_MAX];
    struct buffer prefix = BUFFER(memory);

    frame_add_prefix(&prefix, format, entry->wall, &entry->tag);
    if (format == FRAME_RAW && lines->is_terminal)
        frame_add_terminal_raw(out, &entry->piece);
    else if (format == FRAME_TEXT && lines->is_terminal)
        frame_add_terminal_piece(
            out, &prefix, entry->tag.worker, lines->is_coloured, &entry->piece);
    else
        frame_add_piece(out, format, &prefix, &entry->piece);
}

/* Lines that never had tags are shown without, unless somebody wants JSON. */
static int render(struct logs_lines *lines, const struct entry *entry, struct buffer *ret_out) {
    enum frame_format format = lines->json ? FRAME_JSON : entry->is_tagged ? FRAME_TEXT : FRAME_RAW;
    size_t room = MAX(frame_piece_room(format, FRAME_PREFIX_MAX, &entry->piece),
        frame_terminal_room(FRAME_PREFIX_MAX, &entry->piece));

    if (reserve(lines, room + 1) < 0)
        return -ENOMEM;
    *ret_out = (struct buffer){.data = lines->out, .size = lines->out_size};
    add_line(lines, ret_out, entry, format);
    return 0;
}

int logs_print(struct logs_lines *lines, struct merge *merge, bool follow) {
    const struct entry *entry;
    struct buffer line;
    int r;

    while ((r = merge_next(merge, follow, &entry)) > 0) {
        r = render(lines, entry, &line);
        if (r < 0)
            return r;
        print_bytes(&line);
    }
    return r;
}

/* The last lines: a ring of what is to be printed, once the end is known. */
struct ring {
    struct buffer *lines;
    size_t size, count, next;
};

static int ring_put(struct ring *ring, const struct buffer *line) {
    struct buffer *place = &ring->lines[ring->next];
    char *copy = realloc(place->data, line->length + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, line->data, line->length + 1);
    *place = (struct buffer){.data = copy, .size = line->length + 1, .length = line->length};
    ring->next = (ring->next + 1) % ring->size;
    ring->count = MIN(ring->count + 1, ring->size);
    return 0;
}

static void ring_print(struct ring *ring) {
    for (size_t i = 0; i < ring->count; i++)
        print_bytes(&ring->lines[(ring->next + ring->size - ring->count + i) % ring->size]);
    for (size_t i = 0; i < ring->size; i++)
        free(ring->lines[i].data);
    free(ring->lines);
}

static int fill_ring(
    struct logs_lines *lines, struct merge *merge, bool follow, struct ring *ring) {
    const struct entry *entry;
    struct buffer line;
    int r;

    while ((r = merge_next(merge, follow, &entry)) > 0) {
        r = render(lines, entry, &line);
        if (r >= 0 && ring->size > 0)
            r = ring_put(ring, &line);
        if (r < 0)
            return r;
    }
    return r;
}

int logs_print_last(struct logs_lines *lines, struct merge *merge, bool follow, uint64_t count) {
    struct ring ring = {.size = MIN(count, (uint64_t)LAST_MAX)};

    ring.lines = calloc(MAX(ring.size, (size_t)1), sizeof(*ring.lines));
    if (!ring.lines)
        return -ENOMEM;
    int r = fill_ring(lines, merge, follow, &ring);
    ring_print(&ring);
    return r;
}
