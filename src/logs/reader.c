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
static int fill(struct reader *reader) {
    ssize_t n;

    do
        n = read(reader->fd, reader->bytes, sizeof(reader->bytes));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reader->input = (struct frame_input){reader->bytes, (size_t)n};
    return n > 0;
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
