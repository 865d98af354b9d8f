/* SPDX-License-Identifier: MIT */

/*
 * Drives brood_daemonize() from a command line. Words before `--` are options, words after it are
 * what the daemon does.
 *
 *   daemon pidfile:/run/d.pid timeout-ms:500 -- ready pause
 *
 * The original process prints "STATUS PID MESSAGE" and ends with the status.
 */

#include <brood.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *argument_of(const char *word, const char *name) {
    size_t length = strlen(name);

    return strncmp(word, name, length) == 0 && word[length] == ':' ? word + length + 1 : NULL;
}

static void *idle(void *data) {
    pause();
    return data;
}

static void on_term(int number) {
    (void)number;
}

static void read_option(const char *word, struct brood_daemon_options *options) {
    const char *argument;
    pthread_t thread;

    if ((argument = argument_of(word, "pidfile")))
        options->pidfile = argument;
    else if ((argument = argument_of(word, "directory")))
        options->directory = argument;
    else if ((argument = argument_of(word, "timeout-ms")))
        options->ready_timeout = BROOD_MILLISECONDS(atoi(argument));
    else if ((argument = argument_of(word, "stdout")))
        options->stdio[1] = (struct brood_stdio){BROOD_STDIO_APPEND, argument};
    else if ((argument = argument_of(word, "umask"))) {
        options->flags |= BROOD_DAEMON_UMASK;
        options->umask = (mode_t)strtol(argument, NULL, 8);
    } else if ((argument = argument_of(word, "flags")))
        options->flags |= (unsigned)atoi(argument);
    else if (strcmp(word, "thread") == 0)
        pthread_create(&thread, NULL, idle, NULL);
    else
        exit(98);
}

static void do_word(const char *word, struct brood_daemon *daemon) {
    const char *argument;

    if (strcmp(word, "ready") == 0) {
        if (brood_daemon_ready(daemon) != 0 || brood_daemon_pid(daemon) != getpid())
            exit(97);
    } else if ((argument = argument_of(word, "fail"))) {
        brood_daemon_fail(daemon, atoi(argument), "the port is taken");
        brood_daemon_free(daemon);
        exit(1);
    } else if ((argument = argument_of(word, "put"))) {
        puts(argument);
        fflush(stdout);
    } else if ((argument = argument_of(word, "exit")))
        exit(atoi(argument));
    else if (strcmp(word, "pause") == 0) {
        signal(SIGTERM, on_term);
        pause();
    } else if (strcmp(word, "hang") == 0)
        for (;;)
            pause();
    else if (strcmp(word, "forked-free") == 0) {
        if (fork() == 0) {
            brood_daemon_free(daemon); /* a fork's: the pidfile must stay */
            _exit(0);
        }
        wait(NULL);
    }
}

int main(int argc, char **argv) {
    struct brood_daemon_options options = {.size = sizeof(options)};
    struct brood_daemon *daemon = NULL;
    int word = 1;

    for (; word < argc && strcmp(argv[word], "--") != 0; word++)
        read_option(argv[word], &options);
    int r = brood_daemonize(word > 1 ? &options : NULL, &daemon);
    if (r < 0) {
        printf("error %d\n", r);
        return 96;
    }
    if (r == BROOD_PARENT) {
        int status = brood_daemon_status(daemon);

        printf("%d %d %s\n", status, brood_daemon_pid(daemon), brood_daemon_message(daemon));
        brood_daemon_free(daemon);
        return status;
    }
    while (++word < argc)
        do_word(argv[word], daemon);
    brood_daemon_free(daemon);
    return 0;
}
