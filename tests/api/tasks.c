/* SPDX-License-Identifier: MIT */

/*
 * Drives brood_fork_processes() from a command line. Words before `--` say how it is called, words
 * after it what each task does, from left to right.
 *
 *   tasks FIFO count:3 restarts:5 -- hello gather:3 crash-until:2 exit:0
 *
 * All write lines into FIFO: "before FACTS" the parent, "task ID PID GENERATION" each task,
 * "event NAME ID GENERATION PID STATUS CAUSE" the callback, "parent RESULT SIGNAL" the parent when
 * the call returns there. It then ends with status 100 where that was a failure, and 0 else.
 */

#include <brood.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TASKS_MAX 1024

static const char *fifo;
static int *generations; /* of each task: shared, so that it outlives them */
static atomic_int *hellos;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[4096];
    va_list arguments;
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        _exit(99);
    close(fd);
}

/* The argument of NAME:ARGUMENT if that is the word, else NULL. */
static const char *argument_of(const char *word, const char *name) {
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != ':'))
        return NULL;
    return word[length] == ':' ? word + length + 1 : word + length;
}

/* Open descriptors and signals, in one word. */
static const char *facts(char *text, size_t size) {
    DIR *fds = opendir("/proc/self/fd");
    FILE *status;
    char line[256];
    struct dirent *entry;
    size_t length = (size_t)snprintf(text, size, "fds");

    while ((entry = readdir(fds)))
        if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != dirfd(fds))
            length += (size_t)snprintf(text + length, size - length, ",%s", entry->d_name);
    closedir(fds);
    status = fopen("/proc/self/status", "re");
    while (fgets(line, sizeof(line), status))
        if (strncmp(line, "Sig", 3) == 0 && strncmp(line, "SigQ", 4) != 0)
            length += (size_t)snprintf(text + length, size - length, ";%.6s=%.16s", line, line + 8);
    fclose(status);
    return text;
}

static void on_event(void *data, const struct brood_event *event) {
    (void)data;
    say("event %s %d %u %d %d %s\n", brood_event_name(event->kind), (int)event->worker,
        event->generation, event->pid, event->exit_status, event->cause);
}

static void on_signal(int number) {
    (void)number;
}

static void *idle(void *data) {
    pause();
    return data;
}

static void prepare(const char *word) {
    const char *argument;
    pthread_t thread;

    if ((argument = argument_of(word, "ignore")))
        signal(atoi(argument), SIG_IGN);
    else if ((argument = argument_of(word, "handle")))
        signal(atoi(argument), on_signal);
    else if ((argument = argument_of(word, "block"))) {
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, atoi(argument));
        sigprocmask(SIG_BLOCK, &mask, NULL);
    } else if (strcmp(word, "thread") == 0)
        pthread_create(&thread, NULL, idle, NULL);
    else if (strcmp(word, "print") == 0)
        printf("buffered\n");
    else {
        fprintf(stderr, "tasks: what is '%s'?\n", word);
        exit(98);
    }
}

static void read_option(const char *word, struct brood_fork_options *options) {
    const char *argument;

    if ((argument = argument_of(word, "count")))
        options->count = atoi(argument);
    else if ((argument = argument_of(word, "restarts")))
        options->max_restarts = atoi(argument);
    else if (strcmp(word, "none") == 0)
        options->flags |= BROOD_FORK_NO_RESTARTS;
    else if (strcmp(word, "return") == 0)
        options->flags |= BROOD_FORK_RETURN;
    else if ((argument = argument_of(word, "flags")))
        options->flags |= (unsigned)atoi(argument);
    else if ((argument = argument_of(word, "backoff")))
        options->backoff = argument;
    else if ((argument = argument_of(word, "stop-signal")))
        options->stop_signal = atoi(argument);
    else if ((argument = argument_of(word, "timeout-ms")))
        options->stop_timeout = BROOD_MILLISECONDS(atoi(argument));
    else if ((argument = argument_of(word, "death")))
        options->parent_death_signal = atoi(argument);
    else if (strcmp(word, "events") == 0)
        options->on_event = on_event;
    else
        prepare(word);
}

static void do_word(const char *word, int id) {
    const char *argument;
    char text[2048];

    if (strcmp(word, "hello") == 0) {
        say("task %d %d %d\n", brood_task_id(), getpid(), generations[id]);
        atomic_fetch_add(hellos, 1);
    } else if ((argument = argument_of(word, "gather")))
        while (atomic_load(hellos) < atoi(argument))
            usleep(1000);
    else if (strcmp(word, "facts") == 0)
        say("facts %d %s\n", id, facts(text, sizeof(text)));
    else if ((argument = argument_of(word, "crash-until")) && generations[id] < atoi(argument))
        raise(SIGKILL);
    else if ((argument = argument_of(word, "exit")))
        exit(atoi(argument));
    else if ((argument = argument_of(word, "only"))) {
        if (id != atoi(argument))
            for (;;)
                pause();
    } else if ((argument = argument_of(word, "ignore")))
        signal(atoi(argument), SIG_IGN);
    else if (strcmp(word, "nest") == 0)
        say("nested %d\n", brood_fork_processes(1, 0));
    else if (strcmp(word, "pause") == 0)
        for (;;)
            pause();
}

int main(int argc, char **argv) {
    int signal_taken = 0, word = 2, result;
    struct brood_fork_options options = {.size = sizeof(options), .ret_signal = &signal_taken};
    bool plain = false;
    char text[2048];

    fifo = argv[1];
    generations = mmap(NULL, (TASKS_MAX + 1) * sizeof(int), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hellos = (atomic_int *)&generations[TASKS_MAX];
    for (; word < argc && strcmp(argv[word], "--") != 0; word++)
        if (strcmp(argv[word], "plain") == 0)
            plain = true;
        else
            read_option(argv[word], &options);
    say("before %s\n", facts(text, sizeof(text)));
    if (brood_task_id() != -1)
        return 97;
    if (plain)
        result = brood_fork_processes(options.count, options.max_restarts);
    else
        result = brood_fork_processes_with(&options);
    if (brood_task_id() < 0) {
        say("parent %d %d\n", result, signal_taken);
        return result < 0 ? 100 : 0;
    }
    generations[result]++;
    while (++word < argc)
        do_word(argv[word], result);
    return 0;
}
