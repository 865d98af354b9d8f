/* SPDX-License-Identifier: MIT */

/* One captured stream: reading its pipe in the loop, holding back or dropping. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/capture_internal.h"

static void set_muted(struct stream *stream, bool muted) {
    if (stream->is_muted == muted || stream->is_over)
        return;
    stream->is_muted = muted;
    if (!stream->moves)
        stream->pool->facts.blocked += muted ? 1 : -1U;
    if (!muted || !stream->moves)
        gather_update(stream);
}

static size_t limit_of(const struct stream *stream) {
    return stream->pool->settings.buffer;
}

static size_t room_in(const struct stream *stream) {
    size_t queued = writer_queued(stream->sink->writer, &stream->tap);

    return queued < limit_of(stream) ? limit_of(stream) - queued : 0;
}

static void put(struct stream *stream, struct chunk *chunk) {
    stream->has_put = true;
    writer_put_take(stream->sink->writer, chunk);
    gather_wake_writers(&stream->pool->capture->gather);
}

/* The last words */

static void remember(struct stream *stream, const char *bytes, size_t n) {
    struct words *words = stream->process ? &stream->process->words : NULL;

    if (!words || stream->which != FRAME_ERR || words->size == 0)
        return;
    if (!words->data)
        words->data = malloc(words->size);
    if (!words->data)
        return;
    if (n > words->size) {
        bytes += n - words->size;
        n = words->size;
    }
    size_t kept = MIN(words->length, words->size - n);
    memmove(words->data, words->data + words->length - kept, kept);
    memcpy(words->data + kept, bytes, n);
    words->length = kept + n;
}

/* What it wrote last may have to wait in its pipe for room: it is looked at there, and stays. */
void stream_overhear(struct stream *stream) {
    char *scratch = stream->pool->capture->scratch;
    int copy[2];
    ssize_t n;

    if (stream->which != FRAME_ERR || stream->is_over || !stream->has_own ||
        pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    fcntl(copy[1], F_SETPIPE_SZ, fcntl(stream->fd, F_GETPIPE_SZ));
    if (tee(stream->fd, copy[1], stream->own, SPLICE_F_NONBLOCK) > 0)
        while ((n = read(copy[0], scratch, CAPTURE_SHARE_AT_MOST)) > 0)
            remember(stream, scratch, (size_t)n);
    close(copy[0]);
    close(copy[1]);
}

/* Dropping */

static void count_lost(struct stream *stream, const char *bytes, size_t n) {
    struct capture_facts *facts = &stream->pool->facts;
    uint64_t lines = 0;

    for (const char *at = bytes; (at = memchr(at, '\n', n - (size_t)(at - bytes))); at++)
        lines++;
    stream->mid_line = bytes[n - 1] != '\n';
    stream->lost_lines += lines;
    facts->dropped_bytes += n;
    facts->dropped_lines += lines;
}

/* Where there is room again, what is missing is said first. */
static void confess(struct stream *stream) {
    bool is_hole = stream->lost_lines > 0 || stream->mid_line;
    struct chunk *hole = is_hole ? chunk_new(CHUNK_HOLE, &stream->tap, 0) : NULL;

    stream->dropping = stream->dropping && is_hole;
    if (!hole)
        return;
    hole->lines = stream->lost_lines + stream->mid_line;
    hole->mid_line = stream->mid_line;
    stream->dropping = stream->mid_line = false;
    stream->lost_lines = 0;
    put(stream, hole);
}

/*
 * What marks a place in the stream stands after the hole that comes before it. It takes no room;
 * where there is not even memory for it, it is missing.
 */
static void put_mark(struct stream *stream, enum chunk_kind kind) {
    struct chunk *chunk = chunk_new(kind, &stream->tap, 0);

    if (stream->dropping)
        confess(stream);
    if (chunk)
        put(stream, chunk);
}

/* Once it has begun, half of the room has to be free again, or there would be a hole a line. */
static bool must_drop(struct stream *stream, size_t room) {
    if (stream->dropping && room >= limit_of(stream) / 2)
        confess(stream);
    else if (stream->pool->settings.overflow == CAPTURE_DROP && room == 0)
        stream->dropping = true;
    return stream->dropping;
}

/* Reading */

/* The thread may still be at the pipe of a stream that it moves itself: that is closed later. */
static void finish(struct stream *stream) {
    if (stream->is_over)
        return;
    set_muted(stream, false);
    stream->is_over = true;
    gather_remove(stream);
    if (!stream->moves) {
        close(stream->fd);
        stream->fd = -1;
    }
    if (!stream->process)
        put_mark(stream, CHUNK_END);
}

static void leave_process(struct stream *stream) {
    if (stream->process)
        stream->process->streams[stream->which] = NULL;
    stream->process = NULL;
}

/* Of one that has never had anything to say the thread knows nothing. */
void stream_detach(struct stream *stream) {
    leave_process(stream);
    if (stream->is_over && !stream->has_put)
        stream_free(stream);
    else if (stream->is_over)
        put_mark(stream, CHUNK_END);
}

static void count_own(struct stream *stream, size_t n) {
    if (!stream->has_own)
        return;
    stream->own -= n;
    if (stream->own == 0) {
        stream->has_own = false;
        put_mark(stream, CHUNK_ORPHAN);
    }
}

/* Keeps what has been read, or, where it cannot be kept, counts it. */
static void keep(struct stream *stream, const char *bytes, size_t n) {
    if (stream->is_orphans && !stream->has_put)
        put_mark(stream, CHUNK_ORPHAN);
    struct chunk *chunk = stream->dropping ? NULL : chunk_new(CHUNK_BYTES, &stream->tap, n);

    remember(stream, bytes, n);
    stream->pool->facts.bytes += n;
    if (chunk) {
        memcpy(chunk->bytes, bytes, n);
        put(stream, chunk);
    } else {
        stream->dropping = true;
        count_lost(stream, bytes, n);
    }
    count_own(stream, n);
}

/* How much it was; 0: nothing there now, or the end. */
static size_t read_some(struct stream *stream, size_t most) {
    char *scratch = stream->pool->capture->scratch;

    if (stream->has_own)
        most = MIN(most, stream->own);
    ssize_t n = read(stream->fd, scratch, MIN(most, (size_t)CAPTURE_SHARE_AT_MOST));
    if (n > 0) {
        keep(stream, scratch, (size_t)n);
        return (size_t)n;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        finish(stream);
    return 0;
}

/* Not read again before the writer says that there is room. */
static void hold_back(struct stream *stream) {
    if (writer_ask_for_room(stream->sink->writer, &stream->tap, limit_of(stream) / 2))
        set_muted(stream, true);
}

struct backlog stream_backlog(const struct capture_worker *worker, const struct stream *all) {
    struct backlog backlog = {0};

    for (const struct stream *s = all; s; s = s->next) {
        if (s->worker != worker)
            continue;
        size_t queued = writer_queued(s->sink->writer, &s->tap);

        backlog.open += s->fd >= 0;
        if (s->process || (queued == 0 && !s->is_muted && !s->is_over))
            continue;
        backlog.waiting++;
        backlog.bytes += s->is_muted ? limit_of(s) : queued;
    }
    return backlog;
}

void stream_look_again(struct stream *stream) {
    if (!stream->moves)
        set_muted(stream, false);
}

static size_t read_in_turn(struct stream *stream, size_t share) {
    size_t room = room_in(stream);

    if (must_drop(stream, room))
        return read_some(stream, share);
    if (room > 0)
        return read_some(stream, MIN(share, room));
    hold_back(stream);
    return 0;
}

/* The writer takes it from the pipe itself, at least so many bytes, and says when it is done. */
static bool put_pipe(struct stream *stream, size_t least) {
    struct chunk *chunk = chunk_new(CHUNK_PIPE, &stream->tap, 0);

    if (!chunk)
        return false;
    chunk->pipe = stream->fd;
    chunk->least = least;
    put(stream, chunk);
    return true;
}

static size_t in_pipe(const struct stream *stream) {
    int n = 0;

    return ioctl(stream->fd, FIONREAD, &n) < 0 ? 0 : (size_t)n;
}

static size_t look_for_pipe(struct stream *stream) {
    size_t n = in_pipe(stream);

    if (n > 0 && put_pipe(stream, 0)) {
        set_muted(stream, true);
        return n;
    }
    n = read_in_turn(stream, CAPTURE_SHARE_AT_MOST);
    if (!stream->is_over && !stream->is_muted)
        gather_update(stream);
    return n;
}

size_t stream_look(struct stream *stream, size_t share) {
    if (stream->is_muted)
        return 0;
    if (stream->moves)
        return look_for_pipe(stream);

    size_t n = read_in_turn(stream, share);
    return stream->is_muted ? limit_of(stream) : n;
}

void capture_stream_told(struct stream *stream, bool has_ended) {
    if (has_ended)
        stream_free(stream);
    else
        set_muted(stream, false);
}

void stream_drain(struct stream *stream) {
    while (!stream->is_over && !stream->is_muted && read_in_turn(stream, CAPTURE_SHARE_AT_MOST) > 0)
        ;
}

void stream_disown(struct stream *stream) {
    if (stream->moves)
        return;
    stream->own = stream->is_over ? 0 : in_pipe(stream); /* its end may be seen before its exit */
    stream->has_own = stream->own > 0;
    stream->is_orphans = !stream->has_own;
    if (stream->is_orphans && stream->has_put)
        put_mark(stream, CHUNK_ORPHAN);
}

void stream_note(struct stream *stream, const char *text) {
    struct chunk *chunk = chunk_new(CHUNK_NOTE, &stream->tap, strlen(text));

    if (!chunk)
        return;
    if (stream->dropping)
        confess(stream);
    memcpy(chunk->bytes, text, chunk->length);
    put(stream, chunk);
}

/* What comes meanwhile is not waited for: somebody may write for ever. */
static void take_rest(struct stream *stream) {
    size_t left = in_pipe(stream), n;

    if (stream->moves) {
        put_pipe(stream, left);
        return;
    }
    if (stream->dropping && left > 0)
        confess(stream);
    for (; left > 0 && (n = read_some(stream, left)) > 0; left -= n)
        ;
}

void stream_end(struct stream *stream) {
    leave_process(stream);
    stream_close_child_end(stream);
    if (stream->is_over)
        return;
    take_rest(stream);
    finish(stream);
}

/* Making and freeing */

/* The rate is limited for a worker, whatever it writes to, as long as one thread writes it. */
static struct rate *rate_for(const struct capture_pool *pool, const struct stream *stream) {
    bool is_shared = pool->sinks[FRAME_OUT] == pool->sinks[FRAME_ERR];

    if (pool->settings.rate_burst == 0)
        return NULL;
    return &stream->worker->rates[is_shared ? FRAME_OUT : stream->which];
}

/* /dev/stdout is opened anew by its name, with the rights of who does it. */
static int give_to_reader(const struct stream *stream) {
    uid_t reader = stream->pool->settings.reader;

    return reader != 0 && fchown(stream->fd, reader, (gid_t)-1) < 0 && errno != EPERM ? -errno : 0;
}

/* Raw bytes that nobody has to look at need not come to us at all. */
static bool can_move(const struct stream *stream) {
    const struct capture_settings *settings = &stream->pool->settings;

    return settings->targets[stream->which] == CAPTURE_FILE && settings->file.format == FRAME_RAW &&
           settings->overflow == CAPTURE_BLOCK && settings->rate_burst == 0 &&
           (stream->which == FRAME_OUT || settings->last_words == 0);
}

/* A restart shall not have to look for it. */
static int take_sink(struct stream *stream, uint32_t worker) {
    struct capture_pool *pool = stream->pool;
    struct capture_sink **kept = pool->sinks[stream->which] ? &pool->sinks[stream->which]
                                                            : &stream->worker->sinks[stream->which];
    int r = *kept ? 0 : capture_sink_get(pool, worker, stream->which, kept);

    if (r >= 0)
        stream->sink = capture_sink_ref(*kept);
    return r;
}

static void enlist(struct stream *stream) {
    struct stream **head = &stream->pool->capture->streams;

    stream->next = *head;
    stream->link = head;
    if (*head)
        (*head)->link = &stream->next;
    *head = stream;
    stream->pool->facts.streams++;
    stream->worker->streams++;
}

int stream_new(
    struct capture_process *process, enum frame_stream which, struct stream **ret_stream) {
    struct capture_pool *pool = process->pool;
    struct stream *stream;
    int r = capture_spare_take(pool->capture, &stream);

    if (r < 0)
        return r;
    stream->process = process;
    stream->which = which;
    stream->pool = capture_pool_ref(pool);
    stream->worker = pool->workers[process->worker];
    stream->moves = can_move(stream);
    if (stream->moves)
        gather_update(stream);
    enlist(stream);
    r = take_sink(stream, process->worker);
    if (r >= 0)
        r = give_to_reader(stream);
    if (r < 0) {
        stream_free(stream);
        return r;
    }
    stream->tap.sink = stream->sink->sink;
    stream->tap.rate = rate_for(pool, stream);
    stream->tap.limit =
        (struct rate_limit){pool->settings.rate_burst, pool->settings.rate_interval};
    stream->tap.room_at = SIZE_MAX;
    stream->tap.frame.limit = pool->settings.line_max;
    stream->tap.tag = (struct frame_tag){
        .pool = pool->name,
        .label = pool->settings.label,
        .worker = process->worker,
        .generation = process->generation,
        .stream = which,
    };
    *ret_stream = stream;
    return 0;
}

struct stream *stream_free(struct stream *stream) {
    struct capture_pool *pool = stream->pool;

    leave_process(stream);
    if (stream->fd >= 0) {
        gather_remove(stream);
        close(stream->fd);
    }
    stream_close_child_end(stream);
    tap_finish(&stream->tap);
    capture_sink_unref(stream->sink);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    pool->facts.streams--;
    stream->worker->streams--;
    free(stream);
    capture_pool_unref(pool);
    return NULL;
}
