/* SPDX-License-Identifier: MIT */

/*
 * Drives run/daemonize.h from a command line, word by word. Words before `do` are options, words
 * after it are what the daemon does, from left to right; at the end it removes its pidfile and
 * exits 0.
 *
 *   daemonize_helper pidfile:d.pid chdir:/ ready:call timeout:5s do ready pause
 *   daemonize_helper ready:exec null do exec sleep 100
 *   daemonize_helper ready:fd:7 do newline pause
 *   daemonize_helper ready:notify do send:STATUS=loading exit:7
 *
 * The starter prints "STATUS PID MESSAGE" and exits with the status.
 */

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/signame.h"
#include "base/text.h"
#include "run/daemonize.h"

#define BAD_WORD 99

static _Noreturn void bad_word(const char *word) {
    fprintf(stderr, "daemonize_helper: what is '%s'?\n", word);
    exit(BAD_WORD);
}

/* The argument of NAME:ARGUMENT if that is the word, else NULL. A bare NAME has argument "". */
static const char *argument_of(const char *word, const char *name) {
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != ':'))
        return NULL;
    return word[length] == ':' ? word + length + 1 : word + length;
}

static int number_of(const char *text) {
    uint64_t number;

    if (text_parse_u64(text, 0, INT32_MAX, &number) < 0)
        bad_word(text);
    return (int)number;
}

static void set_ready(struct daemonize_options *options, const char *text) {
    const char *fd = argument_of(text, "fd");

    if (strcmp(text, "call") == 0)
        options->ready = DAEMONIZE_READY_CALL;
    else if (strcmp(text, "exec") == 0)
        options->ready = DAEMONIZE_READY_EXEC;
    else if (strcmp(text, "notify") == 0)
        options->ready = DAEMONIZE_READY_NOTIFY;
    else if (fd) {
        options->ready = DAEMONIZE_READY_FD;
        options->ready_fd = number_of(fd);
    } else
        bad_word(text);
}

static int set_stdio(struct daemonize_options *options, const char *word) {
    static const struct {
        const char *name;
        int target;
        enum stdio_kind kind;
    } words[] = {
        {"stdin", 0, STDIO_FILE},
        {"append", 1, STDIO_APPEND},
        {"truncate", 1, STDIO_TRUNCATE},
        {"write", 1, STDIO_FILE},
        {"append2", 2, STDIO_APPEND},
        {"truncate2", 2, STDIO_TRUNCATE},
    };
    const char *path;

    for (size_t i = 0; i < ELEMENTS(words); i++)
        if ((path = argument_of(word, words[i].name))) {
            options->stdio[words[i].target] = (struct stdio_spec){words[i].kind, path};
            return 0;
        }
    return -EINVAL;
}

static void set_option(struct daemonize_options *options, const char *word) {
    static int kept;
    const char *text;

    if ((text = argument_of(word, "pidfile")))
        options->pidfile = text;
    else if ((text = argument_of(word, "chdir")))
        options->directory = text;
    else if ((text = argument_of(word, "ready")))
        set_ready(options, text);
    else if ((text = argument_of(word, "umask"))) {
        options->set_umask = true;
        options->umask = (mode_t)strtoul(text, NULL, 8);
    } else if ((text = argument_of(word, "timeout"))) {
        if (text_parse_duration(text, &options->ready_timeout) < 0)
            bad_word(text);
    } else if ((text = argument_of(word, "keep"))) {
        kept = number_of(text);
        options->kept = &kept;
        options->kept_count = 1;
    } else if (strcmp(word, "null") == 0)
        for (int i = 0; i < 3; i++)
            options->stdio[i].kind = STDIO_NULL;
    else if (strcmp(word, "keep-descriptors") == 0)
        options->keep_descriptors = true;
    else if (strcmp(word, "keep-signals") == 0)
        options->keep_signals = true;
    else if (set_stdio(options, word) < 0)
        bad_word(word);
}

static void send_datagram(const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t length = name ? strlen(name) : 0;

    if (fd < 0 || length == 0 || length > sizeof(address.sun_path))
        exit(BAD_WORD);
    memcpy(address.sun_path, name, length);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

static _Noreturn void become(struct daemon *daemon, char **argv) {
    if (daemon->pidfile.fd >= 0)
        pidfile_inherit(&daemon->pidfile);
    execvp(argv[0], argv);
    daemon_fail(daemon, 127, "exec %s: %s", argv[0], strerror(errno));
    _exit(127);
}

static void act(struct daemon *daemon, char **word) {
    const char *text;
    int signal;

    if (strcmp(*word, "ready") == 0)
        daemon_ready(daemon);
    else if ((text = argument_of(*word, "fail")))
        daemon_fail(daemon, number_of(text), "failed as told");
    else if ((text = argument_of(*word, "exit")))
        _exit(number_of(text));
    else if ((text = argument_of(*word, "raise")) && signame_parse(text, &signal) == 0)
        raise(signal);
    else if ((text = argument_of(*word, "ignore")) && signame_parse(text, &signal) == 0)
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    else if (strcmp(*word, "pause") == 0)
        pause();
    else if (strcmp(*word, "newline") == 0) {
        if (write(daemon->ready_fd, "ok\n", 3) < 0)
            _exit(BAD_WORD);
    } else if ((text = argument_of(*word, "say"))) {
        if (write(STDOUT_FILENO, text, strlen(text)) < 0 || write(STDERR_FILENO, text, 1) < 0)
            _exit(BAD_WORD);
    } else if ((text = argument_of(*word, "send")))
        send_datagram(text);
    else if (strcmp(*word, "fork") == 0) {
        if (fork() == 0)
            for (;;)
                pause();
    } else if (strcmp(*word, "exec") == 0)
        become(daemon, word + 1);
    else
        bad_word(*word);
}

int main(int argc, char **argv) {
    struct daemonize_options options = {.ready_timeout = 30 * NSEC_PER_SEC};
    struct daemon daemon;
    struct daemon_outcome outcome;
    int r;

    (void)argc;
    for (argv++; *argv && strcmp(*argv, "do") != 0; argv++)
        set_option(&options, *argv);
    r = daemonize(&options, &daemon, &outcome);
    if (r != DAEMONIZE_CHILD) {
        printf("%d %d %s\n", outcome.status, (int)outcome.pid, outcome.message);
        return outcome.status;
    }
    if (*argv)
        for (argv++; *argv; argv++)
            act(&daemon, argv);
    daemon_finish(&daemon);
    return 0;
}
