/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A thread that writes, because writing a regular file blocks for as long as the disk likes, and
 * the loop may not. io_uring could write from the loop where there is a ring, but then opening,
 * renaming, listing and removing files would still need a thread, and epoll one for the writes as
 * well: two ways of which one is hardly ever tested. So there is one way, the same on both
 * backends, and cutting and tagging lines happens beside the loop, too. Sinks that may wait for
 * each other share a writer (files of one directory); others have their own.
 *
 * What waits here is bounded by those who put it here: a stream reads no more than `tap.queued`
 * allows. The thread takes sinks round and round, a chunk at a time. A sink that takes nothing
 * rests for a second and is asked again, for ever, while the others go on.
 *
 * Everything but the thread itself belongs to the thread of the loop.
 */

#include <stdint.h>

#include "loop/loop.h"
#include "run/peek.h"
#include "run/relay.h"
#include "run/tap.h"

/* What the loop is told. */
struct writer_events {
    /*
     * There is room again, a pipe has been moved, or the last chunk of the stream has been written
     * (`has_ended`: the writer knows it no more).
     */
    void (*told)(void *data, struct tap *tap, bool has_ended);

    /* A look that was asked for: the receiver's again. */
    void (*peeked)(void *data, struct peek *peek);

    /* A sink has begun (`error`) to fail, or works again (0). */
    void (*trouble)(void *data, const char *sink, int error);

    void *data;
};

/* -ENOMEM, -EAGAIN (no thread to be had), -EMFILE, -ENFILE. */
int writer_new(struct loop *loop, const struct writer_events *events, struct writer **ret_writer);

/*
 * Asks it to write what is waiting and to end, without waiting for it. Nothing may be put then.
 * What cannot be written is tried once; who reads slowly is waited for until `deadline`.
 */
void writer_stop(struct writer *writer, nsec_t deadline);

/*
 * After writer_stop(): waits for it until `deadline`. Whoever cannot be waited for (a disk that
 * does not answer) is left behind with its memory, and -ETIMEDOUT returned. Sinks and what they
 * have not taken are gone afterwards (-EIO: there were some); taps stay the caller's.
 */
int writer_free(struct writer *writer, nsec_t deadline);

/* Hands a sink over. */
void writer_add_sink_take(struct writer *writer, struct sink *sink);

/* Closes a sink once its chunks have been written. No tap may write to it any more. */
void writer_remove_sink(struct writer *writer, struct sink *sink);

/* Changes what a sink was made with; the settings are the sink's, to be freed with free(). */
void writer_configure_take(struct writer *writer, struct sink *sink, void *settings);

/*
 * Looks at a sink that can be looked at, and at what waits for it, once it has tried to write that.
 * There is no other look at it under way.
 */
void writer_peek_take(struct writer *writer, struct sink *sink, struct peek *peek);

/* Opens files anew, of all sinks. */
void writer_reopen(struct writer *writer);

/* A chunk with room for that many bytes; NULL: out of memory. */
struct chunk *chunk_new(enum chunk_kind kind, struct tap *tap, size_t size);

/* Puts a chunk at the end of its sink's queue; writer_wake() has to follow soon. */
void writer_put_take(struct writer *writer, struct chunk *chunk);

/* So that what has been put is written: once for several chunks. */
void writer_wake(struct writer *writer);

/* How many bytes of the stream are waiting. */
size_t writer_queued(struct writer *writer, const struct tap *tap);

/*
 * Asks to be told once no more than `room_at` bytes of the stream are waiting. False: so it is
 * already.
 */
bool writer_ask_for_room(struct writer *writer, struct tap *tap, size_t room_at);

/* For sinks, in the thread: what moves bytes from pipes to their files, one after another. */
struct relay *writer_relay(struct sink *sink);

/* For sinks, in the thread: something does not work, without which it goes on. 0: it does again. */
void writer_tell(struct sink *sink, int error);
