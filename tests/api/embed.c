/* SPDX-License-Identifier: MIT */

/*
 * Drives an embedded supervisor from its standard input, one command a line, over poll(2). Events
 * and answers go to standard output, one a line:
 *
 *   pool NAME WORKERS [key=value…] -- CMD…    → pool NUMBER | error ERRNO TEXT
 *   start|stop|kill|restart|roll POOL|all     → RESULT
 *   signal POOL NUMBER · worker POOL N · ended POOL|all · status POOL|all
 *   on EVENT COMMAND POOL                     the callback gives that command once
 *   fork                                      what a forked child is told
 *   free                                      frees, and ends
 */

#include <brood.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64

static struct brood_supervisor *supervisor;
static char armed_event[32], armed_command[32];
static unsigned armed_pool;
static bool leaving;

static unsigned number_of(const char *word) {
    return strcmp(word, "all") == 0 ? BROOD_ALL : (unsigned)atoi(word);
}

static int command(const char *name, unsigned pool) {
    static const struct {
        const char *name;
        int (*run)(struct brood_supervisor *supervisor, unsigned pool);
    } commands[] = {
        {"start", brood_supervisor_start},
        {"stop", brood_supervisor_stop},
        {"kill", brood_supervisor_kill},
        {"restart", brood_supervisor_restart},
        {"roll", brood_supervisor_roll},
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(supervisor, pool);
    return -ENOSYS;
}

static void on_event(void *data, const struct brood_event *event) {
    const char *name = brood_event_name(event->kind);

    if (data != &supervisor || brood_supervisor_dispatch(supervisor) != -EBUSY ||
        brood_supervisor_free(supervisor) != supervisor)
        exit(97);
    printf("event %s %s %d %u %d %d|%s|%s\n", name, event->pool, (int)event->worker,
        event->generation, event->pid, event->exit_status, event->cause, event->reason);
    if (strcmp(name, armed_event) == 0) {
        *armed_event = '\0';
        printf("armed %d\n", command(armed_command, armed_pool));
    }
}

static int cut(char *line, char **words) {
    int count = 0;

    for (char *word = strtok(line, " \n"); word && count < WORDS_MAX - 1;
         word = strtok(NULL, " \n"))
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static void set(struct brood_pool_options *options, char *setting) {
    char *value = strchr(setting, '=');

    *value++ = '\0';
    if (strcmp(setting, "restart") == 0)
        options->restart = atoi(value);
    else if (strcmp(setting, "backoff") == 0)
        options->backoff = value;
    else if (strcmp(setting, "success") == 0)
        options->success_exit = value;
    else if (strcmp(setting, "limit") == 0)
        options->start_limit = value;
    else if (strcmp(setting, "max") == 0)
        options->max_restarts = (uint64_t)atoi(value);
    else if (strcmp(setting, "timeout-ms") == 0)
        options->stop_timeout = BROOD_MILLISECONDS(atoi(value));
    else if (strcmp(setting, "flags") == 0)
        options->flags = (unsigned)atoi(value);
    else if (strcmp(setting, "user") == 0)
        options->user = value;
    else if (strcmp(setting, "directory") == 0)
        options->directory = value;
    else if (strcmp(setting, "size") == 0)
        options->size = (size_t)atoi(value);
    else if (strcmp(setting, "nice") == 0)
        options->nice = atoi(value);
    else
        exit(98);
}

static void add_pool(char **words) {
    struct brood_pool_options options = {
        .size = sizeof(options), .name = words[1], .workers = number_of(words[2])};
    const struct brood_limit limit = {7 /* RLIMIT_NOFILE */, 99, 99};
    const char *const env[] = {"COLOUR=blue-%i", NULL};
    unsigned pool;

    options.env = env;
    options.limits = &limit;
    options.n_limits = 1;
    for (words += 3; *words && strcmp(*words, "--") != 0; words++)
        set(&options, *words);
    options.argv = (const char *const *)words + (*words ? 1 : 0);

    int r = brood_supervisor_add_pool(supervisor, &options, &pool);
    if (r < 0)
        printf("error %d %s\n", r, brood_supervisor_error(supervisor));
    else
        printf("pool %u\n", pool);
}

static void show_worker(unsigned pool, unsigned worker) {
    struct brood_worker_info info = {.size = sizeof(info)};
    int r = brood_supervisor_worker(supervisor, pool, worker, &info);

    if (r < 0)
        printf("error %d\n", r);
    else
        printf("worker %s %d %d %u %u %d|%s\n", info.state, info.alive, info.pid, info.generation,
            info.restarts, info.exit_status, info.cause);
}

static void ask_in_child(void) {
    fflush(stdout);
    if (fork() == 0) {
        int dispatch = brood_supervisor_dispatch(supervisor);
        int start = brood_supervisor_start(supervisor, BROOD_ALL);

        brood_supervisor_free(supervisor);
        printf("child %d %d\n", dispatch, start);
        exit(0);
    }
    wait(NULL);
}

static void do_line(char *line) {
    char *words[WORDS_MAX];
    int count = cut(line, words);

    if (strcmp(words[0], "pool") == 0)
        add_pool(words);
    else if (strcmp(words[0], "signal") == 0)
        printf("result %d\n",
            brood_supervisor_signal(supervisor, number_of(words[1]), atoi(words[2])));
    else if (strcmp(words[0], "worker") == 0)
        show_worker(number_of(words[1]), number_of(words[2]));
    else if (strcmp(words[0], "workers") == 0)
        printf("result %d\n", brood_supervisor_workers(supervisor, number_of(words[1])));
    else if (strcmp(words[0], "ended") == 0)
        printf("result %d\n", brood_supervisor_ended(supervisor, number_of(words[1])));
    else if (strcmp(words[0], "status") == 0)
        printf("result %d\n", brood_supervisor_exit_status(supervisor, number_of(words[1])));
    else if (strcmp(words[0], "on") == 0 && count == 4) {
        snprintf(armed_event, sizeof(armed_event), "%s", words[1]);
        snprintf(armed_command, sizeof(armed_command), "%s", words[2]);
        armed_pool = number_of(words[3]);
    } else if (strcmp(words[0], "fork") == 0)
        ask_in_child();
    else if (strcmp(words[0], "free") == 0)
        leaving = true;
    else
        printf("result %d\n", command(words[0], number_of(words[1])));
}

int main(int argc, char **argv) {
    struct brood_supervisor_options options = {
        .size = sizeof(options), .on_event = on_event, .data = &supervisor};
    char line[4096];

    if (argc > 1 && strcmp(argv[1], "ignore-children") == 0)
        signal(SIGCHLD, SIG_IGN);
    else if (argc > 1)
        options.loop = strcmp(argv[1], "uring") == 0 ? BROOD_LOOP_URING : BROOD_LOOP_EPOLL;
    int r = brood_supervisor_new(&options, &supervisor);
    if (r < 0) {
        printf("error %d\n", r);
        return 96;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = brood_supervisor_fd(supervisor), .events = POLLIN},
    };
    while (!leaving) {
        poll(fds, 2, -1);
        if (fds[1].revents && (r = brood_supervisor_dispatch(supervisor)) < 0)
            return 95;
        if (fds[0].revents && fgets(line, sizeof(line), stdin))
            do_line(line);
        else if (fds[0].revents)
            leaving = true;
    }
    brood_supervisor_free(supervisor);
    printf("freed %d\n", wait(NULL) < 0 ? errno : 0);
    return 0;
}
