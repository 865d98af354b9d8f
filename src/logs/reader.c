/* SPDX-License-Identifier: MIT */
#include "logs/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "sys/program.h"

#define READ_SIZE 65536

/* Longer than any line of ours: each byte of the longest piece as \u0000, and its prefix. */
#define LINE_MAX_LENGTH (FRAME_LIMIT_MAX * 6 + 2 * FRAME_PREFIX_MAX)

struct reader {
    int fd;
    pid_t child; /* 0: none */
    struct frame frame;
    struct frame_input input;
    struct entry entry;
    struct tail *tail; /* NULL: none, or it is over */
    uint64_t left;     /* bytes before the tail */
    bool is_torn;      /* the file ended in the middle of a line there */
    size_t given;      /* bytes of the tail; SIZE_MAX: it has come already */
    char bytes[READ_SIZE];
};

static int spawn_unpacker(const char *program, int input, int output, pid_t *ret_pid) {
    char *arguments[] = {(char *)program, (char *)"-qdc", NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int r = posix_spawn(ret_pid, program, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* The file's descriptor becomes that of what comes out of the program. */
static int unpack(struct reader *reader, enum segment_packing packing) {
    char *program;
    int pipe[2];

    if (program_find(segment_program(packing), NULL, NULL, &program) < 0)
        return -ENOEXEC;
    if (pipe2(pipe, O_CLOEXEC) < 0) {
        free(program);
        return -errno;
    }
    int r = spawn_unpacker(program, reader->fd, pipe[1], &reader->child);
    free(program);
    close(pipe[1]);
    close(reader->fd);
    reader->fd = pipe[0];
    reader->child = r < 0 ? 0 : reader->child;
    return r;
}

int reader_open(int directory, const char *file, enum segment_packing packing,
    const struct entry *origin, struct reader **ret_reader) {
    struct reader *reader = calloc(1, sizeof(*reader));
    int r = 0;

    if (!reader)
        return -ENOMEM;
    reader->frame = (struct frame){.limit = LINE_MAX_LENGTH};
    reader->entry = *origin;
    reader->entry.tag.pool = reader->entry.pool;
    reader->fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->fd < 0)
        r = -errno;
    else if (packing != SEGMENT_PLAIN)
        r = unpack(reader, packing);
    if (r < 0) {
        reader_free(reader);
        return r;
    }
    *ret_reader = reader;
    return 0;
}

struct reader *reader_free(struct reader *reader) {
    if (!reader)
        return NULL;
    if (reader->fd >= 0)
        close(reader->fd); /* a child that still writes ends by SIGPIPE */
    if (reader->child > 0)
        waitpid(reader->child, NULL, 0);
    entry_finish(&reader->entry);
    free(reader->frame.carry);
    free(reader);
    return NULL;
}

static int keep_rest(struct reader *reader) {
    if (reader->input.length == 0)
        return 0;
    if (!reader->frame.carry)
        reader->frame.carry = malloc(LINE_MAX_LENGTH);
    if (!reader->frame.carry)
        return -ENOMEM;
    frame_keep(&reader->frame, &reader->input);
    return 0;
}

/* 1: there is more; 0: not now. */
static int read_file(struct reader *reader, size_t most) {
    ssize_t n;

    do
        n = read(reader->fd, reader->bytes, most);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reader->input = (struct frame_input){reader->bytes, (size_t)n};
    return n > 0;
}

static bool is_of_tail(const struct reader *reader, const struct tail *tail) {
    struct stat status;

    return tail->inode != 0 && fstat(reader->fd, &status) == 0 && status.st_dev == tail->device &&
           status.st_ino == tail->inode;
}

void reader_set_tail(struct reader *reader, struct tail *tail, bool is_last) {
    if (tail->is_met) {
        reader->tail = tail->goes_on && tail->matched < tail->n_pending ? tail : NULL;
        reader->given = SIZE_MAX;
        return;
    }
    bool is_own = is_of_tail(reader, tail);
    if (!is_own && !is_last)
        return;
    tail->is_met = true;
    reader->tail = tail;
    reader->left = is_own ? tail->size : UINT64_MAX;
}

/*
 * It did not come as it was told: what the line that differs begins with is read once more, unless
 * that is a torn one, which has been shown as it was told.
 */
static void give_up_matching(struct reader *reader, size_t n) {
    struct tail *tail = reader->tail;
    const char *newline = memrchr(tail->bytes, '\n', tail->matched);
    size_t line = newline ? tail->matched - (size_t)(newline + 1 - tail->bytes) : tail->matched;

    tail->matched = tail->n_pending;
    reader->tail = NULL;
    reader->frame = (struct frame){.limit = reader->frame.limit, .carry = reader->frame.carry};
    if (!newline && reader->is_torn)
        frame_skip_line(&reader->frame);
    if (lseek(reader->fd, -(off_t)(n + line), SEEK_CUR) >= 0)
        reader->input.length = 0;
}

/* Passes over what has been told. */
static void match(struct reader *reader) {
    struct tail *tail = reader->tail;
    struct frame_input *input = &reader->input;
    size_t most = MIN(input->length, tail->n_pending - tail->matched), n = 0;

    while (n < most && input->bytes[n] == tail->bytes[tail->matched + n])
        n++;
    input->bytes += n;
    input->length -= n;
    tail->matched += n;
    if (n < most)
        give_up_matching(reader, input->length);
    else if (tail->matched == tail->n_pending)
        reader->tail = NULL;
}

static int give_tail(struct reader *reader) {
    struct tail *tail = reader->tail;

    reader->given = SIZE_MAX;
    reader->is_torn = reader->frame.carried > 0;
    reader->input = (struct frame_input){tail->bytes, tail->length};
    if (tail->goes_on && tail->n_pending == 0)
        reader->tail = NULL;
    return 1;
}

static int fill(struct reader *reader) {
    struct tail *tail = reader->tail;
    int r;

    if (!tail)
        return read_file(reader, sizeof(reader->bytes));
    if (reader->given == SIZE_MAX) {
        r = tail->goes_on ? read_file(reader, sizeof(reader->bytes)) : 0;
        if (r > 0)
            match(reader);
        return r;
    }
    r = read_file(reader, (size_t)MIN((uint64_t)sizeof(reader->bytes), reader->left));
    if (r > 0)
        reader->left -= reader->input.length;
    return r != 0 ? r : give_tail(reader);
}

int reader_next(struct reader *reader, bool to_end, struct entry **ret_entry) {
    struct frame_piece piece;

    while (!frame_next(&reader->frame, &reader->input, &piece)) {
        int r = keep_rest(reader);

        if (r >= 0)
            r = fill(reader);
        if (r == 0 && to_end && frame_finish(&reader->frame, FRAME_BARE, &piece))
            break;
        if (r <= 0)
            return r;
    }
    entry_parse(&reader->entry, piece.text, piece.length);
    *ret_entry = &reader->entry;
    return 1;
}

bool reader_is(const struct reader *reader, int directory, const char *file) {
    struct stat ours, theirs;

    return fstat(reader->fd, &ours) == 0 && fstatat(directory, file, &theirs, 0) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}
