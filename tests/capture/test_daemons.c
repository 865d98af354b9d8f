/* SPDX-License-Identifier: MIT */

/* The sinks that are sockets of a daemon. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rig.h"

TestSuite(daemons, .timeout = RIG_TIMEOUT);

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The next datagram, or the contents of the memory that came instead. */
static char *receive(int fd, bool *ret_in_memory) {
    static char text[1 << 20];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {text, sizeof(text) - 1};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &message, 0);

    cr_assert_geq(n, 0);
    *ret_in_memory = message.msg_controllen > 0;
    if (*ret_in_memory) {
        int memory;

        memcpy(&memory, CMSG_DATA(&control.header), sizeof(memory));
        cr_assert_eq(
            fcntl(memory, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        n = pread(memory, text, sizeof(text) - 1, 0);
        close(memory);
    }
    text[n] = '\0';
    return text;
}

Test(daemons, sends_rfc5424_to_syslog)
{
    struct rig rig;
    bool in_memory;

    rig_init(&rig);
    rig.settings.targets[FRAME_OUT] = rig.settings.targets[FRAME_ERR] = CAPTURE_SYSLOG;
    int server = listen_at(rig.syslog_path);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 2, 5);
    rig_write(&a, FRAME_OUT, "hello \"world\"\n");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    char *got = receive(server, &in_memory);
    cr_assert_eq(strncmp(got, "<30>1 20", 8), 0, "%s", got);
    cr_assert(strstr(got, " web 102 - [brood@32473 pool=\"web\" worker=\"2\" generation=\"5\" "
                          "stream=\"out\"] hello \"world\""),
        "%s", got);
    rig_close(&rig);
    close(server);
    rig_finish(&rig);
}

/* A daemon that is not there yet, and one that is started anew: nothing is lost. */
Test(daemons, waits_for_a_daemon_that_is_away)
{
    struct rig rig;
    bool in_memory;

    rig_init(&rig);
    rig.settings.targets[FRAME_OUT] = rig.settings.targets[FRAME_ERR] = CAPTURE_SYSLOG;
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 0, 1);
    rig_write(&a, FRAME_OUT, "early\n");
    rig_turn_until(&rig, &rig.troubles, 1);
    cr_assert_eq(rig.last_error, ENOENT);
    int server = listen_at(rig.syslog_path);
    cr_assert(strstr(receive(server, &in_memory), "] early"));
    rig_turn_until(&rig, &rig.recoveries, 1);

    close(server);
    unlink(rig.syslog_path);
    server = listen_at(rig.syslog_path);
    rig_write(&a, FRAME_OUT, "late\n");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    cr_assert(strstr(receive(server, &in_memory), "] late"));
    rig_close(&rig);
    close(server);
    rig_finish(&rig);
}

Test(daemons, speaks_the_protocol_of_the_journal)
{
    struct rig rig;
    bool in_memory;

    rig_init(&rig);
    rig.settings.targets[FRAME_OUT] = rig.settings.targets[FRAME_ERR] = CAPTURE_JOURNAL;
    int server = listen_at(rig.journal_path);
    rig_open(&rig);
    struct rig_process a = rig_start(&rig, 2, 5);
    rig_write(&a, FRAME_ERR, "trouble\nno newline");
    rig_end(&a, NULL);
    rig_turn_until_ended(&rig);
    cr_assert_str_eq(receive(server, &in_memory),
        "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=web\nSYSLOG_PID=102\nBROOD_POOL=web\n"
        "BROOD_WORKER=2\nBROOD_GENERATION=5\nBROOD_STREAM=err\nMESSAGE=trouble\n");
    cr_assert_not(in_memory);
    cr_assert(strstr(receive(server, &in_memory), "BROOD_END=bare\nMESSAGE=no newline\n"));
    rig_close(&rig);
    close(server);
    rig_finish(&rig);
}
