/* SPDX-License-Identifier: MIT */

/* shutdown: the end of all pools and of the supervisor itself. */

#include <poll.h>
#include <unistd.h>

#include "ctl/connection.h"
#include "ctl/request.h"
#include "sys/process.h"

/* How long the supervisor may take to end once it has said that all pools have. */
#define LAST_STEP (10 * NSEC_PER_SEC)

/* It has answered; whoever starts another one next wants it gone. */
static int wait_for_end(const struct connection *connection, int pidfd) {
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0 || poll(&ended, 1, (int)(LAST_STEP / NSEC_PER_MSEC)) != 0)
        return CTL_OK;
    ctl_say(connection->call, "every pool has ended, but the supervisor (process %d) has not yet",
        (int)connection->peer);
    return CTL_TIMED_OUT;
}

int ctl_shutdown(const struct ctl_call *call) {
    struct connection connection;
    struct varlink_reply reply = {0};
    int pidfd = -1, status = connection_open(call, &connection);

    if (status != CTL_OK)
        return status;
    if (connection.peer > 0)
        process_open(connection.peer, &pidfd);
    status = request_send_take(&connection, "io.brood.Shutdown", REQUEST_WAITS, json_object());
    if (status == CTL_OK)
        status = connection_receive(&connection, &reply);
    if (status == CTL_OK && !call->no_wait)
        status = wait_for_end(&connection, pidfd);
    varlink_reply_finish(&reply);
    connection_finish(&connection);
    if (pidfd >= 0)
        close(pidfd);
    return status;
}
