/* SPDX-License-Identifier: MIT */

/* The floor: `floor N CMD [ARG…]` keeps N copies of CMD alive and can do nothing else. It sleeps in
 * a blocking waitpid() and answers each death with vfork and exec. It knows no signals, timers,
 * policies, logs, not even which worker it was that died: what a supervisor needs beyond this is
 * what its features cost. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char *const argv[]) {
    pid_t pid = vfork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    if (pid < 0) {
        perror("floor: vfork");
        exit(125);
    }
}

int main(int argc, char *argv[]) {
    if (argc < 3) {
        fprintf(stderr, "usage: floor N CMD [ARG…]\n");
        return 2;
    }
    for (long n = strtol(argv[1], NULL, 10); n > 0; n--)
        start(argv + 2);
    while (waitpid(-1, NULL, 0) > 0)
        start(argv + 2);
    perror("floor: waitpid");
    return 125;
}
