/* SPDX-License-Identifier: MIT */
#include "run/sink_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/datagram.h"

struct journal {
    struct sink sink;
    struct datagram socket;
    struct buffer fields; /* of the tag, up to the message */
    char memory[FRAME_PREFIX_MAX];
};

static struct journal *journal_of(struct sink *sink) {
    return container_of(sink, struct journal, sink);
}

/* A line each, so no value may have a newline: names of pools have none, pieces neither. */
static void begin(struct sink *sink, uint64_t wall, const struct frame_tag *tag) {
    struct journal *journal = journal_of(sink);
    struct buffer *fields = &journal->fields;

    (void)wall; /* the journal has its own */
    *fields = BUFFER(journal->memory);
    buffer_add_format(fields,
        "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\n"
        "BROOD_POOL=%s\nBROOD_WORKER=%u\nBROOD_GENERATION=%u\nBROOD_STREAM=%s\n",
        frame_severity(tag), LOG_FAC(tag->label.facility),
        tag->label.identifier ? tag->label.identifier : tag->pool, tag->pid, tag->pool, tag->worker,
        tag->generation, frame_stream_name(tag->stream));
    if (tag->orphan)
        buffer_add_text(fields, "BROOD_ORPHAN=1\n");
}

static int write_parts(int fd, const struct iovec *parts, size_t n_parts) {
    for (size_t i = 0; i < n_parts; i++)
        for (size_t done = 0; done < parts[i].iov_len;) {
            ssize_t n = write(fd, (const char *)parts[i].iov_base + done, parts[i].iov_len - done);

            if (n < 0)
                return -errno;
            done += (size_t)n;
        }
    return 0;
}

/* The journal takes descriptors of memory that nobody can change under its eyes. */
static int send_in_memory(struct journal *journal, const struct iovec *parts, size_t n_parts) {
    static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int fd = memfd_create("brood-log", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    struct iovec nothing = {.iov_base = NULL, .iov_len = 0};

    if (fd < 0)
        return -errno;
    int r = write_parts(fd, parts, n_parts);
    if (r >= 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
        r = -errno;
    if (r >= 0)
        r = datagram_send(&journal->socket, &nothing, 1, fd);
    close(fd);
    return r;
}

static int take_piece(struct sink *sink, const struct frame_piece *piece) {
    struct journal *journal = journal_of(sink);
    char memory[64];
    struct buffer head = BUFFER(memory);

    if (piece->end != FRAME_WHOLE)
        buffer_add_format(&head, "BROOD_END=%s\n", frame_end_name(piece->end));
    buffer_add_text(&head, "MESSAGE=");
    struct iovec parts[] = {
        {.iov_base = journal->fields.data, .iov_len = journal->fields.length},
        {.iov_base = head.data, .iov_len = head.length},
        {.iov_base = (char *)piece->text, .iov_len = piece->length},
        {.iov_base = (char *)"\n", .iov_len = 1},
    };
    int r = datagram_send(&journal->socket, parts, ELEMENTS(parts), -1);
    if (datagram_is_too_large(r))
        r = send_in_memory(journal, parts, ELEMENTS(parts));
    return r;
}

static int flush(struct sink *sink) {
    (void)sink; /* each line has been sent */
    return 0;
}

static void close_journal(struct sink *sink) {
    struct journal *journal = journal_of(sink);

    datagram_finish(&journal->socket);
    free(journal);
}

static const struct sink_ops journal_ops = {
    .begin = begin,
    .piece = take_piece,
    .flush = flush,
    .close = close_journal,
};

int sink_journal_new(const char *path, struct sink **ret_sink) {
    struct journal *journal = calloc(1, sizeof(*journal));
    int r;

    if (!journal)
        return -ENOMEM;
    r = datagram_init(&journal->socket, path);
    if (r < 0) {
        free(journal);
        return r;
    }
    journal->sink.ops = &journal_ops;
    journal->sink.name = "journal";
    *ret_sink = &journal->sink;
    return 0;
}
