/* SPDX-License-Identifier: MIT */

/*
 * io_uring refused: by a container's seccomp filter, by an old kernel, for want of locked memory;
 * or submissions refused while completions overflow. A filter in a forked child plays them all.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"

TestSuite(refusal, .timeout = FIXTURE_TIMEOUT);

enum status {
    GOOD,
    FAILED,
    NO_SECCOMP = 77,
};

struct refusal {
    int error;
    unsigned entries_allowed; /* rings up to this size are let through */
    int (*check)(const struct refusal *refusal);
};

static int filter_install(struct sock_filter *filter, size_t length) {
    struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return -errno;
    return 0;
}

static int refuse(const struct refusal *refusal) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, refusal->entries_allowed, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return filter_install(filter, ELEMENTS(filter));
}

/* Submitting without collecting is refused, as old kernels do while completions overflow. */
static int refuse_early_submission(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IORING_ENTER_GETEVENTS, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBUSY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return filter_install(filter, ELEMENTS(filter));
}

static int refused_body(void *data) {
    const struct refusal *refusal = data;

    return refuse(refusal) < 0 ? NO_SECCOMP : refusal->check(refusal);
}

static void expect_good(int status) {
    if (status == NO_SECCOMP)
        cr_skip_test("seccomp filters are refused here");
    cr_assert_eq(status, GOOD);
}

static void refused(struct refusal refusal) {
    expect_good(fixture_in_child(refused_body, &refusal));
}

/* The ring is refused with its own error, and auto has a loop that works. */
static int auto_falls_back(const struct refusal *refusal) {
    struct loop *loop = NULL;
    struct loop_timer timer = {.fn = fixture_note_timer, .data = &(struct notes){0}};
    int lowest = fixture_lowest_fd();

    if (loop_new(LOOP_URING, &loop) != -refusal->error || loop != NULL)
        return FAILED;
    if (fixture_lowest_fd() != lowest)
        return FAILED;
    if (loop_new(LOOP_AUTO, &loop) < 0 || loop_backend(loop) != LOOP_EPOLL)
        return FAILED;
    if (loop_timer_reserve(loop, 1) < 0)
        return FAILED;
    loop_timer_set(loop, &timer, 1);
    if (loop_turn(loop, true) != 1)
        return FAILED;
    loop_free(loop);
    return GOOD;
}

Test(refusal, by_seccomp)
{ refused((struct refusal){.error = EPERM, .check = auto_falls_back}); }

Test(refusal, by_an_old_kernel)
{ refused((struct refusal){.error = ENOSYS, .check = auto_falls_back}); }

Test(refusal, of_every_flag)
{ refused((struct refusal){.error = EINVAL, .check = auto_falls_back}); }

Test(refusal, for_want_of_memory)
{ refused((struct refusal){.error = ENOMEM, .check = auto_falls_back}); }

/* Where a smaller ring fits, it is taken, and does the same work. */
static int smaller_ring_works(const struct refusal *refusal) {
    struct loop *loop = NULL;
    struct notes notes = {0};
    loop_source_t source;

    (void)refusal;
    if (loop_new(LOOP_URING, &loop) < 0)
        return FAILED;
    for (unsigned i = 0; i < 50; i++) {
        struct loop_watch watch = {.fd = fixture_eventfd(true),
            .events = LOOP_IN,
            .once = true,
            .fn = fixture_note,
            .data = &notes};

        if (loop_add(loop, &watch, &source) < 0)
            return FAILED;
    }
    while (notes.n < 50)
        if (loop_turn(loop, true) <= 0)
            return FAILED;
    loop_free(loop);
    return GOOD;
}

Test(refusal, of_a_big_ring)
{
    loop_free(fixture_loop());
    refused((struct refusal){.error = ENOMEM, .entries_allowed = 8, .check = smaller_ring_works});
}

/* More sources than entries, none of which may be forgotten, in any of the things done to them. */
enum { CROWD = 600 };

struct crowd {
    struct loop *loop;
    loop_source_t sources[CROWD];
    unsigned calls[CROWD];
};

static void crowd_call(void *data, uint64_t value, int fd, unsigned events) {
    struct crowd *crowd = data;

    (void)fd, (void)events;
    crowd->calls[value]++;
}

/* Waits until each has been called again; with `muted`, until every second has and no other. */
static bool crowd_called(struct crowd *crowd, bool muted) {
    unsigned called = 0;

    for (unsigned i = 0; i < CROWD; i++)
        crowd->calls[i] = 0;
    while (called < CROWD / (muted ? 2 : 1)) {
        if (loop_turn(crowd->loop, true) < 0)
            return false;
        called = 0;
        for (unsigned i = 0; i < CROWD; i++) {
            if (muted && i % 2 && crowd->calls[i])
                return false;
            called += crowd->calls[i] > 0;
        }
    }
    return true;
}

static bool crowd_modify(struct crowd *crowd, unsigned events) {
    for (unsigned i = 1; i < CROWD; i += 2)
        if (loop_modify(crowd->loop, crowd->sources[i], events) < 0)
            return false;
    return true;
}

static int starve(void *data) {
    struct crowd crowd = {0};

    (void)data;
    if (refuse_early_submission() < 0)
        return NO_SECCOMP;
    if (loop_new(LOOP_URING, &crowd.loop) < 0)
        return FAILED;
    loop_fd(crowd.loop); /* the kind that submits at once, or tries to */
    for (unsigned i = 0; i < CROWD; i++) {
        struct loop_watch watch = {.fd = fixture_eventfd(i % 2 == 0),
            .events = i % 2 ? LOOP_IN : LOOP_OUT,
            .fn = crowd_call,
            .data = &crowd,
            .value = i};

        if (loop_add(crowd.loop, &watch, &crowd.sources[i]) < 0)
            return FAILED;
    }
    if (!crowd_called(&crowd, true)) /* every second is not readable */
        return FAILED + 1;
    if (!crowd_modify(&crowd, LOOP_OUT) || !crowd_called(&crowd, false))
        return FAILED + 2;
    if (!crowd_modify(&crowd, 0) || !crowd_called(&crowd, true))
        return FAILED + 3;
    for (unsigned i = 0; i < CROWD; i++)
        loop_remove(crowd.loop, crowd.sources[i]);
    for (unsigned i = 0; i < CROWD; i++)
        if (loop_turn(crowd.loop, false) != 0)
            return FAILED + 4;
    loop_free(crowd.loop);
    return GOOD;
}

Test(refusal, of_early_submission)
{
    loop_free(fixture_loop());
    fixture_need_descriptors(CROWD + 100);
    expect_good(fixture_in_child(starve, NULL));
}

Test(refusal, auto_takes_the_ring_where_it_is_allowed)
{
    struct loop *ring = NULL, *automatic = NULL;

    if (loop_new(LOOP_URING, &ring) < 0)
        cr_skip_test("io_uring is refused here");
    cr_assert_eq(loop_new(LOOP_AUTO, &automatic), 0);
    cr_assert_eq(loop_backend(automatic), LOOP_URING);
    loop_free(automatic);
    loop_free(ring);
}
