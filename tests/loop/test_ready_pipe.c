/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixture.h"
#include "run/ready_pipe.h"

static struct loop *loop;
static struct ready_pipe ready;
static int n_ready, lowest;

static void on_ready(void *data) {
    int *count = data;

    (*count)++;
}

static void set_up(void) {
    loop = fixture_loop();
    lowest = fixture_lowest_fd();
    cr_assert_eq(ready_pipe_open(&ready, loop, on_ready, &n_ready), 0);
}

static void tear_down(void) {
    ready_pipe_close(&ready);
    ready_pipe_close(&ready);
    cr_assert_eq(fixture_lowest_fd(), lowest, "nothing is left open");
    loop_free(loop);
}

TestSuite(ready_pipe, .init = set_up, .fini = tear_down, .timeout = FIXTURE_TIMEOUT);

static void say(int fd, const char *text) {
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(ready_pipe, a_newline_is_ready_once)
{
    cr_assert_eq(fcntl(ready.write_fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(fcntl(ready.write_fd, F_GETFL) & O_NONBLOCK, 0, "the process may block");
    cr_assert_eq(loop_turn(loop, false), 0);
    say(ready.write_fd, "\n\n");
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(n_ready, 1);
    cr_assert_eq(ready.read_fd, -1, "there is nothing more to hear");
    cr_assert_eq(loop_turn(loop, false), 0);
    ready_pipe_drain(&ready);
    cr_assert_eq(n_ready, 1);
}

Test(ready_pipe, other_words_are_passed_over)
{
    char noise[3000];

    say(ready.write_fd, "starting");
    loop_turn(loop, true);
    cr_assert_eq(n_ready, 0);
    memset(noise, '.', sizeof(noise));
    noise[sizeof(noise) - 1] = '\n';
    cr_assert_eq(write(ready.write_fd, noise, sizeof(noise)), (ssize_t)sizeof(noise));
    for (int i = 0; n_ready == 0 && i < 10; i++)
        loop_turn(loop, true);
    cr_assert_eq(n_ready, 1);
}

Test(ready_pipe, the_end_says_nothing)
{
    int child = dup(ready.write_fd);

    ready_pipe_passed(&ready);
    cr_assert_eq(ready.write_fd, -1);
    cr_assert_eq(loop_turn(loop, false), 0, "the child still has it");
    close(child);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(n_ready, 0);
    cr_assert_eq(ready.read_fd, -1);
    cr_assert_eq(loop_turn(loop, false), 0, "and does not go on saying it");
}

Test(ready_pipe, last_words_count)
{
    say(ready.write_fd, "\n");
    ready_pipe_passed(&ready);
    ready_pipe_drain(&ready);
    cr_assert_eq(n_ready, 1);
    cr_assert_eq(loop_turn(loop, false), 0);
}

Test(ready_pipe, last_words_count_after_many_others)
{
    char noise[60000];

    memset(noise, '.', sizeof(noise));
    noise[sizeof(noise) - 1] = '\n';
    cr_assert_eq(write(ready.write_fd, noise, sizeof(noise)), (ssize_t)sizeof(noise));
    ready_pipe_drain(&ready);
    cr_assert_eq(n_ready, 1);
}

static void close_it(void *data) {
    n_ready++;
    ready_pipe_close(data);
}

Test(ready_pipe, the_handler_may_close_it)
{
    ready.fn = close_it;
    ready.data = &ready;
    say(ready.write_fd, "\n");
    loop_turn(loop, true);
    cr_assert_eq(n_ready, 1);
    cr_assert_eq(ready.write_fd, -1);
}

Test(ready_pipe, without_descriptors_there_is_none)
{
    struct ready_pipe other;
    struct rlimit old, limit;
    int before = fixture_lowest_fd(), r;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = (rlim_t)before + 1;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    r = ready_pipe_open(&other, loop, on_ready, &n_ready);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    cr_assert_eq(r, -EMFILE);
    cr_assert_eq(other.read_fd, -1);
    cr_assert_eq(other.write_fd, -1);
    cr_assert_eq(fixture_lowest_fd(), before);
}
