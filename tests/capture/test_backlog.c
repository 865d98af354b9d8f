/* SPDX-License-Identifier: MIT */

/* What waits of processes that have ended: not for long, all of it, and within bounds. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

TestSuite(backlog, .timeout = RIG_TIMEOUT);

/* Deaths in quick succession: before they are too many, the thread is woken without the loop. */
Test(backlog, does_not_let_many_wait_for_the_thread)
{
    struct rig rig;
    unsigned written = 0;

    rig_init(&rig);
    rig_open(&rig);
    for (uint32_t i = 1; i <= 16; i++) {
        struct rig_process a = rig_start(&rig, 0, i);

        rig_write(&a, FRAME_OUT, "dies\n");
        rig_write(&a, FRAME_ERR, "so\n");
        rig_end(&a, NULL);
        if (i == 1)
            rig_turn_until_ended(&rig); /* the thread sleeps */
    }
    while (written < 2) {
        char *log = rig_read(&rig, "web.log");

        written = rig_count(log, "dies\n");
        free(log);
        sched_yield();
    }
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    rig_finish(&rig);
}

/* `n` processes, one after another, each of which writes that and ends, while nothing can be
 * written; then one more when it can. Returns the log. */
static char *die_in_vain(struct rig *rig, uint32_t n, const char *text) {
    char place[96];

    rig_spoil(rig, place);
    for (uint32_t i = 1; i <= n; i++) {
        struct rig_process a = rig_start(rig, 0, i);

        rig_write(&a, FRAME_OUT, text);
        rig_end(&a, NULL);
    }
    unlink(place);
    rig_turn_until_ended(rig);
    struct rig_process a = rig_start(rig, 0, n + 1);
    rig_end(&a, NULL);
    rig_turn_until_ended(rig);
    rig_close(rig);
    return rig_read(rig, "logs/web.log");
}

/* A disk that stands still for a moment is no reason to lose what is little. */
Test(backlog, keeps_what_many_dead_processes_wrote)
{
    struct rig rig;

    rig_init(&rig);
    char *log = die_in_vain(&rig, 300, "dies\n");
    cr_assert_eq(rig_count(log, "dies\n"), 300);
    cr_assert_eq(rig_count(log, "missing"), 0);
    free(log);
    rig_finish(&rig);
}

/* Deaths without end while nothing can be written: memory and descriptors are bounded. */
Test(backlog, misses_processes_when_too_many_wait_and_says_so)
{
    static char text[4000];
    struct rig rig;
    unsigned missing = 0, n;

    rig_init(&rig);
    rig.settings.buffer = CAPTURE_BUFFER_MIN;
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    char *log = die_in_vain(&rig, 100, text);
    for (const char *at = log; (at = strstr(at, "err! the output of ")); at++) {
        cr_assert_eq(sscanf(at, "err! the output of %u processes before", &n), 1);
        missing += n;
    }
    cr_assert(strstr(log, "#101] err! the output of "), "%s", log);
    unsigned kept = rig_count(log, "x\n");
    cr_assert_eq(kept + missing, 100, "%u and %u", kept, missing);
    cr_assert(kept >= 30 && kept <= 40, "%u", kept);
    cr_assert_eq(rig.troubles, 2); /* the file, and this */
    cr_assert_eq(rig.recoveries, 2);
    free(log);
    rig_finish(&rig);
}

/* They hold a pipe each, and nothing else. */
Test(backlog, many_orphans_silence_nobody)
{
    enum { N = 60 };
    int orphans[N];
    struct rig rig;

    rig_init(&rig);
    rig_open(&rig);
    for (uint32_t i = 0; i < N; i++) {
        struct rig_process a = rig_start(&rig, 0, i + 1);

        orphans[i] = fcntl(a.fds[FRAME_OUT], F_DUPFD_CLOEXEC, 0);
        rig_write(&a, FRAME_OUT, "mine\n");
        rig_end(&a, NULL);
    }
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(write(orphans[i], "theirs\n", 7), 7);
        close(orphans[i]);
    }
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "web.log");
    cr_assert_eq(rig_count(log, "] out: mine\n"), N, "%s", log);
    cr_assert_eq(rig_count(log, " orphan] out: theirs\n"), N, "%s", log);
    free(log);
    rig_finish(&rig);
}

/* What was about to be dropped when the process ended was nothing. */
Test(backlog, a_hole_is_not_empty)
{
    static char text[4097];
    struct rig rig;
    char place[96];

    rig_init(&rig);
    rig.settings.buffer = CAPTURE_BUFFER_MIN;
    rig.settings.overflow = CAPTURE_DROP;
    rig_spoil(&rig, place);
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, text);
    while (capture_pool_facts(rig.pool).bytes < sizeof(text) - 1)
        cr_assert_geq(loop_turn(rig.loop, true), 0);
    rig_end(&a, NULL);
    unlink(place);
    rig_turn_until_ended(&rig);
    rig_close(&rig);
    char *log = rig_read(&rig, "logs/web.log");
    cr_assert_eq(rig_count(log, "missing"), 0, "%s", log);
    free(log);
    rig_finish(&rig);
}
