/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The whole terminal, for a view that changes: another screen, keys as they are pressed, no
 * cursor. What it was like before comes back with terminal_leave(), which a caller reaches on every
 * way out: signals that would end or stop the process come as descriptors meanwhile.
 */

#include <signal.h>
#include <stddef.h>
#include <termios.h>

struct terminal {
    struct termios before;
    sigset_t mask_before;
    int signals; /* readable when a signal has come: terminal_signal() */
};

/* On standard input and output. */
int terminal_enter(struct terminal *ret_terminal);
void terminal_leave(struct terminal *terminal);

/* The signal that has come, or 0. */
int terminal_signal(const struct terminal *terminal);

/* Shows these lines, as many as there are rows for, in place of what is there, in one write. */
void terminal_show(const char *text, unsigned rows);
