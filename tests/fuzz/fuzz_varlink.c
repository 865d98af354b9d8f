/* SPDX-License-Identifier: MIT */

/*
 * up/control, wire/varlink: what a client sends, whole, to a socket whose workers are none.
 * Whatever it is: each answer is a message that a client can read, and nothing of it is left
 * afterwards.
 */

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../up/fake_engine.h"
#include "fuzz.h"
#include "up/control_internal.h"
#include "wire/varlink.h"

static int reload_config(void *data, struct control_changes *changes) {
    (void)data;
    control_changed(changes, "web", CHANGE_UNCHANGED, NULL);
    control_warn(changes, "\xff");
    return 0;
}

static uint64_t configuration(void *data) {
    (void)data;
    return 1;
}

static void shut_down(void *data) {
    (void)data;
}

static void origin(void *data, const struct engine_pool *pool, struct control_origin *ret_origin) {
    (void)data, (void)pool;
    *ret_origin = (struct control_origin){"\"\\\xfe", "a:b", 1};
}

static int scale(
    void *data, struct engine_pool *pool, uint32_t n_workers, char reason[LISTEN_TEXT_SIZE]) {
    (void)data, (void)reason;
    return engine_pool_scale(pool, n_workers);
}

static struct engine *engine;
static struct loop *loop;
static struct control *control;

static void add_files(void) {
    static char bytes[] = "\xff\0\n half";
    static struct peek peek = {.bytes = bytes, .n_pending = 3, .length = sizeof(bytes) - 1};

    fake_add_file(engine, &(struct capture_file){"web", "/\xfe/web.log", &peek});
    fake_add_file(engine, &(struct capture_file){"db", "/db.log", NULL});
}

static void begin(void) {
    static const struct control_callbacks callbacks = {
        reload_config, scale, configuration, shut_down, origin};
    char path[] = "/tmp/brood-fuzz-XXXXXX/control.sock", *slash = strrchr(path, '/');
    pid_t pid;

    *slash = '\0';
    PROMISE(mkdtemp(path) && loop_new(LOOP_EPOLL, &loop) == 0);
    *slash = '/';
    engine = fake_engine_new(loop);
    fake_add_pool(engine, "web", 3);
    fake_add_pool(engine, "db", 1);
    add_files();
    struct control_options options = {
        .engine = engine,
        .path = path,
        .version = "1",
        .read_group = (gid_t)-1,
        .change_group = (gid_t)-1,
        .callbacks = &callbacks,
    };
    PROMISE(control_new(&options, &control, &pid) == 0);
    /* Nobody is to connect, and nothing is to be left in the way. */
    unlink(path);
    *slash = '\0';
    rmdir(path);
}

static void settle(void) {
    for (int quiet = 0; quiet < 2;)
        quiet = loop_turn(loop, false) == 0 ? quiet + 1 : 0;
}

/* The workers go their way: whoever waits gets an answer, or waits on. */
static void move_workers(unsigned chance) {
    for (uint32_t i = 0; i < engine_pools(engine); i++) {
        struct engine_pool *pool = engine_pool_at(engine, i);

        for (uint32_t k = 0; k < engine_pool_workers(pool); k++)
            fake_move(pool, k, (enum worker_state)((chance + i + k) % WORKER_STATE_MAX));
        fake_end_roll(pool, chance % 2 ? REPORT_ROLL_DONE : REPORT_ROLL_FAILED, 0);
    }
    if (chance % 2)
        fake_answer_looks(engine);
    settle();
}

static void read_answers(int fd) {
    struct frames answers = FRAMES_INIT(VARLINK_REPLY_MAX);
    struct varlink_reply reply;
    const char *text;
    size_t length;

    do {
        while (frames_next(&answers, &text, &length) == 1) {
            PROMISE(varlink_read_reply(text, length, &reply) == 0);
            varlink_reply_finish(&reply);
        }
        settle();
    } while (frames_read(&answers, fd) > 0);
    frames_finish(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int pair[2];

    if (!control)
        begin();
    control->shutting_down = false;
    for (uint32_t i = 0; i < engine_pools(engine); i++)
        engine_pool_scale(engine_pool_at(engine, i), i == 0 ? 3 : 1);
    move_workers(size > 0 ? data[0] : 0);
    PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    PROMISE(client_new_take(control, pair[0]) == 0);
    if (size == 0 || send(pair[1], data, size, MSG_NOSIGNAL) < 0)
        PROMISE(size == 0);
    settle();
    for (unsigned chance = 0; chance < 3; chance++) {
        move_workers((unsigned)size + chance);
        read_answers(pair[1]);
    }
    close(pair[1]);
    settle();
    PROMISE(control->n_clients == 0 && !control->waiters && !control->first);
    PROMISE(!fake_is_looked_at(engine));
    return 0;
}
