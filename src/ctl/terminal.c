/* SPDX-License-Identifier: MIT */
#include "ctl/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/macro.h"
#include "ctl/ctl.h"

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

static void write_all(const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);

        if (n < 0 && errno != EINTR)
            return;
        text += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
}

int terminal_enter(struct terminal *ret_terminal) {
    static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
    struct terminal terminal = {.signals = -1};
    sigset_t mask;

    if (tcgetattr(STDIN_FILENO, &terminal.before) < 0)
        return -errno;
    sigemptyset(&mask);
    for (size_t i = 0; i < ELEMENTS(watched); i++)
        sigaddset(&mask, watched[i]);
    terminal.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (terminal.signals < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, &mask, &terminal.mask_before);

    struct termios raw = terminal.before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    write_all(ENTER, strlen(ENTER));
    *ret_terminal = terminal;
    return 0;
}

void terminal_leave(struct terminal *terminal) {
    write_all(LEAVE, strlen(LEAVE));
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
    close(terminal->signals);
    terminal->signals = -1;
    sigprocmask(SIG_SETMASK, &terminal->mask_before, NULL);
}

int terminal_signal(const struct terminal *terminal) {
    struct signalfd_siginfo info;

    return read(terminal->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

/* Each line takes the place of the old one; what is below the last is cleared. */
void terminal_show(const char *text, unsigned rows) {
    char *frame;
    size_t size;
    FILE *file = ctl_must(open_memstream(&frame, &size));

    fputs("\033[H", file);
    for (unsigned row = 0; *text != '\0' && row < MAX(rows, 1U); row++) {
        size_t length = strcspn(text, "\n");

        fprintf(file, "%s%.*s\033[K", row > 0 ? "\n" : "", (int)length, text);
        text += length + (text[length] == '\n');
    }
    fputs("\033[J", file);
    fclose(file);
    write_all(frame, size);
    free(frame);
}
