/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <string.h>

#include "base/macro.h"
#include "base/random.h"
#include "logs/entry.h"

static void check_same(const struct entry *entry, const struct frame_tag *tag,
    const struct frame_piece *piece, uint64_t wall) {
    cr_assert(entry->is_tagged);
    cr_assert_eq(entry->wall, wall);
    cr_assert_str_eq(entry->pool, tag->pool);
    cr_assert_eq(entry->tag.pool, entry->pool);
    cr_assert_eq(entry->tag.worker, tag->worker);
    cr_assert_eq(entry->tag.generation, tag->generation);
    cr_assert_eq(entry->tag.pid, tag->pid);
    cr_assert_eq(entry->tag.stream, tag->stream);
    cr_assert_eq(entry->tag.orphan, tag->orphan);
    cr_assert_eq(entry->piece.end, piece->end);
    cr_assert_eq(entry->piece.length, piece->length);
    cr_assert_eq(memcmp(entry->piece.text, piece->text, piece->length), 0);
}

/* Whatever is written, in either format, is read back as it was. */
Test(entry, reads_what_frame_writes)
{
    static const char *const pools[] = {"web", "a/b", "x y]", "caf\xc3\xa9", "[1 #1] out: "};
    struct random random = {23};
    struct entry entry = {0};

    for (int i = 0; i < 20000; i++) {
        char text[40], line[1024], prefix_memory[FRAME_PREFIX_MAX];
        struct frame_tag tag = {
            .pool = pools[random_below(&random, ELEMENTS(pools))],
            .worker = (uint32_t)random_next(&random),
            .generation = (uint32_t)random_next(&random),
            .pid = (pid_t)random_below(&random, INT32_MAX),
            .stream = (enum frame_stream)random_below(&random, FRAME_STREAM_MAX),
            .orphan = random_below(&random, 2),
        };
        struct frame_piece piece = {text, random_below(&random, sizeof(text)),
            (enum frame_end)random_below(&random, FRAME_END_MAX), true};
        enum frame_format format = random_below(&random, 2) ? FRAME_TEXT : FRAME_JSON;
        uint64_t wall = random_next(&random) / 1000 * 1000;
        struct buffer prefix = BUFFER(prefix_memory), out = BUFFER(line);

        for (size_t k = 0; k < piece.length; k++)
            text[k] = "ab: ]\"\\\x01\0{"[random_below(&random, 10)];
        /* A blank ends a pool's name in text: no pool is called so. */
        if (format == FRAME_TEXT && strchr(tag.pool, ' '))
            continue;
        frame_add_prefix(&prefix, format, wall, &tag);
        frame_add_piece(&out, format, &prefix, &piece);
        entry_parse(&entry, line, out.length - 1);
        check_same(&entry, &tag, &piece, wall);
    }
    entry_finish(&entry);
}

Test(entry, takes_other_lines_as_they_are)
{
    static const char *const lines[] = {
        "",
        "plain",
        "2026-11-22T19:28:58.010255Z",
        "2026-11-22T19:28:58.010255Z web/3 [10419 #2] out:",
        "2026-11-22T19:28:58.010255Z web/3 [10419 #2] oot: x",
        "2026-11-22T19:28:58.010255Z web [10419 #2] out: x",
        "2026-11-22T19:28:58.010255Z web/99999999999 [10419 #2] out: x",
        "{}",
        "{\"time\":\"2026-11-22T19:28:58.010255Z\",\"text\":\"x\"}",
        "{\"time\":1,\"pool\":\"p\",\"worker\":0,\"pid\":1,\"generation\":1,\"stream\":\"out\"}",
    };
    struct entry entry = {.wall = 77, .pool = "known", .tag = {.worker = 5}};

    for (size_t i = 0; i < ELEMENTS(lines); i++) {
        entry_parse(&entry, lines[i], strlen(lines[i]));
        cr_assert_not(entry.is_tagged, "%s", lines[i]);
        cr_assert_eq(entry.wall, 77);
        cr_assert_str_eq(entry.pool, "known");
        cr_assert_eq(entry.tag.worker, 5);
        cr_assert_eq(entry.piece.text, lines[i]);
        cr_assert_eq(entry.piece.length, strlen(lines[i]));
    }
}
