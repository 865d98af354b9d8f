/* SPDX-License-Identifier: MIT */

/*
 * A pre-forking TCP echo server: one listening socket, N processes that accept from it. One that
 * crashes is replaced while the others go on serving, and no connection attempt is lost meanwhile:
 * the socket stays open in the parent.
 *
 *     echo-prefork [PORT [PROCESSES]]     port 0: any, see its first line; processes 0: one a CPU
 *     printf 'hello\n' | nc 127.0.0.1 PORT
 *
 * Each connection is greeted with the task's number. The line "crash" ends its task.
 */

#include <arpa/inet.h>
#include <brood.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(unsigned short port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof(address);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        perror("echo-prefork");
        exit(1);
    }
    printf("listening on port %d\n", ntohs(address.sin_port));
    return fd;
}

static void echo(int connection, int id) {
    char text[1024];
    ssize_t length;

    dprintf(connection, "task %d\n", id);
    while ((length = read(connection, text, sizeof(text))) > 0) {
        if (memmem(text, (size_t)length, "crash\n", 6))
            _exit(1);
        if (write(connection, text, (size_t)length) < 0)
            break;
    }
    close(connection);
}

static void serve(int listener, int id) {
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (connection >= 0)
            echo(connection, id);
        else if (errno != EINTR && errno != ECONNABORTED) {
            perror("accept");
            exit(1);
        }
    }
}

int main(int argc, char **argv) {
    /* What all tasks share is made before the fork. */
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on((unsigned short)(argc > 1 ? atoi(argv[1]) : 7007));

    /* From here on there are N of us. The parent stays inside until all is over. */
    int id = brood_fork_processes(argc > 2 ? atoi(argv[2]) : 0, 100);
    if (id < 0) {
        fprintf(stderr, "echo-prefork: %s\n", strerror(-id));
        return 1;
    }
    printf("task %d is process %d\n", id, getpid());
    fflush(stdout);
    serve(listener, id);
}
