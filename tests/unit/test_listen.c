/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/listen.h"

static char directory[] = "/tmp/brood-listen.XXXXXX";
static char reason[LISTEN_TEXT_SIZE];

static void set_up(void) {
    cr_assert(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    umask(077);
}

static void tear_down(void) {
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(listen, .init = set_up, .fini = tear_down, .timeout = 60);

static struct listen_spec parse(const char *directive, const char *value) {
    struct listen_spec spec;
    const char *why = "";

    listen_spec_init(&spec);
    cr_assert_eq(listen_parse(directive, value, &spec, &why), 0, "%s: %s", value, why);
    return spec;
}

/* A unix socket in the directory of the test. */
static struct listen_spec in_directory(const char *directive, const char *name) {
    char path[100];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return parse(directive, path);
}

/* A port that is free: the kernel's choice, given back. */
static struct listen_spec free_port(const char *directive, const char *host) {
    struct listen_spec spec;
    struct sockaddr_in *internet = (struct sockaddr_in *)&spec.address.room;
    char value[64];
    int fd;

    snprintf(value, sizeof(value), "%s:1", host);
    spec = parse(directive, value);
    fd = socket(spec.address.any.sa_family, spec.type | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    internet->sin_port = 0; /* lies where that of IPv6 lies */
    cr_assert_eq(bind(fd, &spec.address.any, spec.address.size), 0);
    cr_assert_eq(getsockname(fd, &spec.address.any, &spec.address.size), 0);
    close(fd);
    return spec;
}

static int opened(const struct listen_spec *spec) {
    int fd = -1;

    cr_assert_eq(listen_open(spec, &fd, reason), 0, "%s", reason);
    cr_assert_geq(fd, 3);
    return fd;
}

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof(value);

    cr_assert_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

/* 0 or -errno. */
static int connect_to(const struct listen_spec *spec) {
    int fd = socket(spec->address.any.sa_family, spec->type | SOCK_CLOEXEC, 0);
    int r = connect(fd, &spec->address.any, spec->address.size) < 0 ? -errno : 0;

    close(fd);
    return r;
}

Test(listen, directives_and_types)
{
    struct listen_spec spec;
    const char *why = NULL;

    cr_assert_eq(parse("ListenStream", "80").type, SOCK_STREAM);
    cr_assert_eq(parse("ListenDatagram", "127.0.0.1:80").type, SOCK_DGRAM);
    cr_assert_eq(parse("ListenSequentialPacket", "@x").type, SOCK_SEQPACKET);
    cr_assert_eq(parse("ListenStream", "80").backlog, 4096);
    listen_spec_init(&spec);
    cr_assert_eq(listen_parse("ListenSequentialPacket", "80", &spec, &why), -EPROTONOSUPPORT);
    cr_assert(strstr(why, "unix"));
    cr_assert_eq(listen_parse("ListenStream", "x", &spec, &why), -EINVAL);
    cr_assert_eq(listen_parse("ListenFIFO", "/x", &spec, &why), -EINVAL);
}

Test(listen, a_tcp_socket_as_systemd_passes_it)
{
    struct listen_spec spec = free_port("ListenStream", "127.0.0.1");
    int fd = opened(&spec);

    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    cr_assert_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    cr_assert_eq(connect_to(&spec), 0);
    close(fd);
    cr_assert_eq(connect_to(&spec), -ECONNREFUSED);
}

Test(listen, options_that_are_asked_for)
{
    struct listen_spec spec = free_port("ListenStream", "127.0.0.1");
    int fd;

    spec.no_delay = spec.keep_alive = spec.reuse_port = spec.non_blocking = spec.free_bind = true;
    spec.receive_buffer = spec.send_buffer = 1 << 16;
    fd = opened(&spec);
    cr_assert_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
    cr_assert_eq(option(fd, IPPROTO_IP, IP_FREEBIND), 1);
    cr_assert_eq(option(fd, SOL_SOCKET, SO_RCVBUF), 1 << 17, "the kernel doubles it");
    cr_assert_eq(option(fd, SOL_SOCKET, SO_SNDBUF), 1 << 17);
    cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
}

Test(listen, a_bare_port_takes_ipv4_too)
{
    struct listen_spec spec, narrow;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        cr_skip_test("no IPv6 here");
    close(fd);
    spec = free_port("ListenStream", "[::]");
    spec.ipv6_only = LISTEN_IPV6_BOTH;
    fd = opened(&spec);
    narrow = parse("ListenStream", "127.0.0.1:1");
    ((struct sockaddr_in *)&narrow.address.room)->sin_port =
        ((struct sockaddr_in6 *)&spec.address.room)->sin6_port;
    cr_assert_eq(connect_to(&narrow), 0);
    close(fd);
    spec.ipv6_only = LISTEN_IPV6_ONLY;
    fd = opened(&spec);
    cr_assert_eq(connect_to(&narrow), -ECONNREFUSED);
    close(fd);
}

Test(listen, datagrams_and_packets)
{
    struct listen_spec udp = free_port("ListenDatagram", "127.0.0.1");
    struct listen_spec packets = in_directory("ListenSequentialPacket", "p");
    int fd = opened(&udp), other = -1;

    cr_assert_eq(option(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    cr_assert_eq(listen_open(&udp, &other, reason), -EADDRINUSE, "datagrams are not stolen");
    close(fd);
    fd = opened(&packets);
    cr_assert_eq(connect_to(&packets), 0);
    close(fd);
}

Test(listen, says_who_is_in_the_way)
{
    struct listen_spec spec = free_port("ListenStream", "127.0.0.1");
    int fd = opened(&spec), other = -1;
    char address[ADDRESS_TEXT_SIZE], expected[200];

    cr_assert_eq(listen_open(&spec, &other, reason), -EADDRINUSE);
    snprintf(expected, sizeof(expected),
        "listen on %s: Address already in use: another process listens there",
        address_format(&spec.address, address));
    cr_assert_str_eq(reason, expected);
    cr_assert_eq(other, -1);
    close(fd);

    spec = parse("ListenStream", "192.0.2.1:8080"); /* of the documentation, nobody's */
    cr_assert_eq(listen_open(&spec, &other, reason), -EADDRNOTAVAIL);
    cr_assert(strstr(reason, "no interface"), "%s", reason);
    spec.free_bind = true;
    close(opened(&spec));
}

Test(listen, says_whose_ports_are_low)
{
    struct listen_spec spec = parse("ListenStream", "127.0.0.1:7");
    unsigned first;
    pid_t child;
    int status;

    if (getuid() != 0 || !address_is_privileged(&spec.address, &first))
        cr_skip_test("every port is everybody's here, or we are not root");
    child = fork();
    if (child == 0) {
        int fd, r;

        if (setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        r = listen_open(&spec, &fd, reason);
        _exit(r != -EACCES || !strstr(reason, "are for root"));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(listen, the_file_of_a_unix_socket)
{
    struct listen_spec spec = in_directory("ListenStream", "a/b/x.sock");
    const char *path = address_path(&spec.address);
    struct stat status;
    int fd;

    umask(022);
    spec.mode = 0620;
    if (getuid() == 0) {
        spec.uid = 12;
        spec.gid = 34;
    }
    fd = opened(&spec);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0620);
    cr_assert(getuid() != 0 || (status.st_uid == 12 && status.st_gid == 34));
    cr_assert_eq(stat("a/b", &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0755);
    cr_assert_eq(connect_to(&spec), 0);
    close(fd);
}

Test(listen, a_file_that_was_left_is_replaced_and_no_other)
{
    struct listen_spec spec = in_directory("ListenStream", "x.sock");
    struct listen_spec datagrams = in_directory("ListenDatagram", "x.sock");
    const char *path = address_path(&spec.address);
    int fd = opened(&spec), other = -1;

    cr_assert_eq(listen_open(&spec, &other, reason), -EADDRINUSE);
    cr_assert(strstr(reason, "another process listens there"));
    cr_assert_eq(listen_open(&datagrams, &other, reason), -EADDRINUSE, "of another type");
    cr_assert_eq(connect_to(&spec), 0, "still there");
    close(fd);
    cr_assert_eq(connect_to(&spec), -ECONNREFUSED);
    fd = opened(&spec);
    cr_assert_eq(connect_to(&spec), 0);
    close(fd);

    cr_assert_eq(unlink(path), 0);
    fd = open(path, O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    cr_assert_eq(listen_open(&spec, &other, reason), -EEXIST);
    cr_assert(strstr(reason, "no socket"), "%s", reason);
    cr_assert_eq(access(path, F_OK), 0);
}

Test(listen, a_socket_with_a_full_queue_is_in_use)
{
    struct listen_spec spec = in_directory("ListenStream", "x.sock");
    int fd, clients[3], other = -1;

    spec.backlog = 1;
    fd = opened(&spec);
    for (size_t i = 0; i < ELEMENTS(clients); i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(clients[i], &spec.address.any, spec.address.size);
    }
    cr_assert_eq(listen_open(&spec, &other, reason), -EADDRINUSE);
    for (size_t i = 0; i < ELEMENTS(clients); i++)
        close(clients[i]);
    close(fd);
}

static void assert_change(
    struct listen_set *set, const struct listen_spec *specs, size_t n_specs, uint32_t n_places) {
    cr_assert_eq(listen_set_change(set, specs, n_specs, n_places, reason), 0, "%s", reason);
    cr_assert_eq(set->count, n_specs);
}

static int lowest_fd(void) {
    int fd = dup(STDERR_FILENO);

    close(fd);
    return fd;
}

Test(listen, a_set_keeps_what_is_asked_for_again)
{
    struct listen_spec a = free_port("ListenStream", "127.0.0.1");
    struct listen_spec b = in_directory("ListenStream", "b"), c = in_directory("ListenStream", "c");
    struct listen_set set = {0};
    int lowest = lowest_fd(), fd_a, fd_b;
    struct stat status;
    char text[ADDRESS_TEXT_SIZE];

    strcpy(a.name, "web");
    assert_change(&set, (struct listen_spec[]){a, b}, 2, 3);
    fd_a = listen_set_fd(&set, 0, 0);
    fd_b = listen_set_fd(&set, 1, 0);
    cr_assert_eq(listen_set_fd(&set, 0, 2), fd_a, "all places share it");
    cr_assert_str_eq(listen_set_name(&set, 0), "web");
    cr_assert_str_eq(listen_set_address(&set, 1, text), address_path(&b.address));

    /* Another order, other options, one more. */
    b.mode = 0600;
    a.no_delay = true;
    strcpy(a.name, "http");
    assert_change(&set, (struct listen_spec[]){c, b, a}, 3, 3);
    cr_assert_eq(listen_set_fd(&set, 1, 0), fd_b);
    cr_assert_eq(listen_set_fd(&set, 2, 0), fd_a);
    cr_assert_str_eq(listen_set_name(&set, 2), "http");
    cr_assert_eq(option(fd_a, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_assert_eq(stat(address_path(&b.address), &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);

    /* What is no longer asked for goes, and its file. */
    assert_change(&set, &a, 1, 3);
    cr_assert_eq(listen_set_fd(&set, 0, 0), fd_a);
    cr_assert_eq(connect_to(&a), 0);
    cr_assert_eq(connect_to(&b), -ENOENT);
    cr_assert_eq(connect_to(&c), -ENOENT);
    listen_set_finish(&set);
    listen_set_finish(&set);
    cr_assert_eq(connect_to(&a), -ECONNREFUSED);
    cr_assert_eq(lowest_fd(), lowest);
}

Test(listen, a_failed_change_is_none)
{
    struct listen_spec a = free_port("ListenStream", "127.0.0.1"), changed = a;
    struct listen_spec b = in_directory("ListenStream", "b"), c = in_directory("ListenStream", "c");
    struct listen_set set = {0}, other = {0};
    int lowest, fd;

    assert_change(&set, &a, 1, 1);
    assert_change(&other, &c, 1, 1);
    fd = listen_set_fd(&set, 0, 0);
    lowest = lowest_fd();
    changed.no_delay = true;
    cr_assert_eq(
        listen_set_change(&set, (struct listen_spec[]){b, changed, c}, 3, 1, reason), -EADDRINUSE);
    cr_assert(strstr(reason, "/c: "), "%s", reason);
    cr_assert_eq(lowest_fd(), lowest);
    cr_assert_eq(set.count, 1);
    cr_assert_eq(listen_set_fd(&set, 0, 0), fd);
    cr_assert_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    cr_assert_eq(connect_to(&b), -ENOENT);
    cr_assert_eq(connect_to(&a), 0);
    cr_assert_eq(connect_to(&c), 0);

    cr_assert_eq(listen_set_change(&set, (struct listen_spec[]){a, b, b}, 3, 1, reason), -EINVAL);
    cr_assert(strstr(reason, "twice"));
    cr_assert_eq(set.count, 1);
    listen_set_finish(&set);
    listen_set_finish(&other);
}

Test(listen, a_file_that_is_another_s_by_now_is_left)
{
    struct listen_spec spec = in_directory("ListenStream", "x");
    struct listen_set set = {0};

    assert_change(&set, &spec, 1, 1);
    cr_assert_eq(rename("x", "y"), 0);
    close(open("x", O_CREAT | O_CLOEXEC, 0600));
    listen_set_finish(&set);
    cr_assert_eq(access("x", F_OK), 0);
}

Test(listen, one_socket_for_each_place)
{
    struct listen_spec a = free_port("ListenStream", "127.0.0.1");
    struct listen_spec b = in_directory("ListenStream", "b");
    struct listen_spec specs[2] = {a, b};
    struct listen_set set = {0};
    int lowest = lowest_fd(), first, second;

    assert_change(&set, specs, 2, 2);
    first = listen_set_fd(&set, 0, 0);
    specs[0].reuse_port = specs[1].reuse_port = true;
    assert_change(&set, specs, 2, 2); /* beside the one that was alone */
    second = listen_set_fd(&set, 0, 1);
    cr_assert_eq(listen_set_fd(&set, 0, 0), first);
    cr_assert_neq(second, first);
    cr_assert_eq(listen_set_fd(&set, 1, 0), listen_set_fd(&set, 1, 1), "unix sockets have none");

    cr_assert_eq(listen_set_scale(&set, 4, reason), 0, "%s", reason);
    cr_assert_eq(listen_set_fd(&set, 0, 0), first);
    cr_assert_eq(listen_set_fd(&set, 0, 1), second);
    cr_assert_geq(listen_set_fd(&set, 0, 3), 3);
    cr_assert_eq(listen_set_scale(&set, 1, reason), 0);
    cr_assert_eq(listen_set_fd(&set, 0, 0), first);
    cr_assert_eq(listen_set_fd(&set, 0, 1), -1);
    cr_assert_eq(fcntl(second, F_GETFD), -1);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(connect_to(&a), 0, "no connection goes to a socket that is nobody's");
    listen_set_finish(&set);
    cr_assert_eq(lowest_fd(), lowest);
}

Test(listen, a_scale_without_descriptors_changes_nothing)
{
    struct listen_spec spec = free_port("ListenStream", "127.0.0.1");
    struct listen_set set = {0};
    struct rlimit old, limit;
    int lowest;

    spec.reuse_port = true;
    assert_change(&set, &spec, 1, 2);
    lowest = lowest_fd();
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = (rlim_t)lowest + 2;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(listen_set_scale(&set, 8, reason), -EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    cr_assert(strstr(reason, "ulimit"), "%s", reason);
    cr_assert_eq(lowest_fd(), lowest);
    cr_assert_eq(set.n_places, 2);
    cr_assert_geq(listen_set_fd(&set, 0, 1), 3);
    listen_set_finish(&set);
}
