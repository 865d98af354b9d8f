/* SPDX-License-Identifier: MIT */

/* The files of a log: rotation, retention, compression, and what goes wrong and heals. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/segment.h"
#include "rig.h"

TestSuite(logfile, .timeout = RIG_TIMEOUT);

/* Writes numbered lines, and turns the loop as often as there is something to do. */
static void write_lines(struct rig *rig, const struct rig_process *process, unsigned n) {
    char line[16];

    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "line %08u\n", i);
        rig_write(process, FRAME_OUT, line);
        if (i % 500 == 499)
            while (loop_turn(rig->loop, false) > 0)
                ;
    }
}

/* One process that writes so many lines, to its end. */
static void run(struct rig *rig, unsigned n) {
    struct rig_process a = rig_start(rig, 0, 1);

    write_lines(rig, &a, n);
    rig_end(&a, NULL, NULL);
    rig_turn_until_ended(rig);
}

static void check_lines(const struct rig *rig, unsigned n) {
    char *log = rig_read_all(rig, "web.log"), *text = rig_strip(log), *at = text;
    char line[32];

    for (unsigned i = 0; i < n; i++) {
        int length = snprintf(line, sizeof(line), ": line %08u\n", i);

        cr_assert_eq(strncmp(at, line, (size_t)length), 0, "%s instead of %.30s", line, at);
        at += length;
    }
    cr_assert_eq(*at, '\0');
    free(text);
    free(log);
}

static struct segment_list list_of(const struct rig *rig) {
    int fd = open(rig->directory, O_RDONLY | O_DIRECTORY);
    struct segment_list list;

    cr_assert_eq(segment_list(fd, "web.log", &list), 0);
    close(fd);
    return list;
}

static size_t count_files(const struct rig *rig) {
    struct segment_list list = list_of(rig);
    size_t count = list.count;

    segment_list_finish(&list);
    return count;
}

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
    run(&rig, 5000);
    rig_close(&rig);

    struct segment_list list = list_of(&rig);
    cr_assert_gt(list.count, 20);
    for (size_t i = 0; i < list.count; i++) {
        off_t size = size_of(&rig, list.segments[i].file);

        cr_assert_eq(list.segments[i].sequence, i + 1);
        cr_assert(size <= 10000 && size > 9900, "%ld", (long)size);
    }
    segment_list_finish(&list);
    check_lines(&rig, 5000);
    rig_finish(&rig);
}

Test(logfile, goes_on_with_the_numbers_of_an_earlier_life)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.file.max_size = 10000;
    rig_open(&rig);
    run(&rig, 1000);
    rig_close(&rig);
    struct segment_list before = list_of(&rig);

    struct rig again;
    rig_init(&again);
    again.settings.file.directory = rig.directory;
    again.settings.file.max_size = 10000;
    rig_open(&again);
    run(&again, 1000);
    rig_close(&again);
    rig_finish(&again);
    struct segment_list after = list_of(&rig);
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
    run(&rig, 5000);
    rig_close(&rig);
    struct segment_list list = list_of(&rig);
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
    run(&rig, 5000);
    rig_close(&rig);
    struct segment_list list = list_of(&rig);
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
    while (count_files(&rig) == 0)
        loop_turn(rig.loop, false);
    rig_write(&a, FRAME_OUT, "line 00000001\n");
    rig_end(&a, NULL, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    check_lines(&rig, 2);
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
    run(&rig, 5000);
    do {
        list = list_of(&rig);
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
    check_lines(&rig, 5000);
    rig_finish(&rig);
}

static void put_file(const struct rig *rig, const char *name, const char *text) {
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", rig->directory, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static bool exists(const struct rig *rig, const char *name) {
    char *text = rig_read(rig, name);
    bool is_there = text != NULL;

    free(text);
    return is_there;
}

/* What interrupted compressions leave: half a copy, or both. */
Test(logfile, clears_up_after_interrupted_compressions)
{
    struct rig rig;

    rig_init(&rig);
    rig.settings.compress = true;
    put_file(&rig, "web.log.20260102T030405Z-000007", "seven\n");
    put_file(&rig, "web.log.20260102T030405Z-000007.zst.part", "half");
    put_file(&rig, "web.log.20260102T030406Z-000008", "eight\n");
    put_file(&rig, "web.log.20260102T030406Z-000008.gz", "taken as complete");
    put_file(&rig, "web.logs.20260102T030406Z-000009", "foreign");
    rig_open(&rig);
    while (!exists(&rig, "web.log.20260102T030405Z-000007.zst") &&
           !exists(&rig, "web.log.20260102T030405Z-000007.gz"))
        usleep(1000);
    rig_close(&rig);
    cr_assert(!exists(&rig, "web.log.20260102T030405Z-000007.zst.part"));
    cr_assert(!exists(&rig, "web.log.20260102T030405Z-000007"));
    cr_assert(!exists(&rig, "web.log.20260102T030406Z-000008"));
    cr_assert(exists(&rig, "web.log.20260102T030406Z-000008.gz"));
    cr_assert(exists(&rig, "web.logs.20260102T030406Z-000009"));
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
    run(&rig, 1);
    while (!moved || *moved == '\0') {
        free(moved);
        moved = rig_read(&rig, "web.log");
    }
    free(moved);
    cr_assert_eq(rename(from, to), 0);
    run(&rig, 1);
    capture_reopen(rig.capture);
    while (access(from, F_OK) < 0)
        usleep(1000);
    run(&rig, 1);
    rig_close(&rig);
    moved = rig_read(&rig, "moved");
    cr_assert_eq(rig_count(moved, "line"), 2);
    free(moved);
    check_lines(&rig, 1);
    rig_finish(&rig);
}

Test(logfile, makes_a_removed_directory_again)
{
    struct rig rig;
    char place[96], command[160];

    rig_init(&rig);
    snprintf(place, sizeof(place), "%s/a/b", rig.directory);
    rig.settings.file.directory = place;
    rig_open(&rig);
    run(&rig, 1);
    while (!exists(&rig, "a/b/web.log"))
        usleep(1000);
    snprintf(command, sizeof(command), "rm -r %s/a", rig.directory);
    cr_assert_eq(system(command), 0);
    run(&rig, 2);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 0);
    char *log = rig_read(&rig, "a/b/web.log");
    cr_assert_not_null(log);
    cr_assert_eq(rig_count(log, "line"), 2);
    free(log);
    rig_finish(&rig);
}

/* As on a full disk, a write comes back short and the next one fails; then there is room again. */
Test(logfile, completes_a_line_that_a_full_disk_has_torn)
{
    struct rlimit before, small;
    struct rig rig;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    rig_init(&rig);
    rig_open(&rig);
    small = before;
    small.rlim_cur = 10001;
    setrlimit(RLIMIT_FSIZE, &small);
    struct rig_process a = rig_start(&rig, 0, 1);
    write_lines(&rig, &a, 1000);
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_eq(rig.last_error, EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 1);
    check_lines(&rig, 1000);
    rig_finish(&rig);
}

Test(logfile, waits_for_another_process_that_writes_the_log)
{
    struct rig rig;
    char path[128];

    rig_init(&rig);
    snprintf(path, sizeof(path), "%s/web.log", rig.directory);
    int other = open(path, O_CREAT | O_RDWR, 0600);
    cr_assert_eq(flock(other, LOCK_EX), 0);
    rig_open(&rig);
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_eq(rig.last_error, EBUSY);
    close(other);
    rig_turn_until(&rig, &rig.recoveries, 1);
    run(&rig, 3);
    rig_close(&rig);
    check_lines(&rig, 3);
    rig_finish(&rig);
}

Test(logfile, ends_a_line_that_a_crash_has_torn)
{
    struct rig rig;

    rig_init(&rig);
    put_file(&rig, "web.log", "2026-11-22T19:28:58.010255Z web/0 [1 #1] out: tor");
    rig_open(&rig);
    run(&rig, 1);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "out: tor\n2026-"), "%s", log);
    cr_assert(strstr(log, "out: line 00000000\n"), "%s", log);
    free(log);
    rig_finish(&rig);
}

Test(logfile, refuses_links_and_other_things)
{
    struct rig rig;
    char path[128];

    rig_init(&rig);
    snprintf(path, sizeof(path), "%s/web.log", rig.directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    rig_open(&rig);
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_neq(rig.last_error, 0);
    unlink(path);
    rig_turn_until(&rig, &rig.recoveries, 1);
    run(&rig, 1);
    rig_close(&rig);
    check_lines(&rig, 1);
    rig_finish(&rig);
}

/* Bytes as they are: no line is split between files, all of it is there. */
static void check_raw(uint64_t max_size, enum capture_overflow overflow) {
    struct rig rig;
    char text[64];

    rig_init(&rig);
    rig.settings.file.format = FRAME_RAW;
    rig.settings.file.max_size = max_size;
    rig.settings.overflow = overflow; /* drop: without splice */
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 3, 1);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "%u\n", i);
        rig_write(&a, FRAME_OUT, text);
        if (i % 500 == 499)
            loop_turn(rig.loop, true);
    }
    rig_write(&a, FRAME_OUT, "\nthe end");
    rig_end(&a, NULL, NULL);
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
    run(&rig, 1);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "\"pool\":\"web\",\"worker\":0,\"pid\":100,\"generation\":1,"
                          "\"stream\":\"out\",\"text\":\"line 00000000\"}\n"),
        "%s", log);
    free(log);
    rig_finish(&rig);
}

/* logrotate's copytruncate: the file goes on from where it was cut off. */
Test(logfile, goes_on_in_a_file_that_was_cut_off)
{
    static const enum frame_format formats[] = {FRAME_TEXT, FRAME_RAW};
    char path[128];

    for (size_t i = 0; i < 2; i++) {
        const char *name = formats[i] == FRAME_RAW ? "web@0.out.log" : "web.log";
        struct rig rig;

        rig_init(&rig);
        rig.settings.file.format = formats[i];
        rig_open(&rig);
        struct rig_process a = rig_start(&rig, 0, 1);
        rig_write(&a, FRAME_OUT, "line 00000000\n");
        snprintf(path, sizeof(path), "%s/%s", rig.directory, name);
        for (struct stat status = {0}; status.st_size == 0; stat(path, &status))
            loop_turn(rig.loop, false);
        cr_assert_eq(truncate(path, 0), 0);
        rig_write(&a, FRAME_OUT, "line 00000001\n");
        rig_end(&a, NULL, NULL);
        rig_turn_until_ended(&rig);
        rig_close(&rig);
        char *log = rig_read(&rig, name);
        cr_assert_eq(rig_count(log, "line 00000001\n"), 1);
        cr_assert_eq(rig_count(log, "line"), 1);
        cr_assert_neq(log[0], '\0');
        free(log);
        rig_finish(&rig);
    }
}

/* A reload: the same file, rotated otherwise from then on, while old processes go on. */
Test(logfile, takes_new_settings_for_the_same_file)
{
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    write_lines(&rig, &a, 1000);
    rig_end(&a, NULL, NULL);
    rig_turn_until_ended(&rig);
    cr_assert_eq(count_files(&rig), 0);

    struct capture_pool *before = rig.pool;
    rig.settings.file.max_size = 10000;
    rig_open(&rig);
    capture_pool_free(before);
    run(&rig, 1000);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 0);
    cr_assert_gt(count_files(&rig), 3);
    char *log = rig_read_all(&rig, "web.log");
    cr_assert_eq(rig_count(log, "line"), 2000);
    free(log);
    rig_finish(&rig);
}

/* A file system of our own, where we may have one. */
static void mount_small(struct rig *rig, char place[96]) {
    snprintf(place, 96, "%s/disk", rig->directory);
    cr_assert_eq(mkdir(place, 0700), 0);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", place, "tmpfs", 0, "size=256k") < 0)
        cr_skip_test("file systems may not be mounted here");
    rig->settings.file.directory = place;
}

/* Checks and removes what has been rotated, as who needs room would. */
static void consume(const char *place, unsigned *next) {
    int fd = open(place, O_RDONLY | O_DIRECTORY);
    struct segment_list list;

    cr_assert_eq(segment_list(fd, "web.log", &list), 0);
    for (size_t i = 0; i < list.count; i++) {
        FILE *file = fdopen(openat(fd, list.segments[i].file, O_RDONLY), "r");
        char line[256];
        unsigned n;

        while (fgets(line, sizeof(line), file)) {
            cr_assert(strstr(line, "out: line ") && line[strlen(line) - 1] == '\n', "%s", line);
            cr_assert_eq(sscanf(strstr(line, "out: "), "out: line %u", &n), 1);
            cr_assert_eq(n, (*next)++, "%s", line);
        }
        fclose(file);
        unlinkat(fd, list.segments[i].file, 0);
    }
    segment_list_finish(&list);
    close(fd);
}

static void turn_and_consume(struct rig *rig, const char *place, unsigned *next) {
    consume(place, next);
    loop_turn(rig->loop, false);
    usleep(1000);
}

/* A disk that fills up again and again: each time room is made, and not one line is missing. */
Test(logfile, loses_nothing_on_a_full_disk)
{
    unsigned next = 0, n = 0, troubles = 0;
    struct rig rig;
    char place[96], line[16];

    rig_init(&rig);
    mount_small(&rig, place);
    rig.settings.file.max_size = 50000;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    fcntl(a.fds[FRAME_OUT], F_SETFL, O_NONBLOCK);
    while (rig.troubles < 4) {
        int length = snprintf(line, sizeof(line), "line %08u\n", n);

        n += write(a.fds[FRAME_OUT], line, (size_t)length) == length;
        if (n % 1000 == 0 || errno == EAGAIN)
            loop_turn(rig.loop, false);
        errno = 0;
        if (rig.troubles > troubles) {
            cr_assert_eq(rig.last_error, ENOSPC);
            troubles = rig.troubles;
            /* What waits may fill it up again before anybody could tell that there was room. */
            while (rig.recoveries < troubles)
                turn_and_consume(&rig, place, &next);
        }
    }
    rig_end(&a, NULL, NULL);
    while (capture_pool_facts(rig.pool).streams > 0)
        turn_and_consume(&rig, place, &next);
    consume(place, &next);
    rig_close(&rig);
    consume(place, &next);
    char path[128], text[256];
    snprintf(path, sizeof(path), "%s/web.log", place);
    FILE *file = fopen(path, "r");
    while (fgets(text, sizeof(text), file))
        next++;
    fclose(file);
    cr_assert_eq(next, n);
    umount(place);
    rig_finish(&rig);
}

Test(logfile, waits_for_a_file_system_that_is_read_only)
{
    struct rig rig;
    char place[96];

    rig_init(&rig);
    mount_small(&rig, place);
    cr_assert_eq(mount("none", place, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=256k"), 0);
    rig_open(&rig);
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_eq(rig.last_error, EROFS);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, "line 00000000\n");
    cr_assert_eq(mount("none", place, "tmpfs", MS_REMOUNT, "size=256k"), 0);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "disk/web.log");
    cr_assert_eq(rig_count(log, "line 00000000\n"), 1);
    free(log);
    umount(place);
    rig_finish(&rig);
}
