/* SPDX-License-Identifier: MIT */

/* logs/entry and logs/segment: lines and names of files that anybody may have written. */

#include "fuzz.h"
#include "logs/entry.h"
#include "logs/segment.h"

static void check_name(const uint8_t *data, size_t size) {
    char *file = fuzz_text(data, size), again[SEGMENT_NAME_MAX];
    struct segment segment;

    if (segment_parse(file, "web.log", &segment) >= 0) {
        PROMISE(strcmp(segment.file, file) == 0);
        PROMISE(segment.packing < SEGMENT_PACKING_MAX);
        PROMISE(segment_format("web.log", segment.wall, segment.sequence, again) == 0);
        PROMISE(strncmp(again, file, strlen("web.log.20261122T192858Z-")) == 0);
    }
    free(file);
}

/* What is tagged can be written again and is the same then. */
static void check_again(const struct entry *entry) {
    char memory[FRAME_PREFIX_MAX];
    struct buffer prefix = BUFFER(memory);
    struct entry again = {0};

    frame_add_prefix(&prefix, FRAME_JSON, entry->wall, &entry->tag);
    size_t room = frame_piece_room(FRAME_JSON, prefix.length, &entry->piece);
    struct buffer out = {.data = malloc(room + 1), .size = room + 1};
    if (!out.data)
        abort();
    frame_add_piece(&out, FRAME_JSON, &prefix, &entry->piece);
    PROMISE(!out.cut && !prefix.cut);
    entry_parse(&again, out.data, out.length - 1);
    PROMISE(again.is_tagged && again.wall == entry->wall);
    PROMISE(again.tag.worker == entry->tag.worker && again.piece.end == entry->piece.end);
    entry_finish(&again);
    free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct entry entry = {.wall = 5};

    check_name(data, size);
    entry_parse(&entry, (const char *)data, size);
    PROMISE(strlen(entry.pool) <= ENTRY_POOL_MAX);
    PROMISE(entry.piece.end < FRAME_END_MAX && entry.tag.stream < FRAME_STREAM_MAX);
    if (entry.is_tagged)
        check_again(&entry);
    else
        PROMISE(entry.piece.length == size && entry.wall == 5);
    entry_finish(&entry);
    return 0;
}
