/* SPDX-License-Identifier: MIT */
#include "run/sink_syslog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>

#include "base/macro.h"
#include "base/utc.h"
#include "run/datagram.h"

#define APP_MAX 48 /* of RFC 5424 */

struct syslog {
    struct sink sink;
    struct datagram socket;
    uint64_t wall;
    struct frame_tag tag;
    char host[SYSLOG_HOST_MAX + 1];
};

static struct syslog *syslog_of(struct sink *sink) {
    return container_of(sink, struct syslog, sink);
}

static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    struct syslog *syslog = syslog_of(sink);

    syslog->wall = wall;
    syslog->tag = *tag;
}

void syslog_add_word(struct buffer *buffer, const char *text, size_t max) {
    for (size_t i = 0; text[i] != '\0' && i < max; i++) {
        char c = text[i] > ' ' && text[i] < 0x7f && !strchr("\"\\]", text[i]) ? text[i] : '_';

        buffer_add(buffer, &c, 1);
    }
}

void syslog_read_host(char host[SYSLOG_HOST_MAX + 1]) {
    struct utsname names;
    bool is_known = uname(&names) == 0 && names.nodename[0] != '\0';

    snprintf(host, SYSLOG_HOST_MAX + 1, "%s", is_known ? names.nodename : "-");
}

static void add_head(struct buffer *head, const struct syslog *syslog, enum frame_end end) {
    const struct frame_tag *tag = &syslog->tag;
    const char *app = tag->label.identifier ? tag->label.identifier : tag->pool;
    char time[UTC_LENGTH + 1];

    buffer_add_format(head, "<%d>1 %s ", tag->label.facility | frame_severity(tag),
        utc_format(syslog->wall, time));
    syslog_add_word(head, syslog->host, SYSLOG_HOST_MAX);
    buffer_add_text(head, " ");
    syslog_add_word(head, app, APP_MAX);
    buffer_add_format(head, " %d - [" SYSLOG_STRUCTURED_ID " pool=\"", tag->pid);
    syslog_add_word(head, tag->pool, SIZE_MAX);
    buffer_add_format(head, "\" worker=\"%u\" generation=\"%u\" stream=\"%s\"", tag->worker,
        tag->generation, frame_stream_name(tag->stream));
    if (tag->orphan)
        buffer_add_text(head, " orphan=\"1\"");
    if (end != FRAME_WHOLE)
        buffer_add_format(head, " end=\"%s\"", frame_end_name(end));
    buffer_add_text(head, "] ");
}

/* What is too large for the daemon goes in pieces, the first ones marked as continued. */
static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct syslog *syslog = syslog_of(sink);
    char memory[FRAME_PREFIX_MAX];
    size_t most = piece->length, done = 0;

    do {
        struct buffer head = BUFFER(memory);
        size_t n = MIN(most, piece->length - done);
        enum frame_end end = done + n < piece->length ? FRAME_CONTINUED : piece->end;

        add_head(&head, syslog, end);
        struct iovec parts[] = {
            {.iov_base = head.data, .iov_len = head.length},
            {.iov_base = (char *)piece->text + done, .iov_len = n},
        };
        int r = datagram_send(&syslog->socket, parts, ELEMENTS(parts), -1);
        if (datagram_is_too_large(r) && n > 1)
            most = n / 2;
        else if (r < 0)
            return r;
        else
            done += n;
    } while (done < piece->length);
    return 0;
}

static int flush(struct sink *sink) {
    (void)sink; /* each line has been sent */
    return 0;
}

static void close_syslog(struct sink *sink) {
    struct syslog *syslog = syslog_of(sink);

    datagram_finish(&syslog->socket);
    free(syslog);
}

static const struct sink_ops syslog_ops = {
    .begin = begin,
    .piece = take_piece,
    .flush = flush,
    .close = close_syslog,
};

int sink_syslog_new(const char *path, struct sink **ret_sink) {
    struct syslog *syslog = calloc(1, sizeof(*syslog));
    int r;

    if (!syslog)
        return -ENOMEM;
    r = datagram_init(&syslog->socket, path);
    if (r < 0) {
        free(syslog);
        return r;
    }
    syslog_read_host(syslog->host);
    syslog->sink.ops = &syslog_ops;
    syslog->sink.name = "syslog";
    *ret_sink = &syslog->sink;
    return 0;
}
