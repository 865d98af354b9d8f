/* SPDX-License-Identifier: MIT */

/* What goes wrong with files, and heals: no room, no directory, no right to write, torn lines. */

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

#include "rig.h"

TestSuite(healing, .timeout = RIG_TIMEOUT);

Test(healing, makes_a_removed_directory_again)
{
    struct rig rig;
    char place[96], command[160];

    rig_init(&rig);
    snprintf(place, sizeof(place), "%s/a/b", rig.directory);
    rig.settings.file.directory = place;
    rig_open(&rig);
    rig_run(&rig, 1);
    while (!rig_exists(&rig, "a/b/web.log"))
        usleep(1000);
    snprintf(command, sizeof(command), "rm -r %s/a", rig.directory);
    cr_assert_eq(system(command), 0);
    rig_run(&rig, 2);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 0);
    char *log = rig_read(&rig, "a/b/web.log");
    cr_assert_not_null(log);
    cr_assert_eq(rig_count(log, "line"), 2);
    free(log);
    rig_finish(&rig);
}

/* As on a full disk, a write comes back short and the next one fails; then there is room again. */
Test(healing, completes_a_line_that_a_full_disk_has_torn)
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
    rig_write_lines(&rig, &a, 1000);
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_eq(rig.last_error, EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    rig_turn_until(&rig, &rig.recoveries, 1);
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    cr_assert_eq(rig.troubles, 1);
    rig_check_lines(&rig, 1000);
    rig_finish(&rig);
}

Test(healing, waits_for_another_process_that_writes_the_log)
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
    rig_run(&rig, 3);
    rig_close(&rig);
    rig_check_lines(&rig, 3);
    rig_finish(&rig);
}

Test(healing, ends_a_line_that_a_crash_has_torn)
{
    struct rig rig;

    rig_init(&rig);
    rig_put(&rig, "web.log", "2026-11-22T19:28:58.010255Z web/0 [1 #1] out: tor");
    rig_open(&rig);
    rig_run(&rig, 1);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert(strstr(log, "out: tor\n2026-"), "%s", log);
    cr_assert(strstr(log, "out: line 00000000\n"), "%s", log);
    free(log);
    rig_finish(&rig);
}

Test(healing, refuses_links_and_other_things)
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
    rig_run(&rig, 1);
    rig_close(&rig);
    rig_check_lines(&rig, 1);
    rig_finish(&rig);
}

/* logrotate's copytruncate: the file goes on from where it was cut off. */
Test(healing, goes_on_in_a_file_that_was_cut_off)
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
        rig_end(&a, NULL);
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
static void consume(const char *place, const char *name, unsigned *next) {
    int fd = open(place, O_RDONLY | O_DIRECTORY);
    struct segment_list list;

    cr_assert_eq(segment_list(fd, name, &list), 0);
    for (size_t i = 0; i < list.count; i++) {
        FILE *file = fdopen(openat(fd, list.segments[i].file, O_RDONLY), "r");
        char line[256];
        unsigned n;

        while (fgets(line, sizeof(line), file)) {
            const char *text = strstr(line, "line ");

            cr_assert(text && line[strlen(line) - 1] == '\n', "%s", line);
            cr_assert_eq(sscanf(text, "line %u", &n), 1);
            cr_assert_eq(n, (*next)++, "%s", line);
        }
        fclose(file);
        unlinkat(fd, list.segments[i].file, 0);
    }
    segment_list_finish(&list);
    close(fd);
}

static void turn_and_consume(struct rig *rig, const char *place, const char *name, unsigned *next) {
    consume(place, name, next);
    loop_turn(rig->loop, false);
    usleep(1000);
}

/* A disk that fills up again and again: each time room is made, and not one line is missing. */
static void fill_up(enum frame_format format, const char *name) {
    unsigned next = 0, n = 0, troubles = 0;
    struct rig rig;
    char place[96], line[32];

    rig_init(&rig);
    mount_small(&rig, place);
    rig.settings.file.max_size = 50000;
    rig.settings.file.format = format;
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
                turn_and_consume(&rig, place, name, &next);
        }
    }
    rig_end(&a, NULL);
    while (capture_pool_facts(rig.pool).streams > 0)
        turn_and_consume(&rig, place, name, &next);
    consume(place, name, &next);
    rig_close(&rig);
    consume(place, name, &next);
    char path[128], text[256];
    snprintf(path, sizeof(path), "%s/%s", place, name);
    FILE *file = fopen(path, "r");
    while (fgets(text, sizeof(text), file))
        next++;
    fclose(file);
    cr_assert_eq(next, n);
    umount(place);
    rig_finish(&rig);
}

Test(healing, loses_nothing_on_a_full_disk)
{ fill_up(FRAME_TEXT, "web.log"); }

/* What has left the pipe already, and the file has not taken, is kept. */
Test(healing, loses_no_raw_byte_on_a_full_disk)
{ fill_up(FRAME_RAW, "web@0.out.log"); }

Test(healing, waits_for_a_file_system_that_is_read_only)
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
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "disk/web.log");
    cr_assert_eq(rig_count(log, "line 00000000\n"), 1);
    free(log);
    umount(place);
    rig_finish(&rig);
}
