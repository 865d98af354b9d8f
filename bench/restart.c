/* SPDX-License-Identifier: MIT */

/* restart: runs a supervisor, kills its workers and prints how long they take to be back. Alone
 * (see usage below), or driven line by line on stdin (-i), so that several supervisors can be
 * measured in turns: `restart COUNT`, `storm COUNT`, `starts COUNT`, each answered by one line,
 * `ok NS…` or `error TEXT`. The first line is `up SUPERVISOR_PID FIRST_START_NS`. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fixture.h"
#include "sampler.h"

static const char usage[] =
    "usage: restart [options] SUPERVISOR [ARG…]\n"
    "  The supervisor has to start worker_static or worker_glibc.\n"
    "  -n N      workers that it keeps (1)\n"
    "  -m MODE   restart: kill one, wait for its replacement (default)\n"
    "            storm:   kill all, wait for all\n"
    "            starts:  count starts a second of workers that exit at once\n"
    "  -c COUNT  how often; for starts: how many of them (1000)\n"
    "  -w COUNT  warm-up that is not counted: restarts, storms (20)\n"
    "  -p US     mean pause before each kill, drawn from half to one and a half of it (500)\n"
    "  -a MS     let a worker get this old before it is killed (0)\n"
    "  -R        kill one worker after another, instead of always the same one\n"
    "  -d S      deadline for each wait (10)\n"
    "  -r        raw: print each value, in ns\n"
    "  -l FILE   the supervisor's output (inherited)\n"
    "  -i        take commands from stdin\n";

struct options {
    struct sampler sampler;
    const char *mode, *log;
    size_t count, warmup;
    bool raw, interactive;
    char **argv;
};

static uint64_t number(const char *text) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-') {
        fprintf(stderr, "restart: '%s' is no number\n", text);
        exit(2);
    }
    return value;
}

static void options_parse(struct options *options, int argc, char *argv[]) {
    *options = (struct options){
        .mode = "restart",
        .count = 1000,
        .warmup = 20,
        .sampler = {.count = 1, .pace = 500 * 1000u, .deadline = 10 * 1000000000ull},
    };
    struct sampler *sampler = &options->sampler;
    for (int c; (c = getopt(argc, argv, "+n:m:c:w:p:a:Rd:rl:i")) != -1;) {
        switch (c) {
        case 'n':
            sampler->count = number(optarg);
            break;
        case 'm':
            options->mode = optarg;
            break;
        case 'c':
            options->count = number(optarg);
            break;
        case 'w':
            options->warmup = number(optarg);
            break;
        case 'p':
            sampler->pace = number(optarg) * 1000u;
            break;
        case 'a':
            sampler->age = number(optarg) * 1000000u;
            break;
        case 'R':
            sampler->rotate = true;
            break;
        case 'd':
            sampler->deadline = number(optarg) * 1000000000u;
            break;
        case 'r':
            options->raw = true;
            break;
        case 'l':
            options->log = optarg;
            break;
        case 'i':
            options->interactive = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind == argc || sampler->count == 0 || options->count == 0) {
        fputs(usage, stderr);
        exit(2);
    }
    /* A storm right after a start would meet a supervisor that is still busy with it. */
    sampler->settle = sampler->age > 20000000u ? sampler->age : 20000000u;
    options->argv = argv + optind;
}

/* Runs `mode` up to `count` times. How many values were filled in, or negative errno. */
static int measure(struct sampler *sampler, const char *mode, size_t count, uint64_t *ret_values) {
    if (strcmp(mode, "starts") == 0) {
        int r = sampler_starts(sampler, count, &ret_values[0], &ret_values[1]);
        return r < 0 ? r : 2;
    }
    bool storm = strcmp(mode, "storm") == 0;
    if (!storm && strcmp(mode, "restart") != 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int r = storm ? sampler_storm(sampler, &ret_values[i])
                      : sampler_restart(sampler, &ret_values[i]);
        if (r < 0)
            return r;
    }
    return (int)count;
}

static uint64_t *values_new(size_t count) {
    uint64_t *values = calloc(count + 2, sizeof(*values));
    if (!values) {
        perror("restart");
        exit(125);
    }
    return values;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_summary(const char *mode, uint64_t *values, size_t n) {
    if (strcmp(mode, "starts") == 0) {
        printf("starts n=%lu  %.0f/s\n", values[0], 1e9 * (double)values[0] / (double)values[1]);
        return;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)values[i] / 1e3;
    qsort(values, n, sizeof(*values), compare);
    const double us = 1e3;
    printf("%s n=%zu  min %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f  mean %.1f µs\n",
        mode, n, (double)values[0] / us, (double)values[n / 2] / us,
        (double)values[n * 9 / 10] / us, (double)values[n * 99 / 100] / us,
        (double)values[n * 999 / 1000] / us, (double)values[n - 1] / us, sum / (double)n);
}

static int run_once(struct options *options, struct sampler *sampler) {
    bool starts = strcmp(options->mode, "starts") == 0;
    size_t most = options->count > options->warmup ? options->count : options->warmup;
    uint64_t *values = values_new(most);
    int r = starts ? 0 : sampler_wait_all(sampler);
    if (r >= 0 && !starts && options->warmup > 0)
        r = measure(sampler, options->mode, options->warmup, values);
    if (r >= 0)
        r = measure(sampler, options->mode, options->count, values);
    if (r >= 0 && options->raw)
        for (int i = 0; i < r; i++)
            printf("%lu\n", values[i]);
    else if (r >= 0)
        print_summary(options->mode, values, (size_t)r);
    free(values);
    return r < 0 ? r : 0;
}

/* One command; negative errno only where there is no going on. */
static int run_command(struct sampler *sampler, const char *line) {
    char mode[16];
    unsigned count;
    if (sscanf(line, "%15s %u", mode, &count) != 2) {
        printf("error not a command: %s", line);
        return 0;
    }
    uint64_t *values = values_new(count);
    int r = measure(sampler, mode, count, values);
    if (r >= 0) {
        fputs("ok", stdout);
        for (int i = 0; i < r; i++)
            printf(" %lu", values[i]);
        putchar('\n');
    }
    free(values);
    return r < 0 ? r : 0;
}

static int run_commands(struct options *options, struct sampler *sampler, pid_t pid) {
    int r = strcmp(options->mode, "starts") == 0 ? 0 : sampler_wait_all(sampler);
    if (r < 0)
        return r;
    printf("up %d %lu\n", pid, sampler->workers[0].ns);
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = sampler->signal_fd, .events = POLLIN},
    };
    char line[64];
    /* The driver sends one line and waits for the answer, so that stdio never holds a second. */
    while (poll(fds, 2, -1) > 0 && !fds[1].revents && fgets(line, sizeof(line), stdin)) {
        r = run_command(sampler, line);
        if (r < 0)
            return r;
    }
    return 0;
}

int main(int argc, char *argv[]) {
    struct options options;
    options_parse(&options, argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);

    const char *tmp = getenv("TMPDIR");
    char dir[PATH_MAX - 8], fifo[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s/brood-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        perror("restart: mkdtemp");
        return 125;
    }
    snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    setenv(BENCH_FIFO, fifo, 1);
    if (strcmp(options.mode, "starts") == 0)
        setenv(BENCH_ONCE, "1", 1);

    struct fixture fixture = {0};
    struct sampler sampler;
    int r = sampler_init(&sampler, &options.sampler, fifo);
    if (r >= 0)
        r = fixture_init(&fixture, options.argv, options.log);
    sampler.signal_fd = fixture.signal_fd;
    sampler.pidfd = fixture.pidfd;
    if (options.interactive)
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* our stdin would tell, but not in the midst of a wait */
    if (r >= 0)
        r = options.interactive ? run_commands(&options, &sampler, fixture.pid)
                                : run_once(&options, &sampler);
    if (r < 0)
        printf("error %s\n", r == -ESRCH ? "the supervisor has ended" : strerror(-r));
    if (fixture_finish(&fixture) < 0)
        fprintf(stderr, "restart: processes of %s could not be killed\n", options.argv[0]);
    sampler_finish(&sampler);
    unlink(fifo);
    rmdir(dir);
    return r < 0;
}
