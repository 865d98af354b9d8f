/* SPDX-License-Identifier: MIT */

/*
 * A program whose own names are those of libbrood's inside. With the static library it must link,
 * and each must go on calling its own.
 */

#include <brood.h>
#include <stdio.h>

void buffer_add(void);
int loop_new(void);
int spawn(void);
int worker_step(void);
int daemonize(void);

void buffer_add(void) {
    puts("buffer_add of the program");
}

int loop_new(void) {
    return 1;
}

int spawn(void) {
    return 2;
}

int worker_step(void) {
    return 3;
}

int daemonize(void) {
    return 4;
}

int main(void) {
    struct brood_supervisor *supervisor;

    if (brood_supervisor_new(NULL, &supervisor) < 0)
        return 1;
    brood_supervisor_free(supervisor);
    buffer_add();
    return loop_new() + spawn() + worker_step() + daemonize() == 10 ? 0 : 1;
}
