/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_trouble(void *data, const char *sink, int error) {
    struct rig *rig = data;

    cr_assert_not_null(sink);
    rig->last_error = error;
    if (error != 0)
        rig->troubles++;
    else
        rig->recoveries++;
}

void rig_init(struct rig *rig) {
    const char *name = getenv("BROOD_LOOP");
    enum loop_backend backend = LOOP_EPOLL;

    *rig = (struct rig){.directory = "/tmp/brood-capture-XXXXXX"};
    cr_assert_not_null(mkdtemp(rig->directory));
    snprintf(rig->syslog_path, sizeof(rig->syslog_path), "%s/syslog", rig->directory);
    snprintf(rig->journal_path, sizeof(rig->journal_path), "%s/journal", rig->directory);
    cr_assert(!name || loop_backend_parse(name, &backend) == 0);
    int r = loop_new(backend, &rig->loop);
    if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
        cr_skip_test("io_uring is refused here: %s", strerror(-r));
    cr_assert_eq(r, 0);
    struct capture_options options = {
        .trouble = on_trouble,
        .data = rig,
        .syslog_path = rig->syslog_path,
        .journal_path = rig->journal_path,
    };
    cr_assert_eq(capture_new(rig->loop, &options, &rig->capture), 0);
    rig->settings = (struct capture_settings){
        .pool = "web",
        .targets = {CAPTURE_FILE, CAPTURE_FILE},
        .file = {.directory = rig->directory, .uid = (uid_t)-1, .gid = (gid_t)-1},
    };
}

void rig_open(struct rig *rig) {
    cr_assert_eq(capture_pool_new(rig->capture, &rig->settings, &rig->pool), 0);
}

bool rig_change(struct rig *rig) {
    struct capture_pool *before = rig->pool;

    cr_assert_eq(capture_pool_change(rig->capture, before, &rig->settings, &rig->pool), 0);
    capture_pool_free(before);
    return rig->pool == before;
}

void rig_close(struct rig *rig) {
    rig->pool = capture_pool_free(rig->pool);
    cr_assert_eq(capture_free(rig->capture, 30 * NSEC_PER_SEC), 0);
    rig->capture = NULL;
    rig->loop = loop_free(rig->loop);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void rig_finish(struct rig *rig) {
    nftw(rig->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct rig_process rig_start(struct rig *rig, uint32_t worker, uint32_t generation) {
    struct rig_process started;

    cr_assert_eq(capture_process_prepare(rig->pool, worker, generation, &started.process), 0);
    for (int i = 0; i < FRAME_STREAM_MAX; i++) {
        int fd = capture_process_fd(started.process, (enum frame_stream)i);

        started.fds[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    capture_process_started(started.process, 100 + (pid_t)worker);
    capture_process_settled(started.process);
    return started;
}

void rig_write(const struct rig_process *process, enum frame_stream stream, const char *text) {
    cr_assert_eq(write(process->fds[stream], text, strlen(text)), (ssize_t)strlen(text));
}

void rig_end(struct rig_process *process, struct buffer *ret_words) {
    for (int i = 0; i < FRAME_STREAM_MAX; i++)
        if (process->fds[i] >= 0)
            close(process->fds[i]);
    process->process = capture_process_ended(process->process, ret_words);
}

void rig_turn_until(struct rig *rig, const unsigned *number, unsigned wanted) {
    while (*number < wanted)
        cr_assert_geq(loop_turn(rig->loop, true), 0);
}

void rig_spoil(struct rig *rig, char place[96]) {
    snprintf(place, 96, "%s/logs", rig->directory);
    close(open(place, O_CREAT | O_WRONLY, 0600));
    rig->settings.file.directory = place;
    rig_open(rig);
    rig_turn_until(rig, &rig->troubles, 1);
    cr_assert_eq(rig->last_error, ENOTDIR);
}

void rig_turn_until_ended(struct rig *rig) {
    while (capture_pool_facts(rig->pool).streams > 0)
        cr_assert_geq(loop_turn(rig->loop, true), 0);
}

void rig_turn_until_quiet(struct rig *rig) {
    for (unsigned quiet = 0; quiet < 10; quiet++) {
        while (loop_turn(rig->loop, false) > 0)
            quiet = 0;
        usleep(1000);
    }
}

static char *read_stream(FILE *file) {
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);

    for (size_t n; (n = fread(text + size, 1, room - size - 1, file)) > 0;) {
        size += n;
        if (room - size < 2)
            text = realloc(text, room *= 2);
    }
    text[size] = '\0';
    return text;
}

char *rig_read(const struct rig *rig, const char *name) {
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", rig->directory, name);
    file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = read_stream(file);
    fclose(file);
    return text;
}

char *rig_read_all(const struct rig *rig, const char *name) {
    int fd = open(rig->directory, O_RDONLY | O_DIRECTORY);
    struct segment_list list;
    char *command = NULL;
    size_t size;
    FILE *text = open_memstream(&command, &size);

    cr_assert_eq(segment_list(fd, name, &list), 0);
    close(fd);
    fprintf(text, "cd %s &&", rig->directory);
    for (size_t i = 0; i < list.count; i++)
        if (!list.segments[i].unfinished)
            fprintf(text, " zstd -qdcf %s &&", list.segments[i].file);
    fprintf(text, " cat %s", name);
    fclose(text);
    segment_list_finish(&list);
    FILE *pipe = popen(command, "re");
    char *all = read_stream(pipe);
    cr_assert_eq(pclose(pipe), 0, "%s", command);
    free(command);
    return all;
}

char *rig_strip(const char *log) {
    char *stripped = malloc(strlen(log) + 1), *out = stripped;

    while (*log != '\0') {
        const char *end = strchrnul(log, '\n'), *text = strstr(log, "] ");

        cr_assert(text && text < end, "no prefix: %.200s", log);
        text += strlen("] out");
        memcpy(out, text, (size_t)(end - text));
        out += end - text;
        *out++ = '\n';
        log = *end ? end + 1 : end;
    }
    *out = '\0';
    return stripped;
}

unsigned rig_count(const char *text, const char *what) {
    unsigned n = 0;

    while ((text = strstr(text, what))) {
        n++;
        text += strlen(what);
    }
    return n;
}

/* Writes numbered lines, and turns the loop as often as there is something to do. */
void rig_write_lines(struct rig *rig, const struct rig_process *process, unsigned n) {
    char line[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "line %08u\n", i);
        rig_write(process, FRAME_OUT, line);
        if (i % 500 == 499)
            rig_turn_until_quiet(rig);
    }
}

/* One process that writes so many lines, to its end. */
void rig_run(struct rig *rig, unsigned n) {
    struct rig_process a = rig_start(rig, 0, 1);

    rig_write_lines(rig, &a, n);
    rig_end(&a, NULL);
    rig_turn_until_ended(rig);
}

void rig_check_lines(const struct rig *rig, unsigned n) {
    char *log = rig_read_all(rig, "web.log"), *text = rig_strip(log), *at = text;
    char line[32];

    for (unsigned i = 0; i < n; i++) {
        int length = snprintf(line, sizeof(line), ": line %08u\n", i);

        cr_assert_eq(strncmp(at, line, (size_t)length), 0, "%s instead of %.30s", line, at);
        at += length;
    }
    cr_assert_eq(*at, '\0');
    free(text);
    free(log);
}

struct segment_list rig_segments(const struct rig *rig) {
    int fd = open(rig->directory, O_RDONLY | O_DIRECTORY);
    struct segment_list list;

    cr_assert_eq(segment_list(fd, "web.log", &list), 0);
    close(fd);
    return list;
}

size_t rig_count_segments(const struct rig *rig) {
    struct segment_list list = rig_segments(rig);
    size_t count = list.count;

    segment_list_finish(&list);
    return count;
}

void rig_put(const struct rig *rig, const char *name, const char *text) {
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", rig->directory, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

bool rig_exists(const struct rig *rig, const char *name) {
    char *text = rig_read(rig, name);
    bool is_there = text != NULL;

    free(text);
    return is_there;
}
