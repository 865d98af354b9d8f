/* SPDX-License-Identifier: MIT */

/* A small server on the sockets that were handed over (LISTEN_FDS): it answers each HTTP request,
 * each line of a stream and each datagram with who it is, and on SIGTERM ends as a good server
 * does: it takes no new connection, answers what was asked with `Connection: close`, and goes when
 * the last connection has. */

#include "names.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_SOCKET    3
#define MAX_SOCKETS     32
#define MAX_CONNECTIONS 512
#define IDLE_MS         1000

struct connection {
    size_t length;
    char input[2048];
};

struct server {
    const char *text;
    size_t sockets;
    size_t count; /* sockets, then connections */
    struct pollfd polled[MAX_SOCKETS + MAX_CONNECTIONS];
    const char *names[MAX_SOCKETS];
    bool datagram[MAX_SOCKETS];
    struct connection connections[MAX_CONNECTIONS];
};

static volatile sig_atomic_t ending;

static void on_term(int signal) {
    (void)signal;
    ending = 1;
}

/* "PID WORKER GENERATION NAME-OF-SOCKET TEXT" */
static int who_am_i(const struct server *server, const char *name, char *answer, size_t size) {
    return snprintf(answer, size, "%d %s %s %s %s\n", getpid(), variable("BROOD_WORKER"),
        variable("BROOD_GENERATION"), name, server->text);
}

static void write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t done = send(fd, text, length, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR)
            return; /* the client's affair */
        if (done > 0) {
            text += done;
            length -= (size_t)done;
        }
    }
}

static void answer_http(const struct server *server, int fd) {
    char body[256], answer[512];
    int length = who_am_i(server, "http", body, sizeof(body));

    length = snprintf(answer, sizeof(answer),
        "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s", length,
        ending ? "close" : "keep-alive", body);
    write_all(fd, answer, (size_t)length);
}

static void answer_line(const struct server *server, int fd) {
    char answer[256];

    write_all(fd, answer, (size_t)who_am_i(server, "-", answer, sizeof(answer)));
}

static void answer_datagram(const struct server *server, size_t place) {
    char input[2048], answer[256];
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    int fd = server->polled[place].fd;

    if (recvfrom(fd, input, sizeof(input), MSG_DONTWAIT, (struct sockaddr *)&peer, &length) < 0)
        return;
    int size = who_am_i(server, server->names[place], answer, sizeof(answer));
    sendto(fd, answer, (size_t)size, MSG_DONTWAIT, (struct sockaddr *)&peer, length);
}

static void drop(struct server *server, size_t place) {
    size_t last = --server->count;

    close(server->polled[place].fd);
    server->polled[place] = server->polled[last];
    server->connections[place - server->sockets] = server->connections[last - server->sockets];
}

static void accept_one(struct server *server, size_t place) {
    int fd = accept4(server->polled[place].fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return; /* another worker was quicker */
    if (server->count == server->sockets + MAX_CONNECTIONS)
        fail("too many connections");
    server->connections[server->count - server->sockets].length = 0;
    server->polled[server->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Whether the connection stays. */
static bool serve_connection(struct server *server, size_t place) {
    struct connection *connection = &server->connections[place - server->sockets];
    int fd = server->polled[place].fd;
    size_t room = sizeof(connection->input) - connection->length - 1;
    ssize_t done = recv(fd, connection->input + connection->length, room, MSG_DONTWAIT);

    if (done < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (done <= 0)
        return false;
    connection->length += (size_t)done;
    connection->input[connection->length] = '\0';
    if (strncmp(connection->input, "GET ", 4) != 0) {
        if (!strchr(connection->input, '\n'))
            return room > 1;
        answer_line(server, fd);
        return false;
    }
    if (!strstr(connection->input, "\r\n\r\n"))
        return room > 1;
    connection->length = 0;
    bool stays = !ending;
    answer_http(server, fd);
    return stays;
}

static void find_sockets(struct server *server) {
    char *names = strdup(variable("LISTEN_FDNAMES"));

    if (number(variable("LISTEN_PID")) != getpid())
        fail("LISTEN_PID is %s", variable("LISTEN_PID"));
    server->count = server->sockets = (size_t)number(variable("LISTEN_FDS"));
    if (server->sockets > MAX_SOCKETS)
        fail("too many sockets");
    for (size_t i = 0; i < server->sockets; i++) {
        int fd = FIRST_SOCKET + (int)i, kind = 0;
        socklen_t length = sizeof(kind);
        const char *name = strsep(&names, ":");

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length) < 0)
            fail("descriptor %d: %s", fd, strerror(errno));
        /* The sockets are shared: whoever accepts second must not stand still. */
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        server->polled[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        server->names[i] = name ? name : "-";
        server->datagram[i] = kind == SOCK_DGRAM;
    }
}

static void serve_turn(struct server *server) {
    for (size_t i = server->count; i-- > server->sockets;)
        if (server->polled[i].revents && !serve_connection(server, i))
            drop(server, i);
    for (size_t i = 0; i < server->sockets && !ending; i++)
        if (server->polled[i].revents & POLLIN) {
            if (server->datagram[i])
                answer_datagram(server, i);
            else
                accept_one(server, i);
        }
}

void serve(char *text) {
    static struct server server;
    struct sigaction action = {.sa_handler = on_term};
    sigset_t blocked, before;

    server.text = text ? text : "-";
    find_sockets(&server);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    sigaction(SIGTERM, &action, NULL);
    while (!ending || server.count > server.sockets) {
        size_t skipped = ending ? server.sockets : 0;
        struct timespec idle = {.tv_sec = IDLE_MS / 1000};
        int ready =
            ppoll(server.polled + skipped, server.count - skipped, ending ? &idle : NULL, &before);

        if (ready == 0)
            break; /* those that are left ask nothing any more */
        if (ready > 0)
            serve_turn(&server);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}
