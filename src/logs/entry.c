/* SPDX-License-Identifier: MIT */
#include "logs/entry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "base/utc.h"

struct cursor {
    const char *at;
    size_t left;
};

static bool skip(struct cursor *cursor, const char *text) {
    size_t n = strlen(text);

    if (cursor->left < n || memcmp(cursor->at, text, n) != 0)
        return false;
    cursor->at += n;
    cursor->left -= n;
    return true;
}

static bool read_time(struct cursor *cursor, uint64_t *ret_wall) {
    char text[UTC_LENGTH + 1];

    if (cursor->left < UTC_LENGTH)
        return false;
    memcpy(text, cursor->at, UTC_LENGTH);
    text[UTC_LENGTH] = '\0';
    if (utc_parse(text, ret_wall) < 0)
        return false;
    cursor->at += UTC_LENGTH;
    cursor->left -= UTC_LENGTH;
    return true;
}

static bool read_number(struct cursor *cursor, uint64_t max, uint64_t *ret_number) {
    char digits[24];
    size_t n = 0;

    while (
        n < cursor->left && n < sizeof(digits) - 1 && cursor->at[n] >= '0' && cursor->at[n] <= '9')
        n++;
    memcpy(digits, cursor->at, n);
    digits[n] = '\0';
    if (text_parse_u64(digits, 0, max, ret_number) < 0)
        return false;
    cursor->at += n;
    cursor->left -= n;
    return true;
}

/* A name may have a slash itself: the last one before the blank is the one of the number. */
static bool read_worker(struct cursor *cursor, struct entry *entry) {
    const char *blank = memchr(cursor->at, ' ', cursor->left);
    const char *slash = blank ? memrchr(cursor->at, '/', (size_t)(blank - cursor->at)) : NULL;
    size_t n = slash ? (size_t)(slash - cursor->at) : 0;
    uint64_t worker;

    if (n == 0 || n > ENTRY_POOL_MAX)
        return false;
    memcpy(entry->pool, cursor->at, n);
    entry->pool[n] = '\0';
    cursor->at += n + 1;
    cursor->left -= n + 1;
    if (!read_number(cursor, UINT32_MAX, &worker))
        return false;
    entry->tag.worker = (uint32_t)worker;
    return true;
}

static bool read_stream(struct cursor *cursor, struct entry *entry) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        if (!skip(cursor, frame_stream_name((enum frame_stream)i)))
            continue;
        entry->tag.stream = (enum frame_stream)i;
        return true;
    }
    return false;
}

static bool read_end(struct cursor *cursor, struct entry *entry) {
    for (int i = 0; i < FRAME_END_MAX; i++) {
        const char mark[] = {frame_end_mark((enum frame_end)i), ' ', '\0'};

        if (!skip(cursor, mark))
            continue;
        entry->piece.end = (enum frame_end)i;
        return true;
    }
    return false;
}

/* "2026-11-22T19:28:58.010255Z web/3 [10419 #2 orphan] out: the text" */
static bool parse_text(struct entry *entry, const char *line, size_t length) {
    struct cursor cursor = {line, length};
    uint64_t wall, pid, generation;

    if (!read_time(&cursor, &wall) || !skip(&cursor, " ") || !read_worker(&cursor, entry) ||
        !skip(&cursor, " [") || !read_number(&cursor, INT32_MAX, &pid) || !skip(&cursor, " #") ||
        !read_number(&cursor, UINT32_MAX, &generation))
        return false;
    entry->tag.orphan = skip(&cursor, " orphan");
    if (!skip(&cursor, "] ") || !read_stream(&cursor, entry) || !read_end(&cursor, entry))
        return false;
    entry->wall = wall;
    entry->tag.pid = (pid_t)pid;
    entry->tag.generation = (uint32_t)generation;
    entry->piece.text = cursor.at;
    entry->piece.length = cursor.left;
    return true;
}

static bool take_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret_number) {
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return *ret_number <= max;
}

static bool take_names(struct entry *entry) {
    const char *time = json_string_value(json_object_get(entry->json, "time"));
    const char *pool = json_string_value(json_object_get(entry->json, "pool"));
    const char *stream = json_string_value(json_object_get(entry->json, "stream"));
    const char *end = json_string_value(json_object_get(entry->json, "end"));
    struct cursor rest = {stream, stream ? strlen(stream) : 0};

    if (!time || strlen(time) != UTC_LENGTH || utc_parse(time, &entry->wall) < 0)
        return false;
    if (!pool || strlen(pool) > ENTRY_POOL_MAX || !read_stream(&rest, entry) || rest.left > 0)
        return false;
    strcpy(entry->pool, pool);
    for (int i = 0; end && i < FRAME_END_MAX; i++)
        if (strcmp(end, frame_end_name((enum frame_end)i)) == 0)
            entry->piece.end = (enum frame_end)i;
    return true;
}

static bool parse_json(struct entry *entry, const char *line, size_t length) {
    uint64_t worker, pid, generation, before = entry->wall;

    if (length == 0 || line[0] != '{')
        return false;
    entry->json = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
    const json_t *text = json_object_get(entry->json, "text");
    if (!json_is_string(text) || !take_number(entry->json, "worker", UINT32_MAX, &worker) ||
        !take_number(entry->json, "pid", INT32_MAX, &pid) ||
        !take_number(entry->json, "generation", UINT32_MAX, &generation) || !take_names(entry)) {
        entry_finish(entry);
        entry->wall = before;
        return false;
    }
    entry->tag.worker = (uint32_t)worker;
    entry->tag.pid = (pid_t)pid;
    entry->tag.generation = (uint32_t)generation;
    entry->tag.orphan = json_is_true(json_object_get(entry->json, "orphan"));
    entry->piece.text = json_string_value(text);
    entry->piece.length = json_string_length(text);
    return true;
}

void entry_parse(struct entry *entry, const char *line, size_t length) {
    struct frame_tag tag = entry->tag;
    char pool[ENTRY_POOL_MAX + 1];

    entry_finish(entry);
    strcpy(pool, entry->pool);
    entry->tag = (struct frame_tag){.pool = entry->pool};
    entry->piece = (struct frame_piece){.begins = true};
    entry->is_tagged = parse_text(entry, line, length) || parse_json(entry, line, length);
    if (entry->is_tagged)
        return;
    strcpy(entry->pool, pool);
    entry->tag = tag;
    entry->tag.pool = entry->pool;
    entry->piece = (struct frame_piece){line, length, FRAME_WHOLE, true};
}

void entry_finish(struct entry *entry) {
    json_decref(entry->json);
    entry->json = NULL;
}
