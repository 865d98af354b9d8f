/* SPDX-License-Identifier: MIT */

/*
 * Rotation under load: some workers write numbered lines as fast as they can, the log is rotated
 * each 256 KiB, and everything is there in the end, in order for each worker, in whole lines.
 *
 *     stress [--lines N] [--format text|json|raw] [--compress]
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logs/segment.h"
#include "run/capture.h"

#define WORKERS  4
#define MAX_SIZE (256 << 10)

struct stress {
    unsigned lines;
    bool compress;
    enum frame_format format;
    struct loop *loop;
    struct capture *capture;
    struct capture_pool *pool;
    struct capture_process *processes[WORKERS];
    pid_t pids[WORKERS]; /* 0: it has ended */
    char directory[64];
    unsigned seen[WORKERS]; /* lines of each worker, when checking */
    unsigned files;
};

static void fail(const char *what, int error) {
    printf("not ok - %s: %s\n1..1\n", what, strerror(error));
    exit(1);
}

/* A hundred bytes a line, in portions that have nothing to do with lines. */
static void write_lines(int fd, unsigned worker, unsigned lines) {
    char buffer[8000];
    size_t length = 0;

    for (unsigned i = 0; i < lines; i++) {
        if (length + 110 > sizeof(buffer)) {
            if (write(fd, buffer, length) != (ssize_t)length)
                _exit(1);
            length = 0;
        }
        length += (size_t)sprintf(buffer + length, "worker %u line %08u %.*s\n", worker, i,
            70 + (int)(i % 7),
            "........................................"
            "........................................");
    }
    _exit(write(fd, buffer, length) != (ssize_t)length);
}

static void start(struct stress *stress, uint32_t worker) {
    int r = capture_process_prepare(stress->pool, worker, 1, &stress->processes[worker]);

    if (r < 0)
        fail("prepare", -r);
    pid_t pid = fork();
    if (pid < 0)
        fail("fork", errno);
    if (pid == 0)
        write_lines(
            capture_process_fd(stress->processes[worker], FRAME_OUT), worker, stress->lines);
    stress->pids[worker] = pid;
    capture_process_started(stress->processes[worker], pid);
    capture_process_settled(stress->processes[worker]);
}

static bool has_workers(const struct stress *stress) {
    pid_t any = 0;

    for (uint32_t i = 0; i < WORKERS; i++)
        any |= stress->pids[i];
    return any != 0;
}

/* By its number: compressions are children, too. */
static void reap(struct stress *stress, uint32_t worker) {
    int status;

    if (stress->pids[worker] == 0 || waitpid(stress->pids[worker], &status, WNOHANG) == 0)
        return;
    if (status != 0)
        fail("a worker could not write all", 0);
    stress->pids[worker] = 0;
    capture_process_ended(stress->processes[worker], NULL);
}

static void run(struct stress *stress) {
    struct capture_options options = {.trouble = NULL};
    struct capture_settings settings = {
        .pool = "web",
        .targets = {CAPTURE_FILE, CAPTURE_NONE},
        .file = {.directory = stress->directory,
            .format = stress->format,
            .max_size = MAX_SIZE,
            .uid = (uid_t)-1,
            .gid = (gid_t)-1},
        .compress = stress->compress,
    };
    const char *name = getenv("BROOD_LOOP");
    enum loop_backend backend = LOOP_AUTO;
    int r = name ? loop_backend_parse(name, &backend) : 0;

    if (r >= 0)
        r = loop_new(backend, &stress->loop);
    if (r >= 0)
        r = capture_new(stress->loop, &options, &stress->capture);
    if (r >= 0)
        r = capture_pool_new(stress->capture, &settings, &stress->pool);
    if (r < 0)
        fail("set up", -r);
    for (uint32_t i = 0; i < WORKERS; i++)
        start(stress, i);
    while (has_workers(stress)) {
        r = loop_turn(stress->loop, false);
        if (r < 0)
            fail("turn", -r);
        for (uint32_t i = 0; i < WORKERS; i++)
            reap(stress, i);
        if (r == 0)
            usleep(100);
    }
    while (capture_pool_facts(stress->pool).streams > 0)
        if ((r = loop_turn(stress->loop, true)) < 0)
            fail("turn", -r);
    capture_pool_free(stress->pool);
    r = capture_free(stress->capture, 60 * NSEC_PER_SEC);
    if (r < 0)
        fail("write all", -r);
    loop_free(stress->loop);
}

static void check_line(struct stress *stress, const char *line, const char *file) {
    unsigned worker, number;
    const char *text = strstr(line, "worker 0");

    for (char i = '1'; !text && i < '0' + WORKERS; i++)
        text = strstr(line, (char[]){'w', 'o', 'r', 'k', 'e', 'r', ' ', i, '\0'});
    size_t length = text ? strcspn(text, "\"\n") : 0;
    if (length == 0 || sscanf(text, "worker %u line %u", &worker, &number) != 2 ||
        number != stress->seen[worker] || length != 93 + number % 7 ||
        line[strlen(line) - 1] != '\n') {
        printf("not ok - %s: not the line that should come: %s\n1..1\n", file, line);
        exit(1);
    }
    stress->seen[worker]++;
}

static void check_file(struct stress *stress, const char *file) {
    char command[512], line[1024];

    snprintf(command, sizeof(command), "zstd -qdcf %s/%s", stress->directory, file);
    FILE *stream = popen(command, "re");
    while (stream && fgets(line, sizeof(line), stream))
        check_line(stress, line, file);
    if (!stream || pclose(stream) != 0)
        fail(file, errno);
    stress->files++;
}

static void check_log(struct stress *stress, const char *name) {
    int fd = open(stress->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct segment_list list;
    int r = segment_list(fd, name, &list);

    if (r < 0)
        fail("list", -r);
    for (size_t i = 0; i < list.count; i++) {
        const struct segment *segment = &list.segments[i];

        if (segment->unfinished)
            continue;
        if (i > 0 && segment->sequence == list.segments[i - 1].sequence)
            continue; /* beside its original */
        check_file(stress, segment->file);
    }
    check_file(stress, name);
    segment_list_finish(&list);
    close(fd);
}

static void check(struct stress *stress) {
    char name[64];

    for (unsigned i = 0; stress->format == FRAME_RAW && i < WORKERS; i++) {
        snprintf(name, sizeof(name), "web@%u.out.log", i);
        check_log(stress, name);
    }
    if (stress->format != FRAME_RAW)
        check_log(stress, "web.log");
    for (unsigned i = 0; i < WORKERS; i++)
        if (stress->seen[i] != stress->lines)
            fail("lines are missing at the end", 0);
}

int main(int argc, char **argv) {
    struct stress stress = {.lines = 100000, .directory = "/tmp/brood-stress-XXXXXX"};
    char command[128];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--compress") == 0)
            stress.compress = true;
        else if (strcmp(argv[i], "--lines") == 0 && i + 1 < argc)
            stress.lines = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--format") != 0 || i + 1 >= argc ||
                 frame_format_parse(argv[++i], &stress.format) < 0)
            return 2;
    }
    if (!mkdtemp(stress.directory))
        fail("mkdtemp", errno);
    run(&stress);
    check(&stress);
    printf("ok 1 - %u lines of each of %d workers are in %u files, in order\n1..1\n", stress.lines,
        WORKERS, stress.files);
    snprintf(command, sizeof(command), "rm -rf %s", stress.directory);
    return system(command) != 0;
}
