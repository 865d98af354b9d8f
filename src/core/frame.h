/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From a stream of bytes to tagged lines. Pure: bytes in, lines out; the memory for the beginning
 * of a line whose end has not come yet is the caller's.
 *
 * Nothing is lost and nothing is put together wrongly: a line that is longer than the limit comes
 * in pieces, each but the last marked as continued; what has no newline when the stream ends comes
 * as it is, marked; where bytes are missing, the line around the hole is marked, and a note says
 * what is missing. A character of UTF-8 is not cut apart.
 *
 *     text:  2026-11-22T19:28:58.010255Z web/3 [10419 #2] out: a line
 *     json:  {"time":"2026-11-22T19:28:58.010255Z","pool":"web","worker":3,"pid":10419,
 *             "generation":2,"stream":"out","text":"a line"}         (in one line)
 *     raw:   a line
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

/* enumerator, name */
#define FRAME_STREAMS(X)                                                                           \
    X(OUT, "out")                                                                                  \
    X(ERR, "err")

enum frame_stream {
#define X(name, text) FRAME_##name,
    FRAME_STREAMS(X)
#undef X
        FRAME_STREAM_MAX
};

const char *frame_stream_name(enum frame_stream stream);

/* enumerator, mark in text, value of "end" in JSON */
#define FRAME_ENDS(X)                                                                              \
    X(WHOLE, ':', "")                /* with its newline */                                        \
    X(CONTINUED, '+', "continued")   /* the line goes on in the next piece of this stream */       \
    X(BARE, '$', "bare")             /* the stream ended here, without a newline */                \
    X(CUT, '~', "cut")               /* the rest of the line is missing; a note follows */         \
    X(NOTE, '!', "note")             /* not output: what brood has to say about it */              \
    X(UNFINISHED, '>', "unfinished") /* its end has not come yet; never in a file */

enum frame_end {
#define X(name, mark, text) FRAME_##name,
    FRAME_ENDS(X)
#undef X
        FRAME_END_MAX
};

char frame_end_mark(enum frame_end end);
const char *frame_end_name(enum frame_end end);

struct frame_piece {
    const char *text; /* without its newline */
    size_t length;
    enum frame_end end;
    bool begins; /* the first piece of its line */
};

/* The longest piece, where nobody asks for less; and bounds for those who ask. */
#define FRAME_LIMIT     16384
#define FRAME_LIMIT_MIN 64
#define FRAME_LIMIT_MAX 65536

/* Cuts one stream. Zeroed but for the limit, it is at the beginning of a line. */
struct frame {
    uint32_t limit;
    uint32_t carried; /* bytes of an unfinished line in `carry` */
    uint32_t spent;   /* of these, handed out with the last piece */
    bool in_line;     /* a piece of this line has been handed out already */
    bool skipping;    /* the rest of this line is to be passed over */
    char *carry;      /* the caller's, `limit` bytes; may be NULL while nothing is carried */
};

/* What has not been cut yet. */
struct frame_input {
    const char *bytes;
    size_t length;
};

/* Cuts the next piece off; it is good until the next call. False: no further line ends here. */
bool frame_next(struct frame *frame, struct frame_input *input, struct frame_piece *ret_piece);

/*
 * After frame_next() has said no: carries what is left, if anything, into the next input. Needs
 * `carry` then.
 */
void frame_keep(struct frame *frame, struct frame_input *input);

/* At the end, or at a hole: what is carried, as a piece with that end. False: there is nothing. */
bool frame_finish(struct frame *frame, enum frame_end end, struct frame_piece *ret_piece);

/* After a hole that ends in the middle of a line: the rest of that line is passed over. */
void frame_skip_line(struct frame *frame);

/* What syslog and the journal are told besides. */
struct frame_label {
    const char *identifier; /* NULL: the pool's name */
    int facility;           /* LOG_DAEMON and its like of syslog.h */
    bool has_level;         /* else info for standard output, warning for standard error */
    int level;
};

/* Whose bytes they are. */
struct frame_tag {
    const char *pool;
    struct frame_label label;
    uint32_t worker;
    uint32_t generation;
    pid_t pid;
    enum frame_stream stream;
    bool orphan; /* written after the process had ended, by something that it left behind */
};

/* As in syslog.h: 0 … 7. */
int frame_severity(const struct frame_tag *tag);

enum frame_format { FRAME_TEXT, FRAME_JSON, FRAME_RAW, FRAME_FORMAT_MAX };

const char *frame_format_name(enum frame_format format);
int frame_format_parse(const char *text, enum frame_format *ret_format);

/* Room for any prefix of a pool whose name has at most 255 bytes. */
#define FRAME_PREFIX_MAX 2048

/* What all lines of one reading begin with. `wall` is nanoseconds since 1970. */
void frame_add_prefix(
    struct buffer *prefix, enum frame_format format, uint64_t wall, const struct frame_tag *tag);

/* The most that frame_add_piece() adds. */
size_t frame_piece_room(enum frame_format format, size_t prefix, const struct frame_piece *piece);

void frame_add_piece(struct buffer *out, enum frame_format format, const struct buffer *prefix,
    const struct frame_piece *piece);

/*
 * A line of text for a terminal: the prefix in the colour of its worker, if any is wanted, and
 * all but tabs made visible as buffer_add_visible() has it.
 */
void frame_add_terminal_piece(struct buffer *out, const struct buffer *prefix, uint32_t worker,
    bool coloured, const struct frame_piece *piece);

/* The same of a line without tags, as raw has it. */
void frame_add_terminal_raw(struct buffer *out, const struct frame_piece *piece);

/* The most that either adds. */
size_t frame_terminal_room(size_t prefix, const struct frame_piece *piece);
