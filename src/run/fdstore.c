/* SPDX-License-Identifier: MIT */
#include "run/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/descriptors.h"

/* Linux 6.10. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3)
#endif

/* What a name is where none was said. */
static const char no_name[] = "stored";

void fdstore_init(struct fdstore *store, struct loop *loop, uint32_t max) {
    *store = (struct fdstore){.loop = loop, .max = max, .epoll = -1};
}

static void forget_watch(struct fdstore *store) {
    if (store->epoll < 0)
        return;
    loop_remove(store->loop, store->source);
    close(store->epoll);
    store->epoll = -1;
    store->source = 0;
}

/* An epoll set goes on telling of a file that is open elsewhere: it is taken out by hand. */
static void drop(struct fdstore *store, uint32_t index) {
    struct fdstore_entry *entry = &store->entries[index];

    if (entry->watched)
        epoll_ctl(store->epoll, EPOLL_CTL_DEL, entry->fd, NULL);
    close(entry->fd);
    store->count--;
    memmove(entry, entry + 1, (store->count - index) * sizeof(*entry));
}

void fdstore_finish(struct fdstore *store) {
    while (store->count > 0)
        drop(store, store->count - 1);
    forget_watch(store);
    free(TAKE(store->entries));
}

static void drop_fd(struct fdstore *store, int fd) {
    for (uint32_t i = 0; i < store->count; i++)
        if (store->entries[i].fd == fd) {
            drop(store, i);
            return;
        }
}

static void on_hang_up(void *data, uint64_t value, int fd, unsigned events) {
    struct epoll_event gone[16];
    int n = epoll_wait(fd, gone, ELEMENTS(gone), 0);

    (void)value, (void)events;
    for (int i = 0; i < n; i++)
        drop_fd(data, gone[i].data.fd);
}

/* A source of the loop waits for something to read, too, and a kept socket may be full of it. */
static int open_watch(struct fdstore *store) {
    struct loop_watch watch = {
        .events = LOOP_IN, .priority = LOOP_PRIORITY_CONTROL, .fn = on_hang_up, .data = store};
    int r;

    if (store->epoll >= 0)
        return 0;
    watch.fd = descriptors_move_up_consume(epoll_create1(EPOLL_CLOEXEC));
    if (watch.fd < 0)
        return watch.fd;
    r = loop_add(store->loop, &watch, &store->source);
    if (r < 0)
        close(watch.fd);
    else
        store->epoll = watch.fd;
    return r;
}

/* EPERM: a file that never hangs up. */
static int watch_entry(struct fdstore *store, struct fdstore_entry *entry) {
    struct epoll_event event = {.data.fd = entry->fd};
    int r = open_watch(store);

    if (r < 0)
        return r;
    if (epoll_ctl(store->epoll, EPOLL_CTL_ADD, entry->fd, &event) == 0)
        entry->watched = true;
    else if (errno != EPERM)
        return -errno;
    return 0;
}

/* Where neither call is allowed, each is one of its own. */
static bool is_same_file(int a, int b) {
    int r = fcntl(a, F_DUPFD_QUERY, b);

    if (r >= 0)
        return r == 1;
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) == 0;
}

static bool has(const struct fdstore *store, int fd) {
    for (uint32_t i = 0; i < store->count; i++)
        if (is_same_file(store->entries[i].fd, fd))
            return true;
    return false;
}

static int grow(struct fdstore *store) {
    struct fdstore_entry *grown;

    grown = reallocarray(store->entries, (size_t)store->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    store->entries = grown;
    return 0;
}

int fdstore_add_consume(
    struct fdstore *store, int fd, const char *name, size_t name_size, bool watch) {
    struct fdstore_entry *entry;
    int r = 0;

    if (!notify_name_is_valid(name, name_size))
        r = -EINVAL;
    else if (has(store, fd)) {
        close(fd);
        return 0;
    } else if (store->count >= store->max)
        r = -ENOSPC;
    else
        r = grow(store);
    if (r < 0) {
        close(fd);
        return r;
    }
    entry = &store->entries[store->count++];
    *entry = (struct fdstore_entry){.fd = fd};
    memcpy(entry->name, name, name_size);
    r = watch ? watch_entry(store, entry) : 0;
    if (r < 0)
        drop(store, store->count - 1);
    return r;
}

uint32_t fdstore_remove(struct fdstore *store, const char *name, size_t name_size) {
    uint32_t before = store->count;

    for (uint32_t i = store->count; i-- > 0;)
        if (strlen(store->entries[i].name) == name_size &&
            memcmp(store->entries[i].name, name, name_size) == 0)
            drop(store, i);
    return before - store->count;
}

int fdstore_obey(
    struct fdstore *store, const struct notify_message *message, int *fds, size_t n_fds) {
    const char *name = message->fd_name ? message->fd_name : no_name;
    size_t size = message->fd_name ? message->fd_name_size : strlen(no_name);
    int first = 0;

    if (message->fd_remove && message->fd_name)
        fdstore_remove(store, name, size);
    if (!message->fd_store)
        return 0;
    for (size_t i = 0; i < n_fds; i++) {
        int fd = fds[i], r;

        fds[i] = -1;
        if (fd < 0)
            continue;
        r = fdstore_add_consume(store, fd, name, size, !message->fd_unwatched);
        first = first < 0 ? first : r;
    }
    return first;
}

void fdstore_set_max(struct fdstore *store, uint32_t max) {
    store->max = max;
}
