/* SPDX-License-Identifier: MIT */

/* The files of a log: rotation, retention, compression, formats. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

TestSuite(logfile, .timeout = RIG_TIMEOUT);

static off_t size_of(const struct rig *rig, const char *file) {
    struct stat status;
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", rig->directory, file);
    cr_assert_eq(stat(path, &status), 0);
    return status.st_size;
}

Test(logfile, rotates_by_size_between_lines)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_size = 10000;
    rig_open(&rig);
    rig_run(&rig, 5000);
    rig_close(&rig);

    struct segment_list list = rig_segments(&rig);
    cr_assert_gt(list.count, 20);
    for (size_t i = 0; i < list.count; i++) {
        off_t size = size_of(&rig, list.segments[i].file);

        cr_assert_eq(list.segments[i].sequence, i + 1);
        cr_assert(size <= 10000 && size > 9900, "%ld", (long)size);
    }
    segment_list_finish(&list);
    rig_check_lines(&rig, 5000);
    rig_finish(&rig);
}

Test(logfile, goes_on_with_the_numbers_of_an_earlier_life)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_size = 10000;
    rig_open(&rig);
    rig_run(&rig, 1000);
    rig_close(&rig);
    struct segment_list before = rig_segments(&rig);

    struct rig again;
    rig_init(&again);
    again.settings.file.directory = rig.directory;
    again.settings.file.max_size = 10000;
    rig_open(&again);
    rig_run(&again, 1000);
    rig_close(&again);
    rig_finish(&again);
    struct segment_list after = rig_segments(&rig);
    cr_assert_gt(after.count, before.count + 2);
    for (size_t i = 0; i < after.count; i++)
        cr_assert_eq(after.segments[i].sequence, i + 1);
    segment_list_finish(&before);
    segment_list_finish(&after);
    rig_finish(&rig);
}

Test(logfile, keeps_so_many_files)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_size = 10000;
    rig.settings.file.max_files = 3;
    rig_open(&rig);
    rig_run(&rig, 5000);
    rig_close(&rig);
    struct segment_list list = rig_segments(&rig);
    cr_assert_eq(list.count, 3);
    cr_assert_gt(list.segments[0].sequence, 20);
    segment_list_finish(&list);
    rig_finish(&rig);
}

Test(logfile, keeps_so_many_bytes)
{
    struct rig rig;
    off_t total = 0;

    rig_init(&rig);
    rig.settings.file.max_size = 10000;
    rig.settings.file.max_total = 45000;
    rig_open(&rig);
    rig_run(&rig, 5000);
    rig_close(&rig);
    struct segment_list list = rig_segments(&rig);
    for (size_t i = 0; i < list.count; i++)
        total += size_of(&rig, list.segments[i].file);
    cr_assert_eq(list.count, 4);
    cr_assert_leq(total, 45000);
    segment_list_finish(&list);
    rig_finish(&rig);
}

Test(logfile, rotates_by_age)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_age = NSEC_PER_SEC;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, "line 00000000\n");
    while (rig_count_segments(&rig) == 0)
        loop_turn(rig.loop, false);
    rig_write(&a, FRAME_OUT, "line 00000001\n");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_check_lines(&rig, 2);
    rig_finish(&rig);
}

/* Bytes that nobody looks at are no reason to cut a line in two. */
Test(logfile, rotates_raw_bytes_by_age_between_lines)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_age = NSEC_PER_SEC;
    rig.settings.file.format = FRAME_RAW;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 3, 1);
    rig_write(&a, FRAME_OUT, "half of ");
    for (nsec_t end = nsec_add(loop_clock(), 2 * NSEC_PER_SEC); loop_clock() < end;)
        loop_turn(rig.loop, false);
    rig_write(&a, FRAME_OUT, "a line\n");
    struct segment_list list = {0};
    int fd = open(rig.directory, O_RDONLY | O_DIRECTORY);
    while (list.count == 0) {
        segment_list_finish(&list);
        loop_turn(rig.loop, false);
        cr_assert_eq(segment_list(fd, "web@3.out.log", &list), 0);
    }
    close(fd);
    char *old = rig_read(&rig, list.segments[0].file);
    cr_assert_str_eq(old, "half of a line\n");
    free(old);
    segment_list_finish(&list);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* Everything is compressed in the end, has the mode of the original, and is complete. */
Test(logfile, compresses_what_is_rotated)
{
    struct rig rig;
    struct segment_list list;
    size_t packed;

    rig_init(&rig);
    rig.settings.file.max_size = 100000;
    rig.settings.file.mode = 0604;
    rig.settings.compress = true;
    rig_open(&rig);
    rig_run(&rig, 5000);
    do {
        list = rig_segments(&rig);
        packed = 0;
        for (size_t i = 0; i < list.count; i++)
            packed += list.segments[i].packing != SEGMENT_PLAIN && !list.segments[i].unfinished;
        cr_assert_gt(list.count, 1);
        if (packed == list.count)
            break;
        segment_list_finish(&list);
        usleep(1000);
    } while (true);
    for (size_t i = 0; i < list.count; i++) {
        char path[600];
        struct stat status;

        snprintf(path, sizeof(path), "%s/%s", rig.directory, list.segments[i].file);
        cr_assert_eq(stat(path, &status), 0);
        cr_assert_eq(status.st_mode & 07777, 0604);
    }
    segment_list_finish(&list);
    rig_close(&rig);
    rig_check_lines(&rig, 5000);
    rig_finish(&rig);
}

/* What interrupted compressions leave: half a copy, or both. */
Test(logfile, clears_up_after_interrupted_compressions)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.compress = true;
    rig_put(&rig, "web.log.20260102T030405Z-000007", "seven\n");
    rig_put(&rig, "web.log.20260102T030405Z-000007.zst.part", "half");
    rig_put(&rig, "web.log.20260102T030406Z-000008", "eight\n");
    rig_put(&rig, "web.log.20260102T030406Z-000008.gz", "taken as complete");
    rig_put(&rig, "web.logs.20260102T030406Z-000009", "foreign");
    rig_open(&rig);
    while (!rig_exists(&rig, "web.log.20260102T030405Z-000007.zst") &&
           !rig_exists(&rig, "web.log.20260102T030405Z-000007.gz"))
        usleep(1000);
    rig_close(&rig);
    cr_assert(!rig_exists(&rig, "web.log.20260102T030405Z-000007.zst.part"));
    cr_assert(!rig_exists(&rig, "web.log.20260102T030405Z-000007"));
    cr_assert(!rig_exists(&rig, "web.log.20260102T030406Z-000008"));
    cr_assert(rig_exists(&rig, "web.log.20260102T030406Z-000008.gz"));
    cr_assert(rig_exists(&rig, "web.logs.20260102T030406Z-000009"));
    rig_finish(&rig);
}

/* A FIFO that nobody writes to, and a link, of which each has the name of a rotated file. */
Test(logfile, compresses_regular_files_only)
{
    struct rig rig;
    char path[128];

    rig_init(&rig);
    rig.settings.compress = true;
    snprintf(path, sizeof(path), "%s/web.log.20260102T030405Z-000001", rig.directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/web.log.20260102T030405Z-000002", rig.directory);
    cr_assert_eq(symlink("secret", path), 0);
    rig_put(&rig, "secret", "not to be copied");
    rig_put(&rig, "web.log.20260102T030405Z-000003", "three\n");
    rig_open(&rig);
    while (rig_exists(&rig, "web.log.20260102T030405Z-000003"))
        usleep(1000);
    rig_close(&rig);
    cr_assert(rig_exists(&rig, "web.log.20260102T030405Z-000002"));
    cr_assert(!rig_exists(&rig, "web.log.20260102T030405Z-000002.zst"));
    cr_assert(!rig_exists(&rig, "web.log.20260102T030405Z-000002.gz"));
    rig_finish(&rig);
}

Test(logfile, opens_anew_on_request)
{
    struct rig rig;
    char from[128], to[128], *moved = NULL;

    rig_init(&rig);
    rig_open(&rig);
    snprintf(from, sizeof(from), "%s/web.log", rig.directory);
    snprintf(to, sizeof(to), "%s/moved", rig.directory);
    rig_run(&rig, 1);
    while (!moved || *moved == '\0') {
        free(moved);
        moved = rig_read(&rig, "web.log");
    }
    free(moved);
    cr_assert_eq(rename(from, to), 0);
    rig_run(&rig, 1);
    capture_reopen(rig.capture);
    while (access(from, F_OK) < 0)
        usleep(1000);
    rig_run(&rig, 1);
    rig_close(&rig);
    moved = rig_read(&rig, "moved");
    cr_assert_eq(rig_count(moved, "line"), 2);
    free(moved);
    rig_check_lines(&rig, 1);
    rig_finish(&rig);
}

/* Bytes as they are: no line is split between files, all of it is there. */
static void check_raw(uint64_t max_size, enum capture_overflow overflow) {
    struct rig rig;
    char text[64];

    rig_init(&rig);
    rig.settings.file.format = FRAME_RAW;
    rig.settings.file.max_size = max_size;
    rig.settings.overflow = overflow; /* drop: not moved, but read… */
    rig.settings.buffer = 1 << 20;    /* …with room for all, however slow the writer is */
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 3, 1);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "%u\n", i);
        rig_write(&a, FRAME_OUT, text);
        if (i % 500 == 499)
            loop_turn(rig.loop, true);
    }
    rig_write(&a, FRAME_OUT, "\nthe end");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);

    char *all = rig_read_all(&rig, "web@3.out.log"), *at = all;
    for (unsigned i = 0; i < 20000; i++) {
        int n = snprintf(text, sizeof(text), "%u\n", i);

        cr_assert_eq(strncmp(at, text, (size_t)n), 0, "%u instead of %.10s", i, at);
        at += n;
    }
    cr_assert_str_eq(at, "\nthe end");
    free(all);

    int fd = open(rig.directory, O_RDONLY | O_DIRECTORY);
    struct segment_list list;
    cr_assert_eq(segment_list(fd, "web@3.out.log", &list), 0);
    close(fd);
    cr_assert_eq(list.count > 5, max_size > 0);
    for (size_t i = 0; i < list.count; i++) {
        char *part = rig_read(&rig, list.segments[i].file);

        cr_assert_eq(part[strlen(part) - 1], '\n');
        free(part);
    }
    segment_list_finish(&list);
    rig_finish(&rig);
}

Test(logfile, moves_raw_bytes)
{ check_raw(0, CAPTURE_BLOCK); }

Test(logfile, rotates_raw_bytes_between_lines)
{ check_raw(10000, CAPTURE_BLOCK); }

Test(logfile, copies_raw_bytes_where_it_has_to)
{ check_raw(10000, CAPTURE_DROP); }

Test(logfile, writes_json)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.format = FRAME_JSON;
    rig_open(&rig);
    rig_run(&rig, 1);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "\"pool\":\"web\",\"worker\":0,\"pid\":100,\"generation\":1,"
                          "\"stream\":\"out\",\"text\":\"line 00000000\"}\n"),
        "%s", log);
    free(log);
    rig_finish(&rig);
}
