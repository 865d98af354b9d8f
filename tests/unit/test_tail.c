/* SPDX-License-Identifier: MIT */

/* A log that is read with what was told of its end: files, memory, and what comes afterwards. */

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/archive.h"

static char directory[] = "/tmp/brood-tail-XXXXXX";
static int fd;
static struct tail tail;
static struct archive_list list;

static void begin(void) {
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    fd = open(".", O_RDONLY | O_DIRECTORY);
    tail = (struct tail){0};
    list = (struct archive_list){0};
}

static void end(void) {
    char command[64];

    archive_list_finish(&list);
    close(fd);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(tail, .init = begin, .fini = end);

static void append(const char *name, const char *text) {
    FILE *file = fopen(name, "a");

    fputs(text, file);
    fclose(file);
}

/* The file as it is now, and what follows in memory; `more`: lines that are not finished. */
static void tell(const char *pending, const char *more, bool goes_on) {
    static char bytes[4096];
    struct stat status = {0};

    stat("web.log", &status);
    snprintf(bytes, sizeof(bytes), "%s%s", pending, more);
    tail = (struct tail){
        .device = status.st_dev,
        .inode = status.st_ino,
        .size = (uint64_t)status.st_size,
        .bytes = bytes,
        .n_pending = strlen(pending),
        .length = strlen(bytes),
    };
    if (goes_on)
        tail_go_on(&tail);
}

static struct archive *open_archive(void) {
    cr_assert_eq(archive_list_add(fd, &list), 0);
    cr_assert_eq(archive_list_add_log(fd, "web.log", &list), 0);
    cr_assert_eq(list.count, 1);
    list.archives[0].tail = &tail;
    cr_assert_eq(archive_begin(&list.archives[0], 0, 0), 0);
    return &list.archives[0];
}

/* All lines that there are now, with a bar behind each. */
static const char *read_all(struct archive *archive) {
    static char text[4096];
    struct buffer out = BUFFER(text);
    struct entry *entry;
    int r;

    text[0] = '\0';
    while ((r = archive_next(archive, tail.goes_on, &entry)) > 0)
        buffer_add_format(&out, "%.*s|", (int)entry->piece.length, entry->piece.text);
    cr_assert_eq(r, 0);
    return text;
}

#define READS(archive, text) cr_assert_str_eq(read_all(archive), text)

Test(tail, ends_the_log)
{
    append("web.log", "one\ntw");
    tell("o\nthree\n", "fo", false);
    append("web.log", "o\nthree\nfour\nfive\n");
    struct archive *archive = open_archive();
    cr_assert(archive_has_tail(archive));
    READS(archive, "one|two|three|fo|");
    cr_assert_eq(archive_begin(archive, 0, 0), 0);
    READS(archive, "one|two|three|fo|");
}

Test(tail, ends_it_in_a_file_that_has_been_rotated_since)
{
    append("web.log.20261122T190000Z-000001", "zero\n");
    append("web.log", "one\n");
    tell("two\n", "", false);
    append("web.log", "two\n");
    rename("web.log", "web.log.20261122T190000Z-000002");
    append("web.log", "three\n");
    struct archive *archive = open_archive();
    cr_assert(archive_has_tail(archive));
    READS(archive, "zero|one|two|");
    cr_assert_eq(archive->list.count, 2);
    cr_assert_eq(archive_begin(archive, 0, 1), 0);
    READS(archive, "one|two|");
    cr_assert_eq(archive_begin(archive, 0, 2), 0);
    READS(archive, "");
}

Test(tail, stands_alone_where_there_was_no_file)
{
    append("web.log.20261122T190000Z-000001", "zero\n");
    tell("one\n", "tw", false);
    struct archive *archive = open_archive();
    READS(archive, "zero|one|tw|");
    append("web.log", "one\ntwo\n");
    cr_assert_eq(archive_begin(archive, 0, 0), 0);
    READS(archive, "zero|one|tw|");
}

/* Somebody has moved the file away, under a name that says nothing. */
Test(tail, stands_behind_all_where_its_file_is_not_found)
{
    append("web.log", "one\n");
    tell("three\n", "", false);
    rename("web.log", "elsewhere");
    append("web.log", "two\n");
    struct archive *archive = open_archive();
    cr_assert_not(archive_has_tail(archive));
    READS(archive, "two|three|");
    unlink("web.log");
    cr_assert_eq(archive_begin(archive, 0, 0), 0);
    READS(archive, "three|");
}

Test(tail, is_not_told_twice_when_it_goes_on)
{
    append("web.log", "one\ntw");
    tell("o\nthree\nfour\n", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|two|three|four|");
    append("web.log", "o\nth");
    READS(archive, "");
    append("web.log", "ree\n");
    rename("web.log", "web.log.20261122T190000Z-000001");
    append("web.log", "fo");
    READS(archive, "");
    append("web.log", "ur\nfive\n");
    READS(archive, "five|");
    append("web.log", "four\n");
    READS(archive, "four|");
}

Test(tail, goes_on_behind_whole_lines)
{
    append("web.log", "one\n");
    tell("two\nthr", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|two|");
    append("web.log", "two\nthr");
    rename("web.log", "web.log.20261122T190000Z-000001");
    append("web.log", "four\n");
    READS(archive, "thr|four|");
}

Test(tail, goes_on_in_the_file_that_was_not_there)
{
    tell("one\ntwo\n", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|two|");
    append("web.log", "one\ntwo\nthree\n");
    READS(archive, "three|");
}

/* Whoever had it in memory is gone: what comes instead is all new. */
Test(tail, is_given_up_where_something_else_comes)
{
    append("web.log", "one\n");
    tell("two\nthree\n", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|two|three|");
    append("web.log", "two\nth");
    READS(archive, "");
    append("web.log", "at\ntwo\nthree\n");
    READS(archive, "that|two|three|");
}

Test(tail, is_given_up_in_the_line_that_was_torn)
{
    append("web.log", "one\ntw");
    tell("o\nthree\n", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|two|three|");
    append("web.log", "\nother\n");
    READS(archive, "other|");
}

Test(tail, may_be_empty)
{
    append("web.log", "one\ntwo");
    tell("", "", true);
    struct archive *archive = open_archive();
    READS(archive, "one|");
    append("web.log", " and more\n");
    READS(archive, "two and more|");
    archive_list_finish(&list);
    tell("", "", false);
    append("web.log", "three\n");
    READS(open_archive(), "one|two and more|");
}
