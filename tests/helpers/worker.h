/* SPDX-License-Identifier: MIT */
#pragma once

/* Parts of the worker program that fill files of their own. */

/* Appends one line of JSON to PATH (a FIFO or a file): everything that a supervised process can
 * say of itself, as the kernel tells it. */
void report_write(const char *path, int argc, char **argv);

/* "clone3=ENOSYS,close_range=EPERM": the system calls fail so from here on, for this process and
 * all its descendants, over exec. */
void refuse_calls(const char *list);

/* notify:MESSAGE: one datagram to NOTIFY_SOCKET. */
void notify_send(char *message);

/* notify-fds:COUNT=MESSAGE: the same with so many descriptors. */
void notify_send_descriptors(char *text);

/* store:NAME=CONTENT: deposits a descriptor (a memfd that holds CONTENT) under this name. */
void notify_store(char *name);

/* barrier: waits until all that was sent before has been handled (BARRIER=1). */
void notify_barrier(char *unused);

/* serve:TEXT: answers on the sockets of LISTEN_FDS until SIGTERM, then ends without a loss. */
void serve(char *text);
