/* SPDX-License-Identifier: MIT */

/* The file sink: lines are rendered into one buffer, and that is written at the end of a turn. */

#include "run/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "loop/loop.h"
#include "run/logfile_internal.h"
#include "run/writer.h"

#define OUT_SIZE (64 << 10)

/* What is moved from a pipe at once, and how long before others have their turn. */
#define MOVE_SIZE (64 << 10)
#define MOVE_TURN (8 * NSEC_PER_MSEC)

/* A pipe that had less is empty now, and not asked again. */
#define MOVE_LITTLE 4096

/* Looked through at once for the end of a line. */
#define FINISH_SIZE 4096

/* With the first `taken` bytes of what waits. */
static bool ends_line(const struct logfile *file, size_t taken) {
    char last = '\n';

    if (taken > 0)
        last = file->out.data[taken - 1];
    else if (file->size > 0 && pread(file->fd, &last, 1, (off_t)file->size - 1) != 1)
        last = '\n';
    return last == '\n';
}

/* Whether what has been taken since `before` does not fit any more. */
static bool is_full(const struct logfile *file, size_t before) {
    uint64_t max = file->settings.max_size;

    return max > 0 && file->size + file->out.length > max && file->size + before > 0 &&
           (file->next_try == 0 || file->next_try <= loop_clock()) && ends_line(file, before);
}

int logfile_write(struct logfile *file, const char *bytes, size_t length, size_t *ret_written) {
    size_t done = 0;
    int r = logfile_open(file);

    if (r >= 0 && file->size == 0 && length > 0)
        logfile_begin_age(file);
    while (r >= 0 && done < length) {
        ssize_t n = write(file->fd, bytes + done, length - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    file->size += done;
    *ret_written = done;
    return r;
}

/* Writes the first bytes of what has been taken; what could not be written stays. */
static int write_out(struct logfile *file, size_t length) {
    struct buffer *out = &file->out;
    size_t written;
    int r = logfile_write(file, out->data, length, &written);

    out->length -= written;
    memmove(out->data, out->data + written, out->length + 1);
    return r;
}

static int flush(struct sink *sink) {
    struct logfile *file = logfile_of(sink);

    if (!file->out.data && file->fd >= 0)
        return 0;
    int r = file->out.data ? write_out(file, file->out.length) : logfile_open(file);
    if (r >= 0 && file->out.data) {
        free(file->out.data);
        file->out = (struct buffer){0};
    }
    return r;
}

static int make_room(struct logfile *file, size_t needed) {
    if (file->out.data && file->out.size - file->out.length > needed)
        return 0;
    int r = flush(&file->sink);
    if (r < 0)
        return r;

    size_t size = MAX((size_t)OUT_SIZE, needed + 1);
    char *memory = malloc(size);
    if (!memory)
        return -ENOMEM;
    file->out = (struct buffer){.data = memory, .size = size};
    return 0;
}

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    struct logfile *file = logfile_of(sink);

    file->prefix = (struct buffer){.data = file->prefix_memory, .size = file->prefix_size};
    frame_add_prefix(&file->prefix, file->settings.format, wall, tag);
}

static void set_length(struct buffer *out, size_t length) {
    out->length = length;
    out->data[length] = '\0';
}

/* The file has all that was taken before; a new one begins with the piece. */
static int rotate_before(struct logfile *file, size_t before) {
    size_t piece = file->out.length - before;
    int r = before > 0 ? write_out(file, before) : logfile_open(file);

    if (r < 0)
        set_length(&file->out, file->out.length - piece);
    else
        logfile_rotate(file);
    return r;
}

static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct logfile *file = logfile_of(sink);
    enum frame_format format = file->settings.format;
    int r = make_room(file, frame_piece_room(format, file->prefix.length, piece));

    if (r < 0)
        return r;
    size_t before = file->out.length;
    frame_add_piece(&file->out, format, &file->prefix, piece);
    return is_full(file, before) ? rotate_before(file, before) : 0;
}

/* What is in the pipe, up to `most`, is taken as it is; 0: nothing now. */
static int take_from_pipe(struct logfile *file, int pipe, size_t most) {
    struct buffer *out = &file->out;
    int r = make_room(file, most);

    if (r < 0)
        return r;
    ssize_t n = read(pipe, out->data + out->length, most);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    set_length(out, out->length + (size_t)n);
    return (int)n;
}

/* Where a file is full, the line that it ends with is written to its end before the next begins. */
static int finish_line(struct logfile *file, int pipe) {
    const struct buffer *out = &file->out;
    int n = take_from_pipe(file, pipe, FINISH_SIZE);

    if (n <= 0)
        return n;
    const char *newline = memchr(out->data, '\n', out->length);
    int r = newline ? write_out(file, (size_t)(newline - out->data) + 1) : 0;
    if (r >= 0 && newline)
        logfile_rotate(file);
    return r < 0 ? r : n;
}

static size_t room_before_rotation(const struct logfile *file, size_t most) {
    uint64_t max = file->settings.max_size;

    if (max == 0 || file->next_try > loop_clock())
        return most;
    return file->size >= max ? 0 : (size_t)MIN((uint64_t)most, max - file->size);
}

/*
 * As take_from_pipe(), but the bytes go into the file at once, and come into memory only where that
 * takes no more of them.
 */
static int splice_from_pipe(struct logfile *file, int pipe, size_t most) {
    struct relay *relay = writer_relay(&file->sink);
    int r = make_room(file, most);

    if (r < 0)
        return r;
    ssize_t n = relay_take(relay, pipe, most);
    if (n <= 0)
        return (int)n;
    size_t left = (size_t)n;
    off_t offset = (off_t)file->size;

    if (file->size == 0)
        logfile_begin_age(file);
    r = relay_give(relay, file->fd, &offset, &left);
    file->size = (uint64_t)offset;
    if (lseek(file->fd, offset, SEEK_SET) < 0 && r >= 0)
        r = -errno;
    if (left > 0)
        take_from_pipe(file, relay->out, left);
    file->copies |= r == -EINVAL;
    return r < 0 && r != -EINVAL ? r : (int)n;
}

/* How much it was; 0: nothing there now. */
static int move_some(struct logfile *file, int pipe) {
    size_t most = room_before_rotation(file, MOVE_SIZE);
    int r = 0;

    if (most == 0 && ends_line(file, 0)) {
        logfile_rotate(file);
        r = logfile_open(file);
        most = room_before_rotation(file, MOVE_SIZE);
    }
    if (r < 0)
        return r;
    int n = most == 0      ? finish_line(file, pipe)
            : file->copies ? take_from_pipe(file, pipe, most)
                           : splice_from_pipe(file, pipe, most);
    r = n < 0 ? n : flush(&file->sink);
    return r < 0 ? r : n;
}

static int move(struct sink *sink, int pipe) {
    struct logfile *file = logfile_of(sink);
    int moved = 0, r = flush(sink);

    if (r >= 0)
        r = logfile_open(file);
    for (nsec_t end = nsec_add(loop_clock(), MOVE_TURN); r >= 0 && loop_clock() < end;) {
        r = move_some(file, pipe);
        moved += MAX(r, 0);
        if (r >= 0 && r < MOVE_LITTLE)
            break;
    }
    return r < 0 ? r : moved;
}

static int reopen(struct sink *sink) {
    struct logfile *file = logfile_of(sink);
    int r = flush(sink);

    if (r < 0)
        return r;
    logfile_close(file);
    return logfile_open(file);
}

/* Where the file is not open, what its name means is what it will go on with. */
static int look(struct sink *sink, struct sink_file *ret_file) {
    const struct logfile *file = logfile_of(sink);
    struct stat status = {0};
    int r = file->fd >= 0 ? fstat(file->fd, &status) : stat(file->path, &status);

    if (r < 0 && errno != ENOENT && errno != ENOTDIR)
        return -errno;
    *ret_file = (struct sink_file){
        .format = file->settings.format,
        .device = status.st_dev,
        .inode = status.st_ino,
        .size = (uint64_t)status.st_size,
        .taken = file->out.data,
        .n_taken = file->out.length,
    };
    return 0;
}

static nsec_t tick(struct sink *sink, nsec_t now) {
    struct logfile *file = logfile_of(sink);

    if (now >= file->rotate_at && file->size > 0 && flush(sink) >= 0 && file->fd >= 0) {
        if (!ends_line(file, 0))
            return NSEC_NEVER; /* what comes next may end it, and then we are asked again */
        logfile_rotate(file);
    }
    if (file->rotate_at == NSEC_NEVER || file->size == 0)
        return NSEC_NEVER;
    return MAX(file->rotate_at, nsec_add(now, NSEC_PER_SEC));
}

static void close_file(struct sink *sink) {
    struct logfile *file = logfile_of(sink);

    if (file->out.length > 0)
        flush(sink);
    logfile_close(file);
    free(file->out.data);
    free(file->path);
    free((char *)file->settings.directory);
    free(file);
}

static void fill_in_defaults(struct logfile_settings *settings) {
    settings->mode = settings->mode ? settings->mode : 0640;
    settings->directory_mode = settings->directory_mode ? settings->directory_mode : 0755;
}

/* Directory and name stay what they are: another file would be another sink. */
static void configure(struct sink *sink, const void *settings) {
    struct logfile *file = logfile_of(sink);
    const char *directory = file->settings.directory, *name = file->settings.name;

    file->settings = *(const struct logfile_settings *)settings;
    file->settings.directory = directory;
    file->settings.name = name;
    fill_in_defaults(&file->settings);
}

int logfile_refusal(const char *directory) {
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/.", directory) >= (int)sizeof(path))
        return ENAMETOOLONG;
    while (access(path, W_OK | X_OK) < 0) {
        char *slash = strrchr(path, '/');

        if (errno != ENOENT || !slash)
            return errno == ENOENT ? 0 : errno;
        *slash = '\0';
    }
    return 0;
}

static const struct sink_ops logfile_ops = {
    .begin = begin,
    .piece = take_piece,
    .flush = flush,
    .move = move,
    .reopen = reopen,
    .look = look,
    .configure = configure,
    .tick = tick,
    .close = close_file,
};

/* One allocation for the name within the path; the directory is what it was given as. */
static int copy_names(struct logfile *file) {
    const struct logfile_settings *settings = &file->settings;

    if (asprintf(&file->path, "%s/%s", settings->directory, settings->name) < 0) {
        file->path = NULL;
        return -ENOMEM;
    }
    file->settings.directory = strdup(settings->directory);
    file->settings.name = file->path + strlen(file->path) - strlen(settings->name);
    return file->settings.directory ? 0 : -ENOMEM;
}

int logfile_new(const struct logfile_settings *settings, struct sink **ret_sink) {
    size_t prefix_size = settings->format == FRAME_RAW ? 1 : FRAME_PREFIX_MAX;
    struct logfile *file = calloc(1, sizeof(*file) + prefix_size);

    if (!file)
        return -ENOMEM;
    file->prefix_size = prefix_size;
    file->settings = *settings;
    fill_in_defaults(&file->settings);
    file->directory = file->fd = -1;
    file->rotate_at = NSEC_NEVER;
    if (copy_names(file) < 0) {
        free(file->path);
        free(file);
        return -ENOMEM;
    }
    file->sink.ops = &logfile_ops;
    file->sink.name = file->path;
    *ret_sink = &file->sink;
    return 0;
}
