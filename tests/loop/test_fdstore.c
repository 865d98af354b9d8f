/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "fixture.h"
#include "run/fdstore.h"

static struct loop *loop;
static struct fdstore store;
static int lowest;

static void set_up(void) {
    loop = fixture_loop();
    lowest = fixture_lowest_fd();
    fdstore_init(&store, loop, 3);
}

static void tear_down(void) {
    fdstore_finish(&store);
    fdstore_finish(&store);
    cr_assert_eq(fixture_lowest_fd(), lowest, "nothing is left open");
    loop_free(loop);
}

TestSuite(fdstore, .init = set_up, .fini = tear_down, .timeout = FIXTURE_TIMEOUT);

static int keep(int fd, const char *name, bool watch) {
    return fdstore_add_consume(&store, fd, name, strlen(name), watch);
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

Test(fdstore, keeps_in_order_and_removes_by_name)
{
    int one = fixture_eventfd(false), two = fixture_eventfd(false), three = fixture_eventfd(false);

    cr_assert_eq(keep(one, "a", true), 0);
    cr_assert_eq(keep(two, "b", true), 0);
    cr_assert_eq(keep(three, "a", true), 0);
    cr_assert_eq(store.count, 3);
    cr_assert_eq(store.entries[1].fd, two);
    cr_assert_str_eq(store.entries[2].name, "a");
    cr_assert_eq(fdstore_remove(&store, "ab", 2), 0);
    cr_assert_eq(fdstore_remove(&store, "a", 1), 2);
    cr_assert_eq(store.count, 1);
    cr_assert_eq(store.entries[0].fd, two);
    cr_assert(!is_open(one) && is_open(two) && !is_open(three));
}

Test(fdstore, what_is_refused_is_closed)
{
    int fd = fixture_eventfd(false);

    cr_assert_eq(keep(fd, "a:b", true), -EINVAL);
    cr_assert_not(is_open(fd));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(keep(fixture_eventfd(false), "x", true), 0);
    fd = fixture_eventfd(false);
    cr_assert_eq(keep(fd, "x", true), -ENOSPC);
    cr_assert_not(is_open(fd));
    cr_assert_eq(store.count, 3);

    fdstore_set_max(&store, 1);
    cr_assert_eq(store.count, 3, "what is kept stays");
    cr_assert_eq(fdstore_remove(&store, "x", 1), 3);
    cr_assert_eq(keep(fixture_eventfd(false), "x", true), 0);
    cr_assert_eq(keep(fixture_eventfd(false), "x", true), -ENOSPC);
}

Test(fdstore, the_same_file_is_kept_once)
{
    int fd = fixture_eventfd(false), again = dup(fd), other = fixture_eventfd(false);

    cr_assert_eq(keep(fd, "a", true), 0);
    cr_assert_eq(keep(again, "b", true), 0);
    cr_assert_not(is_open(again));
    cr_assert_eq(store.count, 1);
    cr_assert_str_eq(store.entries[0].name, "a");
    cr_assert_eq(keep(other, "b", true), 0);
    cr_assert_eq(store.count, 2);
}

Test(fdstore, what_hangs_up_goes_and_data_is_left_alone)
{
    struct pipe_pair gone = fixture_pipe(), full = fixture_pipe();
    int file = memfd_create("kept", MFD_CLOEXEC), copy = dup(gone.read);

    cr_assert_eq(keep(gone.read, "gone", true), 0);
    cr_assert_eq(keep(full.read, "full", true), 0);
    cr_assert_eq(keep(file, "file", true), 0, "cannot be polled, and stays");
    fixture_write(full.write, 100);
    cr_assert_eq(loop_turn(loop, false), 0, "what can be read is not for us");
    close(gone.write);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(store.count, 2);
    cr_assert_str_eq(store.entries[0].name, "full");
    cr_assert_not(is_open(gone.read));
    cr_assert_eq(loop_turn(loop, false), 0, "though the file is open elsewhere");
    close(copy);
    close(full.write);
    cr_assert_eq(loop_turn(loop, true), 1);
    cr_assert_eq(store.count, 1);
}

Test(fdstore, what_is_not_to_be_watched_stays)
{
    struct pipe_pair pair = fixture_pipe();

    cr_assert_eq(keep(pair.read, "a", false), 0);
    close(pair.write);
    cr_assert_eq(store.epoll, -1, "nothing is opened for nothing");
    cr_assert_eq(loop_turn(loop, false), 0);
    cr_assert_eq(store.count, 1);
}

Test(fdstore, obeys_what_is_said)
{
    static const char words[] = "FDSTORE=1\nFDNAME=journal\nFDPOLL=0";
    struct notify_message message;
    struct pipe_pair pair = fixture_pipe();
    int fds[] = {pair.read, -1, pair.write};

    cr_assert_eq(notify_parse(words, strlen(words), &message), 0);
    cr_assert_eq(fdstore_obey(&store, &message, fds, ELEMENTS(fds)), 0);
    cr_assert_eq(store.count, 2);
    cr_assert_str_eq(store.entries[1].name, "journal");
    cr_assert_eq(fds[0], -1);
    cr_assert_eq(fds[2], -1);
    cr_assert_eq(store.epoll, -1);

    /* Without a name, and without room for both. */
    message = (struct notify_message){.fd_store = true};
    pair = fixture_pipe();
    fds[0] = pair.read;
    fds[1] = pair.write;
    cr_assert_eq(fdstore_obey(&store, &message, fds, 2), -ENOSPC);
    cr_assert_eq(store.count, 3);
    cr_assert_str_eq(store.entries[2].name, "stored");
    cr_assert_not(is_open(pair.write));

    message = (struct notify_message){.fd_remove = true, .fd_name = "journal", .fd_name_size = 7};
    cr_assert_eq(fdstore_obey(&store, &message, NULL, 0), 0);
    message = (struct notify_message){.fd_remove = true};
    cr_assert_eq(fdstore_obey(&store, &message, NULL, 0), 0, "nothing is named");
    fds[0] = fixture_eventfd(false);
    message = (struct notify_message){.ready = true};
    cr_assert_eq(fdstore_obey(&store, &message, fds, 1), 0);
    cr_assert(is_open(fds[0]), "not asked for: still the packet's");
    close(fds[0]);
}
