/* SPDX-License-Identifier: MIT */
#include "run/peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "run/tap.h"
#include "sys/wall.h"

#define FIRST_CAPACITY 4096

/* A tap as the chunks that are looked at leave it. */
struct shadow {
    struct tap tap;
    struct tap *original;
    struct rate rate; /* as it was: the worker's other taps share it, and the shadows use it, too */
    struct shadow *next;
};

struct look {
    struct sink sink; /* takes what the real one will take */
    struct peek *peek;
    struct shadow *shadows; /* the latest first */
    struct buffer prefix;
    char prefix_memory[FRAME_PREFIX_MAX];
};

struct peek *peek_new(void *owner, uint64_t ticket, atomic_size_t *room) {
    struct peek *peek = calloc(1, sizeof(*peek));

    if (!peek)
        return NULL;
    peek->owner = owner;
    peek->ticket = ticket;
    peek->room = room;
    return peek;
}

struct peek *peek_free(struct peek *peek) {
    if (!peek)
        return NULL;
    atomic_fetch_add(peek->room, peek->capacity);
    free(peek->bytes);
    free(peek);
    return NULL;
}

static bool take_room(atomic_size_t *room, size_t n) {
    size_t left = atomic_load(room);

    while (left >= n)
        if (atomic_compare_exchange_weak(room, &left, left - n))
            return true;
    return false;
}

/* Room for `more` bytes and a NUL; false: there is none, and the answer ends here. */
static bool reserve(struct peek *peek, size_t more) {
    size_t needed = peek->length + more + 1, before = peek->capacity;

    size_t size = before == 0 ? FIRST_CAPACITY : 2 * before;

    if (needed <= before)
        return true;
    size = MAX(size, needed);
    if (!take_room(peek->room, size - before)) {
        size = needed;
        if (!take_room(peek->room, size - before))
            size = 0;
    }
    char *grown = size > 0 ? realloc(peek->bytes, size) : NULL;
    if (!grown) {
        atomic_fetch_add(peek->room, size > 0 ? size - before : 0);
        peek->is_cut = true;
        return false;
    }
    peek->bytes = grown;
    peek->capacity = size;
    return true;
}

/* The sink that stands for the real one */

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    struct look *look = container_of(sink, struct look, sink);

    look->prefix = BUFFER(look->prefix_memory);
    frame_add_prefix(&look->prefix, look->peek->file.format, wall, tag);
}

static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct look *look = container_of(sink, struct look, sink);
    struct peek *peek = look->peek;

    if (!reserve(peek, frame_piece_room(peek->file.format, look->prefix.length, piece)))
        return -ENOBUFS;
    struct buffer out = {.data = peek->bytes, .size = peek->capacity, .length = peek->length};
    frame_add_piece(&out, peek->file.format, &look->prefix, piece);
    peek->length = out.length;
    return 0;
}

static const struct sink_ops look_ops = {.begin = begin, .piece = take_piece};

/* Shadows */

static int copy_carry(struct tap *tap) {
    const char *before = tap->frame.carry;

    if (!before)
        return 0;
    tap->frame.carry = malloc(tap->frame.limit);
    if (!tap->frame.carry)
        return -ENOMEM;
    memcpy(tap->frame.carry, before, tap->frame.carried);
    return 0;
}

/* What the loop may change meanwhile is not copied. */
static struct shadow *shadow_new(struct look *look, struct tap *tap) {
    struct shadow *shadow = calloc(1, sizeof(*shadow));

    if (!shadow)
        return NULL;
    shadow->tap = (struct tap){
        .sink = &look->sink,
        .tag = tap->tag,
        .frame = tap->frame,
        .rate = tap->rate,
        .limit = tap->limit,
        .held = tap->held,
        .is_held = tap->is_held,
        .passes = tap->passes,
    };
    if (copy_carry(&shadow->tap) < 0) {
        free(shadow);
        return NULL;
    }
    shadow->original = tap;
    if (tap->rate)
        shadow->rate = *tap->rate;
    shadow->next = look->shadows;
    look->shadows = shadow;
    tap_enlist(tap);
    tap->shadow = &shadow->tap;
    return shadow;
}

static struct tap *shadow_of(struct look *look, struct tap *tap) {
    if (tap->shadow)
        return tap->shadow;
    struct shadow *shadow = shadow_new(look, tap);
    return shadow ? &shadow->tap : NULL;
}

/* The latest first: of a rate that several have saved, the first saved what it was. */
static void drop_shadows(struct look *look) {
    for (struct shadow *shadow = look->shadows, *next; shadow; shadow = next) {
        next = shadow->next;
        if (shadow->original->rate)
            *shadow->original->rate = shadow->rate;
        shadow->original->shadow = NULL;
        tap_finish(&shadow->tap);
        free(shadow);
    }
}

/* Looking */

static void add_taken(struct peek *peek) {
    const struct sink_file *file = &peek->file;

    if (file->n_taken == 0 || !reserve(peek, file->n_taken))
        return;
    memcpy(peek->bytes, file->taken, file->n_taken);
    peek->length = file->n_taken;
}

static void add_chunk(struct look *look, struct chunk *chunk) {
    struct tap *tap = shadow_of(look, chunk->tap);
    size_t offset = chunk->offset;
    uint8_t step = chunk->step;

    if (!tap) {
        look->peek->is_cut = true;
        return;
    }
    int r = tap_write(tap, chunk);
    chunk->offset = offset;
    chunk->step = step;
    look->peek->is_cut |= r < 0;
}

/* What has no end yet, but for a line that the rate limit suppresses. */
static void add_unfinished(struct look *look, const struct tap *tap) {
    const struct frame *frame = &tap->frame;
    const struct frame_piece piece = {
        .text = frame->carry ? frame->carry + frame->spent : NULL,
        .length = frame->carried - frame->spent,
        .end = FRAME_UNFINISHED,
        .begins = !frame->in_line,
    };

    if (piece.length == 0 || (frame->in_line && !tap->passes))
        return;
    begin(&look->sink, wall_clock(), &tap->tag);
    take_piece(&look->sink, &piece);
}

void peek_look(struct peek *peek, struct sink *sink, struct chunk *first, struct chunk *last) {
    struct look look = {.sink.ops = &look_ops, .peek = peek};

    peek->error = -sink->ops->look(sink, &peek->file);
    if (peek->error != 0)
        return;
    add_taken(peek);
    for (struct chunk *chunk = first; chunk && !peek->is_cut;
         chunk = chunk == last ? NULL : chunk->next)
        add_chunk(&look, chunk);
    peek->n_pending = peek->length;
    for (const struct tap *tap = sink->taps; tap && !peek->is_cut; tap = tap->next)
        add_unfinished(&look, tap->shadow ? tap->shadow : tap);
    drop_shadows(&look);
    peek->file.taken = NULL; /* the sink's own, and gone with the next write */
}
