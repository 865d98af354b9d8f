/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "run/notify_send.h"
#include "run/notify_socket.h"

static struct loop *loop;
static char directory[] = "/tmp/brood-send.XXXXXX";
static char path[64], address[NOTIFY_ADDRESS_SIZE];
static struct notify_packet packet;

static void set_up(void) {
    loop = fixture_loop();
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/notify", directory);
}

static void tear_down(void) {
    unlink(path);
    rmdir(directory);
    loop_free(loop);
}

TestSuite(notify_send, .init = set_up, .fini = tear_down, .timeout = FIXTURE_TIMEOUT);

/* The socket of the other side; the sender speaks to it. */
static int open_pair(struct notify_sender *sender, const char *where) {
    int fd = notify_open(where, address);

    cr_assert_geq(fd, 0);
    cr_assert_eq(notify_sender_init(sender, loop, address), 0);
    return fd;
}

static const struct notify_message *hear(int fd) {
    cr_assert_eq(notify_receive(fd, &packet), 1);
    cr_assert_eq(packet.sender.pid, getpid());
    notify_packet_close(&packet);
    return &packet.message;
}

static bool status_is(const struct notify_message *message, const char *text) {
    return message->status && message->status_size == strlen(text) &&
           memcmp(message->status, text, message->status_size) == 0;
}

Test(notify_send, says_it_at_once)
{
    const char *const places[] = {path, NULL};

    for (int i = 0; i < 2; i++) {
        struct notify_sender sender;
        int fd = open_pair(&sender, places[i]);
        const struct notify_message *heard;

        notify_sender_say(&sender, &(struct notify_message){.ready = true, .main_pid = 77});
        heard = hear(fd);
        cr_assert(heard->ready && !heard->stopping);
        cr_assert_eq(heard->main_pid, 77);
        notify_sender_say_status(&sender, "%d of %d", 3, 4);
        heard = hear(fd);
        cr_assert(status_is(heard, "3 of 4"));
        cr_assert_not(heard->ready, "said once");
        notify_sender_say(&sender, &(struct notify_message){.reloading = true});
        heard = hear(fd);
        cr_assert(heard->reloading);
        cr_assert(heard->said_at > 0 && heard->said_at <= loop_clock());
        notify_sender_say(&sender, &(struct notify_message){.alive = true, .stopping = true});
        heard = hear(fd);
        cr_assert(heard->alive && heard->stopping && !heard->reloading && heard->said_at == 0);
        cr_assert_eq(loop_turn(loop, false), 0);
        notify_sender_finish(&sender);
        notify_sender_finish(&sender);
        close(fd);
    }
}

Test(notify_send, without_anybody_it_says_nothing)
{
    struct notify_sender sender;

    cr_assert_eq(notify_sender_init(&sender, loop, NULL), 0);
    notify_sender_say_status(&sender, "hello?");
    notify_sender_finish(&sender);
    cr_assert_eq(notify_sender_init(&sender, loop, path), -ENOENT);
    cr_assert_eq(sender.fd, -1);
    cr_assert_eq(notify_sender_init(&sender, loop, "@brood/nobody"), -ECONNREFUSED);
    cr_assert_eq(notify_sender_init(&sender, loop, "vsock:2:1"), -EAFNOSUPPORT);
    cr_assert_eq(notify_sender_init(&sender, loop, "127.0.0.1:80"), -EINVAL);
    cr_assert_eq(notify_sender_init(&sender, loop, "relative"), -EINVAL);
    notify_sender_say_status(&sender, "hello?");
    notify_sender_finish(&sender);
}

/* The queue of the other side is full: nothing blocks, and the newest words come in the end. */
Test(notify_send, what_does_not_fit_comes_later)
{
    struct notify_sender sender;
    int fd = open_pair(&sender, NULL), sent = 0, heard = 0;
    const struct notify_message *last = &packet.message;

    while (!sender.is_pending && sent < 100000)
        notify_sender_say_status(&sender, "%d", sent++);
    cr_assert(sender.is_pending);
    notify_sender_say_status(&sender, "newest");
    notify_sender_say(&sender, &(struct notify_message){.ready = true});
    cr_assert_eq(loop_turn(loop, false), 0, "no room: no turn of the loop is wasted");
    while (notify_receive(fd, &packet) == 1)
        heard++;
    cr_assert_eq(heard, sent - 1);
    cr_assert_eq(loop_turn(loop, true), 1);
    last = hear(fd);
    cr_assert(last->ready);
    cr_assert(status_is(last, "newest"));
    cr_assert_eq(notify_receive(fd, &packet), 0);
    cr_assert_eq(loop_turn(loop, false), 0);
    notify_sender_finish(&sender);
    close(fd);
}

Test(notify_send, of_states_the_last_one_counts)
{
    struct notify_sender sender;
    int fd = open_pair(&sender, NULL);

    while (!sender.is_pending)
        notify_sender_say_status(&sender, "filling");
    notify_sender_say(&sender, &(struct notify_message){.reloading = true});
    notify_sender_say(&sender, &(struct notify_message){.ready = true});
    notify_sender_say(&sender, &(struct notify_message){.stopping = true});
    while (notify_receive(fd, &packet) == 1)
        ;
    notify_sender_finish(&sender);
    cr_assert(hear(fd)->stopping, "last words are sent if they can be");
    cr_assert_not(packet.message.ready || packet.message.reloading);
    close(fd);
}

Test(notify_send, finds_the_other_side_again)
{
    struct notify_sender sender;
    int fd = open_pair(&sender, path);

    close(fd);
    notify_sender_say_status(&sender, "to nobody");
    cr_assert_not(sender.is_pending, "what nobody can hear is not kept");
    fd = notify_open(path, address);
    notify_sender_say(&sender, &(struct notify_message){.ready = true});
    cr_assert(hear(fd)->ready);
    cr_assert_eq(loop_turn(loop, false), 0);
    notify_sender_finish(&sender);
    close(fd);
}
