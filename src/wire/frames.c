/* SPDX-License-Identifier: MIT */
#include "wire/frames.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE (16 << 10)

void frames_finish(struct frames *frames) {
    queue_finish(&frames->queue);
    frames->scanned = frames->taken = 0;
}

static void forget_taken(struct frames *frames) {
    if (frames->taken > 0)
        queue_drop(&frames->queue, frames->taken);
    frames->taken = 0;
}

int frames_read(struct frames *frames, int fd) {
    ssize_t n;

    forget_taken(frames);
    char *room = queue_room(&frames->queue, READ_SIZE);
    if (!room)
        return -ENOMEM;
    do
        n = recv(fd, room, READ_SIZE, 0);
    while (n < 0 && errno == EINTR);
    int error = n < 0 ? -errno : 0;
    if (n > 0)
        queue_commit(&frames->queue, (size_t)n);
    else if (frames->queue.length == 0)
        queue_finish(&frames->queue);
    return n < 0 ? error : (int)n;
}

int frames_add(struct frames *frames, const char *bytes, size_t length) {
    forget_taken(frames);
    queue_add(&frames->queue, bytes, length);
    return frames->queue.failed ? -ENOMEM : 0;
}

/* The end of the first message that has not been handed out, or NULL; what was searched is noted.
 */
static const char *find_end(struct frames *frames) {
    const char *text = queue_bytes(&frames->queue) + frames->taken;
    size_t waiting = frames_waiting(frames);
    const char *end = waiting > frames->scanned
                          ? memchr(text + frames->scanned, '\0', waiting - frames->scanned)
                          : NULL;

    frames->scanned = end ? (size_t)(end - text) : waiting;
    return end;
}

bool frames_ready(struct frames *frames) {
    return find_end(frames) || frames->scanned > frames->max;
}

int frames_next(struct frames *frames, const char **ret_text, size_t *ret_length) {
    forget_taken(frames);

    const char *end = find_end(frames);

    if (frames->scanned > frames->max)
        return -EMSGSIZE;
    if (!end)
        return 0;
    *ret_text = queue_bytes(&frames->queue);
    *ret_length = frames->scanned;
    frames->taken = frames->scanned + 1;
    frames->scanned = 0;
    return 1;
}

size_t frames_waiting(const struct frames *frames) {
    return frames->queue.length - frames->taken;
}
